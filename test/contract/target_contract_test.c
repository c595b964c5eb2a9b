/* What every target promises, run over each of them: add a row to TARGETS for a new one. `exact` says whether it keeps
 * its place, so that each record is there once; the others may have repeats, with the same ids.
 *
 * The Kafka target runs only when WEIR_TEST_KAFKA names brokers and WEIR_TEST_TOPIC a topic of one partition that
 * nobody else uses (test/scenario/sink_test.py). The library is examples/sink-http, as users build it, with an endpoint
 * in this process behind it. */
#include "deliver/target.h"

#include <librdkafka/rdkafka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/test.h"
#include "test/support/scratch.h"
#include "world/disk.h"
#include "world/world.h"

#define RECORDS_MAX 20000

static const struct target_case {
    const struct target_backend *backend;
    bool exact;
    /* Everything that is there, the values as lines. */
    void (*read)(struct buf *out);
} * target_case;

static char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX + 16], library[512], to[64];
static struct target_options options;
static _Atomic bool stopping;
static struct target *target;
static unsigned journals; /* each test has a journal's name of its own */
static char journal_name[32];

/* ---- what is there ---- */

static void read_file(struct buf *out)
{
    char *text;
    size_t n;
    struct error err;
    enum status s = disk_read_whole(disk_real(), path, 1 << 28, &text, &n, &err);
    assert_true(s == OK || s == ERR_NOT_FOUND);
    if (s == OK)
        buf_add(out, text, n);
    if (s == OK)
        free(text);
}

static void read_topic(struct buf *out)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *const pairs[][2] = { { "bootstrap.servers", options.kafka.brokers },
                                     { "group.id", "contract" },
                                     { "isolation.level", "read_committed" },
                                     { "enable.partition.eof", "true" } };
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        assert_int_equal(rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], why, sizeof why), RD_KAFKA_CONF_OK);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, options.kafka.topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(consumer, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    for (bool at_end = false; !at_end;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 20000);
        assert_non_null(message);
        at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        assert_true(at_end || !message->err);
        if (!at_end) {
            buf_add(out, message->payload, message->len);
            buf_add_char(out, '\n');
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

/* An endpoint that keeps the bodies of what is posted to it: one request a connection. */
static struct endpoint {
    int fd;
    pthread_t thread;
    pthread_mutex_t mutex;
    struct buf bodies;
} endpoint = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* Where the whole request ends; 0: its head is not there yet. */
static size_t request_end(const struct buf *request, size_t *out_body)
{
    const char *end = memmem(request->p, request->n, "\r\n\r\n", 4);
    const char *field = end ? memmem(request->p, request->n, "Content-Length: ", 16) : NULL;
    if (!field)
        return 0;
    *out_body = (size_t)(end + 4 - request->p);
    return *out_body + strtoul(field + 16, NULL, 10);
}

static void serve_one(int fd)
{
    static const char GO_ON[] = "HTTP/1.1 100 Continue\r\n\r\n";
    static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    struct buf request;
    size_t body = 0, end = 0;
    ssize_t n = 1;
    buf_init(&request, 64 << 20);
    while (n > 0 && (!end || request.n < end)) {
        n = read(fd, buf_reserve(&request, 65536), 65536);
        request.n += n > 0 ? (size_t)n : 0;
        bool is_new = !end;
        end = request_end(&request, &body);
        if (is_new && end && memmem(request.p, body, "100-continue", 12))
            (void)!write(fd, GO_ON, sizeof GO_ON - 1);
    }
    if (end && request.n >= end) {
        pthread_mutex_lock(&endpoint.mutex);
        buf_add(&endpoint.bodies, request.p + body, end - body);
        pthread_mutex_unlock(&endpoint.mutex);
        (void)!write(fd, ANSWER, sizeof ANSWER - 1);
    }
    buf_done(&request);
}

static void *serve_all(void *self)
{
    (void)self;
    for (int fd; (fd = accept(endpoint.fd, NULL, NULL)) >= 0; close(fd))
        serve_one(fd);
    return NULL;
}

static void start_endpoint(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof address;
    buf_init(&endpoint.bodies, 256 << 20);
    endpoint.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(endpoint.fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(endpoint.fd, 10), 0);
    assert_int_equal(getsockname(endpoint.fd, (struct sockaddr *)&address, &n), 0);
    snprintf(to, sizeof to, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&endpoint.thread, NULL, serve_all, NULL), 0);
}

static void stop_endpoint(void)
{
    shutdown(endpoint.fd, SHUT_RDWR);
    pthread_join(endpoint.thread, NULL);
    close(endpoint.fd);
    buf_done(&endpoint.bodies);
}

static void read_endpoint(struct buf *out)
{
    pthread_mutex_lock(&endpoint.mutex);
    buf_add(out, endpoint.bodies.p, endpoint.bodies.n);
    pthread_mutex_unlock(&endpoint.mutex);
}

static const struct target_case TARGETS[] = {
    { &target_file, true, read_file },
    { &target_library, false, read_endpoint },
    { &target_kafka, true, read_topic },
};

/* ---- writing ---- */

static void open_target(void)
{
    struct error err;
    if (target_case->backend->open(&options, world_real(), &target, &err) != OK)
        fail_msg("%s", err.text);
}

static void resume(char note[TARGET_NOTE_MAX], uint64_t *io_position)
{
    struct error err;
    if (target->backend->resume(target, note, io_position, &err) != OK)
        fail_msg("%s", err.text);
}

/* Results number [first, end) of this test, which stand in the journal at positions of their number. */
static enum status write_numbers(unsigned first, unsigned end, char note[TARGET_NOTE_MAX])
{
    struct error err;
    static struct target_record records[RECORDS_MAX];
    static char texts[RECORDS_MAX][3][80];
    for (unsigned i = first; i < end; i++) {
        char(*text)[80] = texts[i - first];
        snprintf(text[0], sizeof text[0], "windows/%u/%u", journals, i);
        snprintf(text[1], sizeof text[1], "{\"key\":%u}", i % 7);
        snprintf(text[2], sizeof text[2], "{\"id\":\"windows/%u/%u\",\"a\":\"\xc3\xa4\"}", journals, i);
        records[i - first] = (struct target_record){ slice_from(text[0]), slice_from(text[1]), slice_from(text[2]) };
    }
    const struct target_batch batch = { records, end - first, first + 1, end + 1 };
    enum status s = target->backend->write(target, &batch, note, &err);
    if (s != OK)
        print_message("%s\n", err.text);
    return s;
}

/* Results number [0, count) are there, in order of their first coming; once, where the target is exact. */
static void assert_there(unsigned count)
{
    static uint8_t seen[RECORDS_MAX];
    struct buf all;
    char mine[32];
    unsigned next = 0;
    memset(seen, 0, sizeof seen);
    buf_init(&all, 256 << 20);
    target_case->read(&all);
    int n = snprintf(mine, sizeof mine, "{\"id\":\"windows/%u/", journals);
    char *rest = NULL;
    for (char *line = all.n ? strtok_r((char *)(uintptr_t)buf_text(&all), "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, mine, (size_t)n) != 0)
            continue;
        unsigned number = (unsigned)strtoul(line + n, NULL, 10);
        assert_true(number < count && line[strlen(line) - 1] == '}');
        if (!seen[number]++)
            assert_int_equal(number, next++);
        assert_true(seen[number] == 1 || !target_case->exact);
    }
    assert_int_equal(next, count);
    buf_done(&all);
}

static int setup(void **state)
{
    (void)state;
    snprintf(journal_name, sizeof journal_name, "contract-%d-%u", (int)getpid(), ++journals);
    scratch_make("target", dir);
    snprintf(path, sizeof path, "%s/results.jsonl", dir);
    options = (struct target_options){
        .sink = "contract",
        .journal = journal_name,
        .orders = 1,
        .path = path,
        .library = library,
        .to = to,
        .kafka = { .brokers = getenv("WEIR_TEST_KAFKA") ? getenv("WEIR_TEST_KAFKA") : "",
                   .topic = getenv("WEIR_TEST_TOPIC") ? getenv("WEIR_TEST_TOPIC") : "",
                   .compression = "lz4",
                   .id_prefix = "weir-sink",
                   .security = "plaintext",
                   .sasl_mechanism = "",
                   .sasl_user = "",
                   .sasl_password = "",
                   .tls_ca = "",
                   .tls_certificate = "",
                   .tls_key = "" },
        .stopping = &stopping,
    };
    start_endpoint();
    open_target();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    target_close(target);
    stop_endpoint();
    return scratch_remove(dir);
}

/* ---- the promises ---- */

static void test_what_is_written_is_there_in_its_order(void **state)
{
    (void)state;
    char note[TARGET_NOTE_MAX] = "";
    uint64_t position = 0;
    resume(note, &position);
    assert_int_equal(position, 0);
    assert_there(0);
    assert_int_equal(write_numbers(0, 1, note), OK);
    assert_int_equal(write_numbers(1, 20, note), OK);
    assert_there(20);
}

static void test_ten_thousand_records_go_in_one_write(void **state)
{
    (void)state;
    char note[TARGET_NOTE_MAX] = "";
    uint64_t position = 0;
    resume(note, &position);
    assert_int_equal(write_numbers(0, 10000, note), OK);
    assert_int_equal(write_numbers(10000, 20000, note), OK);
    assert_there(20000);
}

/* The process died before its mark was durable: what the target says counts, and what comes again is there once. */
static void test_a_write_that_the_journal_does_not_know_of_is_not_doubled(void **state)
{
    (void)state;
    char note[TARGET_NOTE_MAX] = "", known[TARGET_NOTE_MAX];
    uint64_t position = 0;
    resume(note, &position);
    assert_int_equal(write_numbers(0, 10, note), OK);
    memcpy(known, note, sizeof known);
    assert_int_equal(write_numbers(10, 30, note), OK);
    for (int again = 0; again < 2; again++) {
        target_close(target);
        open_target();
        position = 11;
        memcpy(note, known, sizeof note);
        resume(note, &position);
        assert_true(position == 11 || (position == 31 && target_case->exact));
        if (position == 11)
            assert_int_equal(write_numbers(10, 30, note), OK);
    }
    assert_int_equal(write_numbers(30, 40, note), OK);
    assert_there(40);
}

static void test_a_place_that_the_journal_knows_better_holds(void **state)
{
    (void)state;
    char note[TARGET_NOTE_MAX] = "";
    uint64_t position = 0;
    resume(note, &position);
    assert_int_equal(write_numbers(0, 10, note), OK);
    position = 500;
    resume(note, &position);
    assert_int_equal(position, 500);
    assert_there(10);
}

static void test_another_journal_has_a_place_of_its_own(void **state)
{
    (void)state;
    char note[TARGET_NOTE_MAX] = "", other[TARGET_NOTE_MAX] = "";
    uint64_t position = 0;
    resume(note, &position);
    assert_int_equal(write_numbers(0, 10, note), OK);
    target_close(target);
    options.journal = "another";
    open_target();
    position = 0;
    resume(other, &position);
    assert_int_equal(position, 0);
    assert_there(10);
}

static void test_who_stops_does_not_wait(void **state)
{
    (void)state;
    struct error err;
    char note[TARGET_NOTE_MAX] = "";
    uint64_t position = 7;
    if (target_case->backend != &target_kafka)
        return; /* the others do not wait */
    target_close(target);
    options.kafka.brokers = "127.0.0.1:1";
    open_target();
    atomic_store(&stopping, true);
    int64_t began_us = world_mono_us(world_real());
    assert_int_equal(target->backend->resume(target, note, &position, &err), ERR_CLOSED);
    atomic_store(&stopping, false);
    assert_true(world_mono_us(world_real()) - began_us < 2000000);
    assert_int_equal(position, 7);
}

static void test_options_that_cannot_work_are_refused_at_once(void **state)
{
    (void)state;
    struct target *none = NULL;
    struct error err;
    options.path = options.library = options.kafka.topic = "";
    assert_int_equal(target_case->backend->open(&options, world_real(), &none, &err), ERR_INVALID);
    assert_null(none);
    assert_true(strlen(err.text) > 10);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_what_is_written_is_there_in_its_order),
        CASE(test_ten_thousand_records_go_in_one_write),
        CASE(test_a_write_that_the_journal_does_not_know_of_is_not_doubled),
        CASE(test_a_place_that_the_journal_knows_better_holds),
        CASE(test_another_journal_has_a_place_of_its_own),
        CASE(test_who_stops_does_not_wait),
        CASE(test_options_that_cannot_work_are_refused_at_once),
    };
    ssize_t n = readlink("/proc/self/exe", library, sizeof library - 20);
    assert(n > 0);
    while (n && library[n - 1] != '/')
        n--;
    snprintf(library + n, sizeof library - (size_t)n, "sink_http.so");
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(TARGETS); i++) {
        target_case = &TARGETS[i];
        if (target_case->backend == &target_kafka && !getenv("WEIR_TEST_KAFKA"))
            continue;
        print_message("target %s\n", target_case->backend->name);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
