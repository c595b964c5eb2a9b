/* The supervisor starts this very binary; main() below plays the engine in the way that the data directory's name asks
 * for. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/test.h"
#include "olap/olap.h"
#include "world/world.h"

static uint16_t free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static struct olap *start(const char *behaviour)
{
    struct olap_options options = {
        .data_dir = behaviour, .library = "/proc/self/exe", .port = free_port(), .stop_ms = 300
    };
    struct olap *olap = NULL;
    struct error err = { .text = "" };
    assert_int_equal(olap_start(&options, world_real(), &olap, &err), OK);
    return olap;
}

/* Steps until the state is reached; the steps' own wake-up times are kept. */
static bool step_until(struct olap *olap, enum olap_state wanted, int64_t limit_ms)
{
    struct world *world = world_real();
    int64_t end_us = world_mono_us(world) + limit_ms * 1000;
    while (world_mono_us(world) < end_us) {
        int64_t wake_us = INT64_MAX;
        while (olap_step(olap, world, &wake_us))
            ;
        if (olap_state(olap) == wanted)
            return true;
        int64_t pause_us = wake_us - world_mono_us(world);
        poll(NULL, 0, pause_us > 20000 ? 20 : pause_us > 0 ? (int)(pause_us / 1000) + 1 : 0);
    }
    return false;
}

static void test_one_that_answers_is_ready_and_stops(void **state)
{
    (void)state;
    struct olap *olap = start("serve");
    assert_true(step_until(olap, OLAP_READY, 20000));
    assert_int_equal(olap_restarts(olap), 0);
    olap_stop(olap);
}

static void test_one_that_dies_is_started_again(void **state)
{
    (void)state;
    struct olap *olap = start("serve-then-die");
    assert_true(step_until(olap, OLAP_READY, 20000));
    assert_true(step_until(olap, OLAP_WAITING, 20000));
    assert_true(step_until(olap, OLAP_READY, 20000));
    assert_true(olap_restarts(olap) >= 1); /* on a slow machine one dies before anybody has seen it ready */
    olap_stop(olap);
}

static void test_a_first_start_without_hope_is_not_repeated(void **state)
{
    (void)state;
    struct error words;
    struct olap *olap = start("unavailable");
    assert_true(step_until(olap, OLAP_FAILED, 20000));
    assert_int_equal(olap_failure(olap, &words), EX_UNAVAILABLE);
    assert_non_null(strstr(words.text, "code 69"));
    assert_false(step_until(olap, OLAP_STARTING, 300));
    olap_stop(olap);
}

static void test_one_that_ignores_sigterm_is_killed(void **state)
{
    (void)state;
    struct olap *olap = start("deaf");
    assert_true(step_until(olap, OLAP_READY, 20000));
    int64_t began_us = world_mono_us(world_real());
    olap_stop(olap);
    assert_true(world_mono_us(world_real()) - began_us >= 250000);
}

/* Connections to it hang: nobody may wait for one, who has signals to look after. */
static void test_one_whose_queue_is_full_holds_nobody_up(void **state)
{
    (void)state;
    struct world *world = world_real();
    struct olap *olap = start("full");
    int64_t began_us = world_mono_us(world);
    assert_false(step_until(olap, OLAP_READY, 2500));
    assert_true(world_mono_us(world) - began_us < 10000000);
    assert_int_equal(olap_state(olap), OLAP_STARTING);
    olap_stop(olap);
}

/* "/autogroup-97 nice 10"; "" where the kernel has no such thing. */
static void autogroup_of(int pid, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/autogroup", pid);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(out, 1, size - 1, file) : 0;
    out[n] = '\0';
    if (file)
        fclose(file);
}

static int child_pid(void)
{
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    return pid;
}

static void test_it_gives_way_alone_and_not_with_its_parent(void **state)
{
    (void)state;
    struct olap *olap = start("serve");
    char before[64], after[64], child[64];
    assert_true(step_until(olap, OLAP_READY, 20000));
    autogroup_of(getpid(), before, sizeof before);
    assert_int_equal(getsid(child_pid()), child_pid());
    for (int i = 0; i < 100; i++) { /* the kernel takes no more than ten a second, of the whole machine */
        olap_give_way(olap, 10);
        autogroup_of(child_pid(), child, sizeof child);
        if (!child[0] || strstr(child, "nice 10"))
            break;
        poll(NULL, 0, 30);
    }
    if (child[0])
        assert_non_null(strstr(child, "nice 10"));
    autogroup_of(getpid(), after, sizeof after);
    assert_string_equal(before, after);
    olap_stop(olap);
}

static void test_a_missing_library_is_told_with_the_way_out(void **state)
{
    (void)state;
    struct olap_options options = { .data_dir = "serve", .library = "/nowhere/libchdb.so", .port = 1 };
    struct olap *olap = NULL;
    struct error err = { .text = "" };
    assert_int_equal(olap_start(&options, world_real(), &olap, &err), ERR_NOT_FOUND);
    assert_null(olap);
    assert_non_null(strstr(err.text, "/nowhere/libchdb.so"));
    assert_non_null(strstr(err.text, "make setup"));
}

static int answer_one(int listener)
{
    static const char ANSWER[] = "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nOk.\n";
    char request[512];
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0 && recv(fd, request, sizeof request, 0) > 0)
        (void)!send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL);
    if (fd >= 0)
        close(fd);
    return 0;
}

/* Takes no connection, and has as many as it can have. */
static int fill_queue(const struct sockaddr_in *address)
{
    for (int i = 0; i < 8; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (fd < 0 || (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno != EINPROGRESS))
            return EX_OSERR;
    }
    for (;;)
        pause();
}

static int play_engine(const char *behaviour, const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int one = 1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(behaviour, "unavailable") == 0)
        return EX_UNAVAILABLE;
    if (strcmp(behaviour, "deaf") == 0)
        signal(SIGTERM, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0)
        return EX_OSERR;
    if (strcmp(behaviour, "full") == 0)
        return listen(listener, 0) == 0 ? fill_queue(&address) : EX_OSERR;
    answer_one(listener);
    if (strcmp(behaviour, "serve-then-die") == 0)
        return EX_SOFTWARE;
    for (;;)
        answer_one(listener);
}

int main(int argc, char **argv)
{
    if (argc > 5 && strcmp(argv[1], "olap") == 0)
        return play_engine(argv[3], argv[5]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_answers_is_ready_and_stops),
        cmocka_unit_test(test_one_that_dies_is_started_again),
        cmocka_unit_test(test_a_first_start_without_hope_is_not_repeated),
        cmocka_unit_test(test_one_that_ignores_sigterm_is_killed),
        cmocka_unit_test(test_one_whose_queue_is_full_holds_nobody_up),
        cmocka_unit_test(test_it_gives_way_alone_and_not_with_its_parent),
        cmocka_unit_test(test_a_missing_library_is_told_with_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
