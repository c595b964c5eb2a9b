/* The whole with sockets: threads, the HTTP server, the journal's role on its own thread. What needs no socket is
 * tested in core_test.c, receive_test.c and judge_test.c. */
#include "ingest/ingest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/role.h"
#include "base/test.h"
#include "catalog/directory.h"
#include "journal/journal.h"
#include "world/world.h"

struct fixture {
    struct catalog catalog;
    struct metrics *metrics;
    struct journal *journal;
    struct role journal_role;
    struct role_thread *journal_thread;
    struct ingest *ingest;
    struct ingest_options options;
};

static uint64_t fixed_version(struct catalog *catalog)
{
    (void)catalog;
    return 1;
}

static enum status fixed_directory(struct catalog *catalog, struct directory **out, struct error *err)
{
    (void)catalog;
    (void)err;
    struct tenant tenant = { .id = "acme", .quota_per_minute = UINT64_MAX, .retention_days = -1 };
    unsigned char hash[KEY_HASH_BYTES];
    struct directory *directory = directory_new(1, 1);
    assert_non_null(directory);
    directory_add_tenant(directory, &tenant);
    key_hash(SLICE("acme_write"), hash);
    directory_add_key(directory, KEY_WRITE, hash, KEY_NO_END, SLICE("acme"));
    *out = directory;
    return OK;
}

static const struct catalog_backend FIXED = { .version = fixed_version, .directory = fixed_directory };

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct journal_options options = { .partitions = 4, .segment_bytes = 1u << 20, .queue_bytes_max = 64u << 20 };
    struct role roles[2];
    assert_non_null(fixture);
    fixture->catalog.backend = &FIXED;
    fixture->metrics = metrics_new(1000);
    assert_int_equal(journal_memory.open(&options, world_real(), fixture->metrics, &fixture->journal, NULL), OK);
    assert_int_equal(journal_memory.roles(fixture->journal, roles), 1);
    fixture->journal_role = roles[0];
    ingest_options_init(&fixture->options);
    fixture->options.http.host = "127.0.0.1";
    fixture->options.http.port = 0;
    fixture->options.drain_timeout_ms = 300;
    *state = fixture;
    return 0;
}

static void start_journal(struct fixture *fixture)
{
    assert_int_equal(role_start(&fixture->journal_role, world_real(), &fixture->journal_thread, NULL), OK);
}

static void start(struct fixture *fixture, uint32_t loops)
{
    struct error err = { 0 };
    fixture->options.loops = loops;
    if (ingest_new(&fixture->options, fixture->journal, &fixture->catalog, fixture->metrics, world_real(),
                   &fixture->ingest, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(ingest_start(fixture->ingest, NULL), OK);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    ingest_free(fixture->ingest);
    role_stop(fixture->journal_thread);
    journal_memory.close(fixture->journal);
    metrics_free(fixture->metrics);
    free(fixture);
    return 0;
}

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct timeval limit = { .tv_sec = 20 };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : (close(fd), -1);
}

#define EVENT "{\"visitor_id\":\"v1\",\"event_type\":\"page_view\",\"event_name\":\"Home\"}"

static void send_event(int fd)
{
    char request[512];
    int n = snprintf(request, sizeof request,
                     "POST /track HTTP/1.1\r\nHost: x\r\nX-Write-Key: acme_write\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(EVENT), EVENT);
    assert_int_equal(write(fd, request, (size_t)n), n);
}

/* Reads until `count` answers with the text are there; returns how many came. */
static unsigned read_answers(int fd, const char *text, unsigned count)
{
    char buffer[16384];
    size_t n = 0;
    unsigned found = 0;
    while (found < count && n < sizeof buffer - 1) {
        ssize_t got = read(fd, buffer + n, sizeof buffer - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
        buffer[n] = 0;
        found = 0;
        for (const char *p = buffer; (p = strstr(p, text)); p++)
            found++;
    }
    return found;
}

static void test_requests_and_pipelined_requests_are_answered(void **state)
{
    struct fixture *fixture = *state;
    start_journal(fixture);
    start(fixture, 1);
    int fd = connect_to(ingest_port(fixture->ingest));
    send_event(fd);
    assert_int_equal(read_answers(fd, "{\"accepted\":1,\"rejected\":0,\"results\":[]}", 1), 1);
    for (int i = 0; i < 20; i++)
        send_event(fd);
    assert_int_equal(read_answers(fd, "{\"accepted\":1,", 20), 20);
    close(fd);
}

struct client {
    uint16_t port;
    unsigned answered;
};

static void *client_run(void *argument)
{
    struct client *client = argument;
    for (int i = 0; i < 20; i++) {
        int fd = connect_to(client->port);
        for (int j = 0; fd >= 0 && j < 10; j++) {
            send_event(fd);
            client->answered += read_answers(fd, "{\"accepted\":1,", 1);
        }
        close(fd);
    }
    return NULL;
}

static void test_several_loops_share_a_port(void **state)
{
    struct fixture *fixture = *state;
    start_journal(fixture);
    start(fixture, 3);
    struct client clients[4];
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        clients[i] = (struct client){ ingest_port(fixture->ingest), 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, client_run, &clients[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(clients[i].answered, 200);
    }
    struct counter *received =
        metrics_counter(fixture->metrics, "events_received_total", "", "customer_id=\"acme\",event_type=\"page_view\"");
    assert_int_equal(counter_value(received), 800);
}

static void *stop_run(void *argument)
{
    ingest_stop(argument);
    return NULL;
}

static void await_received(const struct fixture *fixture, uint64_t events)
{
    const struct counter *received =
        metrics_counter(fixture->metrics, "events_received_total", "", "customer_id=\"acme\",event_type=\"page_view\"");
    for (int i = 0; i < 2000 && counter_value(received) < events; i++)
        usleep(5000);
    assert_true(counter_value(received) >= events);
}

static void test_draining_answers_what_was_whole(void **state)
{
    struct fixture *fixture = *state;
    pthread_t stopper;
    fixture->options.drain_timeout_ms = 20000;
    start(fixture, 1); /* the journal does not run yet: requests wait */
    uint16_t port = ingest_port(fixture->ingest);
    int waiting = connect_to(port), idle = connect_to(port);
    send_event(waiting);
    await_received(fixture, 1);
    assert_int_equal(pthread_create(&stopper, NULL, stop_run, fixture->ingest), 0);
    char byte;
    assert_int_equal(read(idle, &byte, 1), 0); /* closed at once */
    int late = connect_to(port);               /* the kernel may take one more before the listener is closed */
    for (int i = 0; i < 1000 && late >= 0; i++) {
        close(late);
        usleep(5000);
        late = connect_to(port);
    }
    assert_int_equal(late, -1);
    start_journal(fixture);
    assert_int_equal(read_answers(waiting, "{\"accepted\":1,", 1), 1);
    pthread_join(stopper, NULL);
    close(waiting);
    close(idle);
}

static void test_draining_has_an_end(void **state)
{
    struct fixture *fixture = *state;
    start_journal(fixture);
    start(fixture, 1);
    int fd = connect_to(ingest_port(fixture->ingest));
    const char half[] = "POST /track HTTP/1.1\r\nHost: x\r\nX-Write-Key: acme_write\r\nContent-Length: 1000\r\n\r\n{";
    assert_int_equal(write(fd, half, sizeof half - 1), sizeof half - 1);
    usleep(50000);
    int64_t before_us = world_mono_us(world_real());
    ingest_stop(fixture->ingest);
    int64_t took_ms = (world_mono_us(world_real()) - before_us) / 1000;
    assert_true(took_ms < 5000);
    close(fd);
}

static void test_a_taken_port_is_told_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    start(fixture, 1);
    struct ingest_options options = fixture->options;
    options.http.port = ingest_port(fixture->ingest);
    struct ingest *second = NULL;
    assert_int_not_equal(
        ingest_new(&options, fixture->journal, &fixture->catalog, fixture->metrics, world_real(), &second, &err), OK);
    assert_null(second);
    assert_non_null(strstr(err.text, "--ingest-port"));
}

static void test_one_that_was_never_started_can_be_freed(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ingest_new(&fixture->options, fixture->journal, &fixture->catalog, fixture->metrics, world_real(),
                                &fixture->ingest, NULL),
                     OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests_and_pipelined_requests_are_answered),
        TEST(test_several_loops_share_a_port),
        TEST(test_draining_answers_what_was_whole),
        TEST(test_draining_has_an_end),
        TEST(test_a_taken_port_is_told_at_once),
        TEST(test_one_that_was_never_started_can_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
