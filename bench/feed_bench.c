/* Many readers of the live feed at once: how long from the moment an event is sent until each of them has it. One
 * thread, epoll; the events go in one by one over a keep-alive connection, as a type of their own, whose count is
 * looked for in every reader's stream: every message has it, also when not every event is shown.
 *
 *   feed_bench --api-port P --ingest-port P --read-key K --write-key K [--listeners 1000] [--events 100] [--pause-ms
 * 100] Prints one JSON object: how many of the listeners × events were seen, latency percentiles, bytes each reader
 * took. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 100000
#define MARK "\"type\":\"feed_probe\",\"accepted\":" /* and a number */
#define MARK_BYTES (sizeof MARK - 1 + 8)
#define BUCKETS 100000 /* latency: 0.1 ms wide */
#define LAST_WAIT_US 5000000

struct listener {
    int fd;
    unsigned seen; /* how many events it knows of */
    size_t tail_n;
    char tail[MARK_BYTES]; /* end of what was read before: a mark may be cut */
};

static struct {
    unsigned api_port, ingest_port, listeners, events, pause_ms;
    const char *read_key, *write_key;
} options = { 8001, 8000, 1000, 100, 100, "demo_read", "demo_write" };

static int64_t sent_us[EVENTS_MAX + 1];
static uint64_t latency[BUCKETS + 1], seen_count, bytes_read;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void fail(const char *what)
{
    fprintf(stderr, "feed_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_to(unsigned port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void open_listener(struct listener *listener)
{
    char text[512];
    listener->fd = connect_to(options.api_port);
    int n = snprintf(text, sizeof text, "GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n",
                     options.read_key);
    if (write(listener->fd, text, (size_t)n) != n || read(listener->fd, text, 15) < 15 ||
        memcmp(text + 9, "200", 3) != 0) {
        fprintf(stderr, "feed_bench: a listener was refused: %.15s\n", text);
        exit(1);
    }
    fcntl(listener->fd, F_SETFL, O_NONBLOCK);
}

static void take_marks(struct listener *listener, const char *bytes, size_t n)
{
    int64_t now = now_us();
    const char *at = bytes, *end = bytes + n;
    while ((at = memmem(at, (size_t)(end - at), MARK, sizeof MARK - 1)) && at + MARK_BYTES <= end) {
        unsigned number = (unsigned)strtoul(at + sizeof MARK - 1, NULL, 10);
        at += sizeof MARK - 1;
        while (listener->seen < number && listener->seen < options.events) {
            int64_t us = now - sent_us[++listener->seen];
            latency[us / 100 < BUCKETS ? us / 100 : BUCKETS]++;
            seen_count++;
        }
    }
}

static void hear(struct listener *listener)
{
    static char buffer[MARK_BYTES + (256 << 10) + 1];
    for (;;) {
        memcpy(buffer, listener->tail, listener->tail_n);
        ssize_t got = read(listener->fd, buffer + listener->tail_n, sizeof buffer - 1 - MARK_BYTES);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            fail("a listener was cut off");
        size_t n = listener->tail_n + (size_t)got;
        buffer[n] = '\0';
        bytes_read += (size_t)got;
        take_marks(listener, buffer, n);
        listener->tail_n = n < MARK_BYTES - 1 ? n : MARK_BYTES - 1;
        memcpy(listener->tail, buffer + n - listener->tail_n, listener->tail_n);
    }
}

static void send_event(int fd, unsigned number)
{
    char body[256], text[768], answer[1024];
    int n = snprintf(body, sizeof body,
                     "{\"visitor_id\":\"feed\",\"event_type\":\"feed_probe\",\"event_name\":\"probe %u\"}", number);
    int all =
        snprintf(text, sizeof text,
                 "POST /track HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Write-Key: %s\r\nContent-Type: application/json\r\n"
                 "Content-Length: %d\r\n\r\n%s",
                 options.write_key, n, body);
    sent_us[number] = now_us();
    if (write(fd, text, (size_t)all) != all)
        fail("send an event");
    /* The answer is read with the next one: it may not hold up the readers. */
    while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
        ;
}

static double percentile_ms(double q)
{
    uint64_t seen = 0;
    for (int i = 0; i <= BUCKETS; i++)
        if ((seen += latency[i]) >= q * (double)seen_count && seen_count)
            return (i + 1) / 10.0;
    return BUCKETS / 10.0;
}

static void read_options(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        unsigned number = (unsigned)strtoul(value, NULL, 10);
        if (!strcmp(name, "--api-port"))
            options.api_port = number;
        else if (!strcmp(name, "--ingest-port"))
            options.ingest_port = number;
        else if (!strcmp(name, "--listeners"))
            options.listeners = number;
        else if (!strcmp(name, "--events"))
            options.events = number < EVENTS_MAX ? number : EVENTS_MAX;
        else if (!strcmp(name, "--pause-ms"))
            options.pause_ms = number;
        else if (!strcmp(name, "--read-key"))
            options.read_key = value;
        else if (!strcmp(name, "--write-key"))
            options.write_key = value;
        else
            fail(name);
    }
}

static void listen_and_send(struct listener *listeners, int epoll)
{
    int ingest = connect_to(options.ingest_port);
    unsigned sent = 0;
    int64_t next = now_us() + 1000000, end = INT64_MAX; /* a second for the first states */
    uint64_t wanted = (uint64_t)options.listeners * options.events;
    while (now_us() < end && seen_count < wanted) {
        struct epoll_event ready[256];
        int64_t wait = (next - now_us()) / 1000;
        int n = epoll_wait(epoll, ready, 256, wait < 0 ? 0 : wait > 50 ? 50 : (int)wait);
        for (int i = 0; i < n; i++)
            hear(ready[i].data.ptr);
        if (sent < options.events && now_us() >= next) {
            send_event(ingest, ++sent);
            next = now_us() + options.pause_ms * 1000LL;
            if (sent == options.events)
                end = now_us() + LAST_WAIT_US;
        }
    }
    close(ingest);
}

int main(int argc, char **argv)
{
    struct rlimit files = { 65536, 65536 };
    read_options(argc, argv);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct listener *listeners = calloc(options.listeners, sizeof *listeners);
    int epoll = epoll_create1(0);
    for (unsigned i = 0; i < options.listeners; i++) {
        open_listener(&listeners[i]);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &listeners[i] };
        epoll_ctl(epoll, EPOLL_CTL_ADD, listeners[i].fd, &event);
    }
    listen_and_send(listeners, epoll);
    printf(
        "{\"listeners\":%u,\"events\":%u,\"seen\":%lu,\"wanted\":%lu,\"p50_ms\":%.1f,\"p95_ms\":%.1f,\"p99_ms\":%.1f,"
        "\"max_ms\":%.1f,\"bytes_per_listener\":%lu}\n",
        options.listeners, options.events, seen_count, (uint64_t)options.listeners * options.events, percentile_ms(0.5),
        percentile_ms(0.95), percentile_ms(0.99), percentile_ms(1),
        bytes_read / (options.listeners ? options.listeners : 1));
    return 0;
}
