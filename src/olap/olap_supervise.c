/* The parent's side: start, watch, ask /ping, restart, stop.
 *
 *        spawn                 /ping answers
 *   ───► STARTING ───────────────────────► READY
 *           │  ▲                             │
 *      died │  │ pause over             died │
 *           ▼  │                             │
 *        WAITING ◄───────────────────────────┘        FAILED: a first start that no other start can better
 *
 * posix_spawn, because this process has threads; the child is this very binary (/proc/self/exe). It holds the read end
 * of a pipe whose write end is ours: when we are gone, however that came, it reads the end of the pipe and goes too.
 * The answer to /ping is trusted only while our own child lives; that it is ours on this port, the child checks by
 * binding before it loads the engine.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/retry.h"
#include "base/slice.h"
#include "olap/olap.h"
#include "world/world.h"

#define PING_EVERY_US 20000
#define PING_TIMEOUT_US 1000000
#define LOOK_EVERY_US 100000
#define START_TIMEOUT_US 60000000
#define STEADY_US 10000000 /* one that lived this long is not part of a row of failures */
#define CHILD_FD "3"

struct olap {
    char data_dir[OLAP_PATH_MAX], library[OLAP_PATH_MAX];
    struct olap_options options;
    pid_t pid; /* 0: none */
    int alive_fd, ping_fd;
    int nice;                      /* of its session */
    bool ever_ready, ready_before; /* before: when the child that runs now was started */
    bool ping_said;                /* the question has gone out on ping_fd */
    int64_t started_us, ping_sent_us, next_ping_us, start_at_us;
    struct retry retry;
    struct error words;
    _Atomic int state, failure_code;
    _Atomic uint64_t restarts;
};

static void ping_close(struct olap *olap)
{
    if (olap->ping_fd >= 0)
        close(olap->ping_fd);
    olap->ping_fd = -1;
}

static enum status spawn(struct olap *olap, struct error *err)
{
    int ends[2];
    char port[12], memory[16], slots[16];
    snprintf(port, sizeof port, "%u", olap->options.port);
    snprintf(memory, sizeof memory, "%u", olap->options.memory_mb);
    snprintf(slots, sizeof slots, "%u", olap->options.reader_slots);
    char *argv[] = {
        "weir",    "olap",      "--data",      olap->data_dir, "--port",
        port,      "--library", olap->library, "--memory-mb",  memory,
        "--slots", slots,       "--parent-fd", CHILD_FD,       olap->options.no_confine ? "--no-confine" : NULL,
        NULL
    };
    char *environment[] = { "TZ=UTC", "LANG=C.UTF-8", NULL };
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_errno(err, ERR_IO, errno, "make a pipe for the engine's process");
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[0], 3);
    posix_spawnattr_init(&attributes);
    /* A session of its own: Ctrl-C in a terminal is for the parent, which then stops the child in its turn; and the
     * kernel shares the processors out between sessions first (olap_give_way). */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    posix_spawnattr_setsigmask(&attributes, &none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int failed = posix_spawn(&olap->pid, "/proc/self/exe", &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    if (failed) {
        close(ends[1]);
        olap->pid = 0;
        return error_errno(err, ERR_IO, failed, "start the engine's process");
    }
    olap->alive_fd = ends[1];
    olap->nice = 0;
    return OK;
}

static void start_child(struct olap *olap, struct world *world)
{
    struct error err;
    olap->started_us = world_mono_us(world);
    olap->ready_before = olap->ever_ready;
    olap->next_ping_us = olap->started_us;
    if (spawn(olap, &err) == OK) {
        atomic_store(&olap->state, OLAP_STARTING);
        return;
    }
    log_error("olap.spawn_failed", "%s", err.text);
    olap->start_at_us = retry_next_us(&olap->retry, world);
    atomic_store(&olap->state, OLAP_WAITING);
}

/* Told once to whoever reads olap_failure: the words of the child itself are on standard error already. */
static void child_ended(struct olap *olap, struct world *world, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
    ping_close(olap);
    close(olap->alive_fd);
    olap->alive_fd = -1;
    olap->pid = 0;
    if (WIFSIGNALED(status))
        error_set(&olap->words, ERR_RETRY, "the engine's process was ended by signal %d%s", WTERMSIG(status),
                  WTERMSIG(status) == SIGKILL ? " (out of memory? then lower olap.memory)" : "");
    else
        error_set(&olap->words, ERR_RETRY, "the engine's process ended with code %d; it says why above (olap.failed)",
                  code);
    atomic_store(&olap->failure_code, code);
    if (atomic_load(&olap->state) == OLAP_READY && world_mono_us(world) - olap->started_us > STEADY_US)
        retry_reset(&olap->retry);
    bool hopeless = code == EX_UNAVAILABLE || code == EX_CONFIG || code == EX_NOPERM || code == EX_USAGE ||
                    code == EX_CANTCREAT || (code == EX_TEMPFAIL && olap->retry.attempts == 0);
    /* Such a child never served: whoever answered its ping has its port. */
    if (hopeless)
        olap->ever_ready = olap->ready_before;
    if (hopeless && !olap->ever_ready) {
        atomic_store(&olap->state, OLAP_FAILED);
        log_error("olap.down", "%s; not started again", olap->words.text);
        return;
    }
    olap->start_at_us = retry_next_us(&olap->retry, world);
    atomic_store(&olap->state, OLAP_WAITING);
    log_warn("olap.died", "%s; the journal keeps what comes in, next start in %lld ms", olap->words.text,
             (long long)(olap->start_at_us - world_mono_us(world)) / 1000);
}

/* Nothing here waits: a listener whose queue is full lets a connection hang for minutes, on loopback too. */
static void ping_begin(struct olap *olap, int64_t now_us)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(olap->options.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    olap->next_ping_us = now_us + PING_EVERY_US;
    olap->ping_sent_us = now_us;
    olap->ping_said = false;
    olap->ping_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (olap->ping_fd < 0)
        return;
    if (connect(olap->ping_fd, (const struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        ping_close(olap);
}

/* The question, once there is a connection, then the answer. */
static void ping_go_on(struct olap *olap, int64_t now_us)
{
    static const char REQUEST[] = "GET /ping HTTP/1.0\r\nHost: localhost\r\n\r\n";
    char answer[64];
    ssize_t n = 0;
    if (!olap->ping_said) {
        n = send(olap->ping_fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL);
        olap->ping_said = n > 0;
    }
    if (olap->ping_said)
        n = recv(olap->ping_fd, answer, sizeof answer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR) && now_us - olap->ping_sent_us < PING_TIMEOUT_US)
        return;
    ping_close(olap);
    if (n < 12 || memcmp(answer, "HTTP/1.", 7) != 0 || memcmp(answer + 8, " 200", 4) != 0)
        return;
    olap->ever_ready = true;
    atomic_store(&olap->state, OLAP_READY);
    log_info("olap.ready", "ms=%lld pid=%d", (long long)(now_us - olap->started_us) / 1000, (int)olap->pid);
}

static void step_starting(struct olap *olap, int64_t now_us, int64_t *wake_us)
{
    if (olap->ping_fd < 0 && now_us >= olap->next_ping_us)
        ping_begin(olap, now_us);
    if (olap->ping_fd >= 0)
        ping_go_on(olap, now_us);
    if (now_us - olap->started_us > START_TIMEOUT_US)
        kill(olap->pid, SIGKILL); /* it hangs; its end is seen by the next step */
    *wake_us = now_us + (olap->ping_fd >= 0 ? 1000 : PING_EVERY_US);
}

bool olap_step(void *self, struct world *world, int64_t *wake_us)
{
    struct olap *olap = self;
    int status = 0;
    pid_t ended = olap->pid > 0 ? waitpid(olap->pid, &status, WNOHANG) : 0;
    if (ended > 0 || (ended < 0 && errno == ECHILD)) /* ECHILD: somebody else took its status */
        child_ended(olap, world, status);
    int64_t now_us = world_mono_us(world);
    switch ((enum olap_state)atomic_load(&olap->state)) {
    case OLAP_STARTING:
        step_starting(olap, now_us, wake_us);
        break;
    case OLAP_READY:
        *wake_us = now_us + LOOK_EVERY_US;
        break;
    case OLAP_WAITING:
        if (now_us >= olap->start_at_us) {
            atomic_fetch_add(&olap->restarts, 1);
            start_child(olap, world);
            return true;
        }
        *wake_us = olap->start_at_us;
        break;
    case OLAP_FAILED:
    case OLAP_STOPPED:
        break;
    }
    return false;
}

enum status olap_start(const struct olap_options *options, struct world *world, struct olap **out, struct error *err)
{
    struct olap *olap = calloc(1, sizeof *olap);
    if (!olap)
        return error_set(err, ERR_IO, "no memory for the engine's supervisor");
    olap->options = *options;
    olap->alive_fd = olap->ping_fd = -1;
    olap->retry = (struct retry){ .first_ms = 100, .most_ms = 10000 };
    if (!olap->options.memory_mb)
        olap->options.memory_mb = OLAP_MEMORY_MB_DEFAULT;
    if (!olap->options.reader_slots)
        olap->options.reader_slots = OLAP_SLOTS_DEFAULT;
    if (!olap->options.stop_ms)
        olap->options.stop_ms = 3000;
    snprintf(olap->data_dir, sizeof olap->data_dir, "%s", options->data_dir);
    enum status s = olap_find_library(options->library, olap->library, err);
    if (s != OK) {
        free(olap);
        return s;
    }
    start_child(olap, world);
    *out = olap;
    return OK;
}

enum olap_state olap_state(const struct olap *olap)
{
    return (enum olap_state)atomic_load(&olap->state);
}

uint64_t olap_restarts(const struct olap *olap)
{
    return atomic_load(&olap->restarts);
}

int olap_failure(const struct olap *olap, struct error *out_words)
{
    int code = atomic_load(&olap->failure_code);
    *out_words = code ? olap->words : (struct error){ .text = "" };
    return code;
}

void olap_give_way(struct olap *olap, int nice)
{
    char path[64], text[8];
    if (olap->pid <= 0 || nice == olap->nice)
        return;
    snprintf(path, sizeof path, "/proc/%d/autogroup", (int)olap->pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    int n = snprintf(text, sizeof text, "%d", nice);
    if (write(fd, text, (size_t)n) == n) /* else later: the kernel takes no more than ten a second */
        olap->nice = nice;
    close(fd);
}

void olap_stop(struct olap *olap)
{
    if (!olap)
        return;
    atomic_store(&olap->state, OLAP_STOPPED);
    if (olap->pid > 0) {
        int status;
        bool ended = false;
        kill(olap->pid, SIGTERM);
        for (uint32_t waited_ms = 0; !ended && waited_ms < olap->options.stop_ms; waited_ms += 10) {
            ended = waitpid(olap->pid, &status, WNOHANG) != 0;
            if (!ended)
                poll(NULL, 0, 10);
        }
        if (!ended) {
            kill(olap->pid, SIGKILL);
            waitpid(olap->pid, &status, 0);
        }
    }
    ping_close(olap);
    if (olap->alive_fd >= 0)
        close(olap->alive_fd);
    free(olap);
}
