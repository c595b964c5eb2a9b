/* Listening, accepting, draining. The socket is made, bound and set listening here, before libuv sees it, so that a
 * port that is taken is known at start and named; and accepted from here, since libuv's own way closes connections
 * without a word when file descriptors run out. Then we stop accepting (clients wait in the kernel's queue, the loop
 * does not spin) until a connection closes or the next sweep, and say so once a while. Too many connections: some hear
 * a 503, the rest are cut. What handlers and time-outs left to do is done right before and right after the loop sleeps.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_internal.h"

enum { BACKLOG = 1024, ACCEPTS_AT_ONCE = 64, DRAIN_SWEEP_MS = 50 };

static void settle_dirty(struct http_server *server)
{
    while (server->dirty) {
        struct http_connection *connection = server->dirty;
        server->dirty = connection->next_dirty;
        connection->dirty = false;
        http_connection_settle(connection);
    }
}

static void on_before_poll(uv_prepare_t *prepare)
{
    settle_dirty(prepare->data);
}

static void on_after_poll(uv_check_t *check)
{
    settle_dirty(check->data);
}

static void accept_failed(struct http_server *server, int error)
{
    uint64_t skipped;
    server->accept_paused = true;
    uv_poll_stop(&server->listener);
    counter_add(server->refused[REFUSED_CONNECTIONS], 1);
    if (!log_limit_pass(&server->accept_limit, (int64_t)uv_now(server->loop) * 1000, 10 * 1000000, &skipped))
        return;
    log_error("http.accept_failed", "server=%s error=%s connections=%zu skipped=%lu: raise the limit of open files",
              server->options.name, strerror(error), server->connection_count, (unsigned long)skipped);
}

void http_server_accept(struct http_server *server, int fd, const struct sockaddr *peer)
{
    struct http_connection *connection = http_connection_new(server);
    if (!connection) {
        close(fd);
        return;
    }
    uv_tcp_init(server->loop, &connection->tcp);
    size_t served = server->connection_count - server->turned_away_count;
    connection->turned_away = served > server->options.connections_max;
    server->turned_away_count += connection->turned_away;
    bool cut = connection->turned_away && (server->tls_context || server->turned_away_count > HTTP_TURNED_AWAY_MAX);
    if (uv_tcp_open(&connection->tcp, fd) < 0) {
        close(fd);
        cut = true;
    }
    if (cut) {
        counter_add(server->refused[REFUSED_CONNECTIONS], 1);
        http_connection_close(connection);
    } else {
        http_connection_open(connection, peer);
    }
}

static void on_connections(uv_poll_t *listener, int status, int events)
{
    (void)status, (void)events;
    struct http_server *server = listener->data;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage peer = { 0 };
        socklen_t bytes = sizeof peer;
        int fd = accept4(server->listen_fd, (struct sockaddr *)&peer, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            http_server_accept(server, fd, (struct sockaddr *)&peer);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accept_failed(server, errno);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

void http_server_accept_again(struct http_server *server)
{
    if (!server->accept_paused || server->draining || server->stopped)
        return;
    server->accept_paused = false;
    uv_poll_start(&server->listener, UV_READABLE, on_connections);
}

static int listen_at(const struct addrinfo *address, bool reuse_port)
{
    int yes = 1, no = 0;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (reuse_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static enum status listen_failed(const struct http_server_options *options, int error, struct error *err)
{
    const char *option = options->port_option;
    if (error == EADDRINUSE)
        return error_set(err, ERR_FULL, "port %u at %s is taken (another weir?%s%s%s)", options->port, options->host,
                         option ? " `" : "", option ? option : "", option ? "` chooses another" : "");
    if (error == EACCES)
        return error_set(err, ERR_IO, "port %u at %s: not permitted (ports below 1024 need a privilege%s%s%s)",
                         options->port, options->host, option ? "; `" : "", option ? option : "",
                         option ? "` chooses another" : "");
    return error_errno(err, ERR_IO, error, "listen at %s port %u", options->host, options->port);
}

static enum status open_listener(const struct http_server_options *options, int *out_fd, struct error *err)
{
    char port[8];
    snprintf(port, sizeof port, "%u", options->port);
    struct addrinfo *found = NULL, hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    int failed = getaddrinfo(options->host, port, &hints, &found);
    if (failed)
        return error_set(err, ERR_INVALID, "listen at %s: %s (give an address of this machine, such as 127.0.0.1)",
                         options->host, gai_strerror(failed));
    /* A port that is shared could be shared with a stranger of the same user: the first makes sure that it is free. */
    int fd = 0;
    if (options->reuse_port && !options->reuse_port_joins && options->port) {
        fd = listen_at(found, false);
        if (fd >= 0)
            close(fd);
    }
    if (fd >= 0)
        fd = listen_at(found, options->reuse_port);
    freeaddrinfo(found);
    if (fd < 0)
        return listen_failed(options, -fd, err);
    *out_fd = fd;
    return OK;
}

/* Writing to a client that is gone must be an error and not the end of the process. */
static void ignore_sigpipe(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t bytes = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) < 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static void make_metrics(struct http_server *server, struct metrics *metrics)
{
    struct buf labels, name;
    buf_init(&labels, 256);
    buf_init(&name, 128);
    metrics_label(&name, "server", slice_from(server->options.name));
    for (unsigned class = 2; class <= 5; class ++) {
        buf_reset(&labels);
        buf_add_format(&labels, "%s,code=\"%uxx\"", buf_text(&name), class);
        server->requests[class] = metrics_counter(metrics, "http_requests_total",
                                                  "Requests answered, by class of status.", buf_text(&labels));
    }
    for (unsigned why = 0; why < REFUSED_KINDS; why++) {
        buf_reset(&labels);
        buf_add_format(&labels, "%s,reason=\"%s\"", buf_text(&name), http_refusal_name(why));
        server->refused[why] =
            metrics_counter(metrics, "http_refused_total", "Requests and connections that no handler saw, by reason.",
                            buf_text(&labels));
    }
    server->request_bytes = metrics_counter(metrics, "http_request_bytes_total",
                                            "Bytes of heads and bodies of whole requests.", buf_text(&name));
    server->connections_gauge = metrics_gauge(metrics, "http_connections", "Open connections.", buf_text(&name));
    buf_done(&labels);
    buf_done(&name);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    server->open_handles--;
    http_server_connection_closed(server);
}

static void begin_handles(struct http_server *server)
{
    uv_loop_t *loop = server->loop;
    uv_poll_init(loop, &server->listener, server->listen_fd);
    uv_timer_init(loop, &server->sweep);
    uv_prepare_init(loop, &server->before_poll);
    uv_check_init(loop, &server->after_poll);
    server->open_handles = 4;
    server->listener.data = server->sweep.data = server->before_poll.data = server->after_poll.data = server;
    uint64_t interval = http_limits_sweep_interval_ms(&server->options);
    uv_poll_start(&server->listener, UV_READABLE, on_connections);
    uv_timer_start(&server->sweep, http_limits_sweep, interval, interval);
    uv_prepare_start(&server->before_poll, on_before_poll);
    uv_check_start(&server->after_poll, on_after_poll);
    /* What keeps the loop alive is the listener and the connections. */
    uv_unref((uv_handle_t *)&server->sweep);
    uv_unref((uv_handle_t *)&server->before_poll);
    uv_unref((uv_handle_t *)&server->after_poll);
}

static void release(struct http_server *server)
{
    http_exchange_pool_free(server);
    http_tls_context_free(server->tls_context);
    free((char *)server->options.name);
    free((char *)server->options.host);
    free(server);
}

static struct http_server *server_new(const struct http_server_options *options)
{
    assert(options->name && options->host && options->connections_max && options->head_bytes_max);
    assert(options->head_timeout_ms > 0 && options->body_timeout_ms > 0);
    assert(options->idle_timeout_ms > 0 && options->answer_timeout_ms > 0);
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        abort();
    server->options = *options;
    server->options.name = strdup(options->name);
    server->options.host = strdup(options->host);
    server->options.tls_certificate = server->options.tls_key = server->options.port_option = NULL;
    if (!server->options.name || !server->options.host)
        abort();
    return server;
}

enum status http_server_start(const struct http_server_options *options, uv_loop_t *loop, struct metrics *metrics,
                              http_handler *handler, http_gone *gone, void *self, struct http_server **out,
                              struct error *err)
{
    assert(metrics && handler && gone);
    struct http_server *server = server_new(options);
    server->loop = loop;
    server->handler = handler;
    server->gone = gone;
    server->self = self;
    int fd = -1;
    enum status s = OK;
    if (options->tls_certificate)
        s = http_tls_context_new(options, &server->tls_context, err);
    if (s == OK)
        s = open_listener(options, &fd, err);
    if (s != OK) {
        release(server);
        return error_wrap(err, s, "http server %s", options->name);
    }
    ignore_sigpipe();
    server->listen_fd = fd;
    server->port = port_of(fd);
    make_metrics(server, metrics);
    begin_handles(server);
    server->listening = true;
    *out = server;
    return OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_connection_closed(struct http_server *server)
{
    http_server_accept_again(server);
    if (!server->draining || server->listening || server->connection_count || !server->on_drained)
        return;
    void (*on_drained)(void *self) = server->on_drained;
    server->on_drained = NULL;
    on_drained(server->drained_self);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    close(server->listen_fd);
    server->listening = false;
    on_handle_closed(handle);
}

static void close_listener(struct http_server *server)
{
    if (!uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, on_listener_closed);
}

void http_server_drain(struct http_server *server, void (*on_drained)(void *self), void *self)
{
    assert(!server->draining && !server->stopped);
    server->draining = true;
    server->on_drained = on_drained;
    server->drained_self = self;
    close_listener(server);
    uv_timer_start(&server->sweep, http_limits_sweep, DRAIN_SWEEP_MS, DRAIN_SWEEP_MS);
    uv_unref((uv_handle_t *)&server->sweep);
    for (struct http_connection *connection = server->connections; connection; connection = connection->next)
        http_connection_mark(connection); /* those that are idle end when they settle */
}

void http_server_stop(struct http_server *server)
{
    if (server->stopped)
        return;
    server->stopped = true;
    for (struct http_connection *connection = server->connections; connection; connection = connection->next)
        http_connection_close(connection);
    close_listener(server);
    uv_close((uv_handle_t *)&server->sweep, on_handle_closed);
    uv_close((uv_handle_t *)&server->before_poll, on_handle_closed);
    uv_close((uv_handle_t *)&server->after_poll, on_handle_closed);
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    assert(server->open_handles == 0 && server->connection_count == 0);
    release(server);
}
