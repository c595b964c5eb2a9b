#include "test/support/answer_server.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The head and as much of a body as it announces: what is not read would reset the connection. */
static bool is_whole(const char *request, size_t n)
{
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    size_t body = length && end && length < end ? strtoul(length + 16, NULL, 10) : 0;
    return end && n >= (size_t)(end + 4 - request) + body;
}

static void answer_one(struct answer_server *server, int fd)
{
    char request[16384] = "", head[256];
    size_t n = 0;
    while (!is_whole(request, n)) {
        ssize_t got = n < sizeof request - 1 ? read(fd, request + n, sizeof request - 1 - n) : 0;
        if (got <= 0)
            return;
        n += (size_t)got;
        request[n] = '\0';
    }
    server->asked++;
    const char *answer = server->answer, *body = strchr(answer, '\n') + 1;
    int head_n = snprintf(head, sizeof head, "HTTP/1.1 %.*s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                          (int)(body - answer - 1), answer, strlen(body));
    if (write(fd, head, (size_t)head_n) == head_n && write(fd, body, strlen(body)) < 0)
        abort();
}

static void *serve(void *self)
{
    struct answer_server *server = self;
    for (int fd; (fd = accept(server->fd, NULL, NULL)) >= 0; close(fd))
        answer_one(server, fd);
    return NULL;
}

void answer_server_start(struct answer_server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof address;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, n) != 0 || listen(server->fd, 16) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &n) != 0)
        abort();
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    if (pthread_create(&server->thread, NULL, serve, server) != 0)
        abort();
}

void answer_server_stop(struct answer_server *server)
{
    shutdown(server->fd, SHUT_RDWR); /* ends the accept */
    pthread_join(server->thread, NULL);
    close(server->fd);
}
