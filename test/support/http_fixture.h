/* An HTTP server on a thread of its own, for tests that are its client with bare sockets. Its handler does what the
 * path says: /defer… keeps the exchange in `waiting`, /stream… begins a stream and keeps it, everything else is
 * answered at once with what was received. What crosses between the threads is guarded by the mutex. */
#pragma once
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "base/test.h"
#include "http/http_server.h"

struct http_fixture {
    uv_loop_t loop;
    uv_async_t call;
    struct metrics *metrics;
    struct http_server *server;
    struct http_server_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    void (*todo)(struct http_fixture *);
    struct http_exchange *waiting[1024]; /* in the order of arrival; NULL: gone or answered */
    size_t waiting_count;
    _Atomic unsigned handled, gone, drained;
    size_t number; /* for the test's own use within todo */
    uint16_t port;
};

struct http_server_options http_fixture_options(void);
struct http_fixture *http_fixture_start(struct http_server_options options);
/* Stops the server, waits for its thread, frees everything. */
void http_fixture_finish(struct http_fixture *f);
/* The two halves of it: the first is for http_fixture_on_loop. */
void http_fixture_stop(struct http_fixture *f);
void http_fixture_free(struct http_fixture *f);
/* A handler for servers that nobody will reach. */
void http_fixture_no_handler(void *self, struct http_exchange *exchange);
/* Runs it on the server's thread and waits for its end. */
void http_fixture_on_loop(struct http_fixture *f, void (*todo)(struct http_fixture *));
/* Waits until the counter (handled, gone, drained) is at least so much; false after ten seconds. */
bool http_fixture_wait(struct http_fixture *f, const _Atomic unsigned *what, unsigned at_least);
/* For http_fixture_on_loop: answers every waiting exchange "answer INDEX;", the youngest first. */
void http_fixture_answer_reversed(struct http_fixture *f);
/* The value behind the name in the metrics' text ("name{labels}"), or -1. */
double http_fixture_metric(struct http_fixture *f, const char *series);

/* A connected socket. */
int http_client(struct http_fixture *f);
void http_client_put(int fd, const char *bytes, size_t n);
void http_client_say(int fd, const char *text);
/* Everything until `text` was seen (NULL: until the other side closes) or ten seconds passed. Static memory. */
char *http_client_hear(int fd, const char *text);
/* True when the other side has closed (or reset) within the time; what comes before is thrown away. */
bool http_client_sees_close(int fd, int within_ms);
/* A connection of its own: sends the request, hears everything until the server closes. */
char *http_client_ask(struct http_fixture *f, const char *request);

#define CLOSE "Connection: close\r\n"
#define HOST "Host: localhost\r\n"
#define assert_contains(text, part)                                                                                    \
    do {                                                                                                               \
        const char *text_ = (text);                                                                                    \
        if (!strstr(text_, (part)))                                                                                    \
            fail_msg("'%s' is not in '%.600s'", (part), text_);                                                        \
    } while (0)
#define assert_starts(text, part)                                                                                      \
    do {                                                                                                               \
        const char *text_ = (text);                                                                                    \
        if (strncmp(text_, (part), strlen(part)) != 0)                                                                 \
            fail_msg("'%.600s' does not begin with '%s'", text_, (part));                                              \
    } while (0)
