/* An HTTP server for tests that answers every request with what it was told to say, one request a connection, on a
 * thread of its own: for the answers that a real server gives on its bad days alone. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

struct answer_server {
    int fd;
    pthread_t thread;
    char url[64];
    _Atomic(const char *) answer; /* the status line's rest, a line break, the body */
    _Atomic unsigned asked;
};

void answer_server_start(struct answer_server *server);
void answer_server_stop(struct answer_server *server);
