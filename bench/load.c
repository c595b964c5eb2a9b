/* A load generator for the ingestion endpoint: one thread, epoll, keep-alive connections, every event with an id of its
 * own (a counter patched into a prepared body), so that nothing is a repeat. As little work per request as it can,
 * since it shares the machine with what it measures.
 *
 *   load --port P [--path /track] [--batch 100] [--bytes 300] [--connections 16] [--seconds 10] [--rate EVENTS_PER_S]
 * [--key K] [--tenant T] [--tag TEXT] [--with MEMBERS]     --tag begins every event id; --with: more members of each
 * event's properties, '"n":1'; they count in --bytes
 * Prints one JSON object: requests, events, seconds, rates, latency percentiles, answers that were not 200. */
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define ID_DIGITS 12
#define BUCKETS 20000 /* latency: 10 µs wide */

struct connection {
    int fd;
    char *request; /* this connection's own copy: head and body, ids patched in place */
    size_t sent, answer_bytes;
    int64_t began_us;
    bool busy;
    char answer[4096];
};

static struct {
    int port, batch, bytes, connections, seconds;
    double rate;
    const char *path, *key, *tenant, *tag, *members;
} options = { 8000, 100, 300, 16, 10, 0, "/track", "", "demo_tenant", "b", "" };

static size_t request_bytes, *id_offsets;
static char *request_template;
static uint64_t next_id = 1;
static uint64_t latency[BUCKETS + 1], answered, failed;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void make_template(void)
{
    size_t body_max = (size_t)options.batch * ((size_t)options.bytes + strlen(options.members) + 400) + 64, n = 0;
    char *body = malloc(body_max), head[512];
    size_t *in_body = malloc(sizeof *in_body * (size_t)options.batch);
    id_offsets = malloc(sizeof *id_offsets * (size_t)options.batch);
    if (options.batch > 1)
        body[n++] = '[';
    for (int i = 0; i < options.batch; i++) {
        size_t start = n;
        n += (size_t)sprintf(body + n, "{\"event_id\":\"%s-", options.tag);
        in_body[i] = n;
        n += (size_t)sprintf(body + n, "%0*d\",", ID_DIGITS, 0);
        if (options.tenant[0])
            n += (size_t)sprintf(body + n, "\"customer_id\":\"%s\",", options.tenant);
        n += (size_t)sprintf(body + n,
                             "\"visitor_id\":\"vid_%06x\",\"session_id\":\"sess_%06x\",\"event_type\":\"%s\",\"event_"
                             "name\":\"Home viewed\","
                             "\"properties\":{\"page\":\"/p/%d\",\"title\":\"Home\",%s%s\"pad\":\"",
                             i * 7919 % 10007, i * 31 % 5003, i % 7 ? "page_view" : "click", i % 50, options.members,
                             options.members[0] ? "," : "");
        size_t tail = strlen("\"}}");
        while (n - start + tail < (size_t)options.bytes)
            body[n++] = 'x';
        n += (size_t)sprintf(body + n, "\"}}%s", i + 1 < options.batch ? "," : "");
    }
    if (options.batch > 1)
        body[n++] = ']';
    char authorization[256] = "";
    if (options.key[0])
        snprintf(authorization, sizeof authorization, "X-Write-Key: %s\r\n", options.key);
    int head_bytes = snprintf(
        head, sizeof head,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
        options.path, authorization, n);
    request_bytes = (size_t)head_bytes + n;
    request_template = malloc(request_bytes);
    memcpy(request_template, head, (size_t)head_bytes);
    memcpy(request_template + head_bytes, body, n);
    for (int i = 0; i < options.batch; i++)
        id_offsets[i] = (size_t)head_bytes + in_body[i];
    free(body);
    free(in_body);
}

static void begin(struct connection *c)
{
    for (int i = 0; i < options.batch; i++) {
        uint64_t id = next_id++;
        char *to = c->request + id_offsets[i];
        for (int digit = ID_DIGITS - 1; digit >= 0; digit--, id /= 10)
            to[digit] = (char)('0' + id % 10);
    }
    c->sent = 0;
    c->answer_bytes = 0;
    c->busy = true;
    c->began_us = now_us();
}

static void push(struct connection *c)
{
    while (c->sent < request_bytes) {
        ssize_t n = send(c->fd, c->request + c->sent, request_bytes - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            fprintf(stderr, "load: the connection was closed while sending: %s\n", strerror(errno));
            exit(1);
        }
        c->sent += (size_t)n;
    }
}

static void pull(struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->answer_bytes, sizeof c->answer - 1 - c->answer_bytes, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        fprintf(stderr, "load: the connection was closed: %s\n", n ? strerror(errno) : "by the server");
        exit(1);
    }
    c->answer_bytes += (size_t)n;
    c->answer[c->answer_bytes] = '\0';
    char *end = strstr(c->answer, "\r\n\r\n");
    if (!end)
        return;
    char *length = strcasestr(c->answer, "content-length:");
    size_t body = length ? strtoul(length + 15, NULL, 10) : 0;
    if (c->answer_bytes < (size_t)(end + 4 - c->answer) + body)
        return;
    int64_t us = now_us() - c->began_us;
    latency[us / 10 < BUCKETS ? us / 10 : BUCKETS]++;
    answered++;
    if (strncmp(c->answer, "HTTP/1.1 200", 12) != 0 || !strstr(end, "\"rejected\":0")) {
        if (failed++ < 3)
            fprintf(stderr, "load: %.200s\n", c->answer);
    }
    c->busy = false;
}

static double percentile_ms(double q)
{
    uint64_t seen = 0;
    for (int i = 0; i <= BUCKETS; i++)
        if ((seen += latency[i]) >= q * (double)answered && answered)
            return i / 100.0;
    return BUCKETS / 100.0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (!strcmp(name, "--port"))
            options.port = atoi(value);
        else if (!strcmp(name, "--path"))
            options.path = value;
        else if (!strcmp(name, "--batch"))
            options.batch = atoi(value);
        else if (!strcmp(name, "--bytes"))
            options.bytes = atoi(value);
        else if (!strcmp(name, "--connections"))
            options.connections = atoi(value);
        else if (!strcmp(name, "--seconds"))
            options.seconds = atoi(value);
        else if (!strcmp(name, "--rate"))
            options.rate = atof(value);
        else if (!strcmp(name, "--key"))
            options.key = value;
        else if (!strcmp(name, "--tenant"))
            options.tenant = value;
        else if (!strcmp(name, "--tag"))
            options.tag = value;
        else if (!strcmp(name, "--with"))
            options.members = value;
        else {
            fprintf(stderr, "load: no option %s\n", name);
            return 64;
        }
    }
    if (options.connections > CONNECTIONS_MAX || options.batch < 1) {
        fprintf(stderr, "load: at most %d connections\n", CONNECTIONS_MAX);
        return 64;
    }
    make_template();
    int poll = epoll_create1(0);
    struct connection *connections = calloc((size_t)options.connections, sizeof *connections);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)options.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int i = 0; i < options.connections; i++) {
        struct connection *c = &connections[i];
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) {
            perror("load: connect");
            return 1;
        }
        int one = 1;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        c->request = malloc(request_bytes);
        memcpy(c->request, request_template, request_bytes);
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
        epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
    }
    int64_t start = now_us(), end = start + options.seconds * 1000000LL, now = start;
    uint64_t begun = 0;
    while (now < end) {
        uint64_t due =
            options.rate > 0 ? (uint64_t)(options.rate * (double)(now - start) / 1e6 / options.batch) + 1 : UINT64_MAX;
        for (int i = 0; i < options.connections && begun < due; i++)
            if (!connections[i].busy) {
                begin(&connections[i]);
                begun++;
                push(&connections[i]);
            }
        struct epoll_event events[256];
        int n = epoll_wait(poll, events, 256, options.rate > 0 ? 1 : 100);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->busy && c->sent < request_bytes)
                push(c);
            if (events[i].events & EPOLLIN) {
                pull(c);
                if (!c->busy && options.rate <= 0) {
                    begin(c);
                    begun++;
                    push(c);
                }
            }
        }
        now = now_us();
    }
    double seconds = (double)(now - start) / 1e6;
    uint64_t timed = answered;
    /* What is still under way is waited for, so that the caller knows how many events were accepted. */
    for (int64_t limit = now + 10000000; now < limit; now = now_us()) {
        bool busy = false;
        for (int i = 0; i < options.connections; i++)
            busy |= connections[i].busy;
        if (!busy)
            break;
        struct epoll_event events[256];
        int n = epoll_wait(poll, events, 256, 100);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->busy && c->sent < request_bytes)
                push(c);
            if (events[i].events & EPOLLIN)
                pull(c);
        }
    }
    printf("{\"requests\":%lu,\"events\":%lu,\"accepted\":%lu,\"not_200\":%lu,\"seconds\":%.3f,\"requests_per_s\":%.0f,"
           "\"events_per_s\":%.0f,"
           "\"MB_per_s\":%.1f,\"p50_ms\":%.2f,\"p95_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
           timed, timed * (uint64_t)options.batch, (answered - failed) * (uint64_t)options.batch, failed, seconds,
           (double)timed / seconds, (double)timed * options.batch / seconds,
           (double)timed * (double)request_bytes / seconds / 1e6, percentile_ms(0.5), percentile_ms(0.95),
           percentile_ms(0.99), percentile_ms(1));
    return 0;
}
