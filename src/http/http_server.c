/* Listening, accepting, draining. The socket is made, bound and set listening here, before libuv sees it, so that a
 * port that is taken is known at start and named. Too many connections: some hear a 503, the rest are cut; too few file
 * descriptors: libuv accepts and closes with one that it keeps for this, so that the loop does not spin, and we say so
 * once a while. What handlers and time-outs left to do is done right before and right after the loop sleeps. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_internal.h"

enum { BACKLOG = 1024, DRAIN_SWEEP_MS = 50 };

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

static void log_accept_failed(struct http_server *server, int status)
{
    uint64_t skipped;
    if (!log_limit_pass(&server->accept_limit, (int64_t)uv_now(server->loop) * 1000, 10 * 1000000, &skipped))
        return;
    log_error("http.accept_failed", "server=%s error=%s skipped=%lu connections=%zu: raise the limit of open files",
              server->options.name, uv_strerror(status), (unsigned long)skipped, server->connection_count);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_server *server = listener->data;
    if (status < 0) {
        counter_add(server->refused[REFUSED_CONNECTIONS], 1);
        log_accept_failed(server, status);
        return;
    }
    struct http_connection *connection = http_connection_new(server);
    if (!connection) {
        log_accept_failed(server, UV_ENOMEM);
        return;
    }
    uv_tcp_init(server->loop, &connection->tcp);
    size_t served = server->connection_count - server->turned_away_count;
    connection->turned_away = served > server->options.connections_max;
    server->turned_away_count += connection->turned_away;
    bool cut = connection->turned_away && (server->tls_context || server->turned_away_count > HTTP_TURNED_AWAY_MAX);
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) < 0 || cut) {
        counter_add(server->refused[REFUSED_CONNECTIONS], cut);
        http_connection_close(connection);
        return;
    }
    http_connection_open(connection);
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
    int fd = listen_at(found, options->reuse_port);
    freeaddrinfo(found);
    if (fd < 0)
        return listen_failed(options, -fd, err);
    *out_fd = fd;
    return OK;
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
    uv_tcp_init(loop, &server->listener);
    uv_timer_init(loop, &server->sweep);
    uv_prepare_init(loop, &server->before_poll);
    uv_check_init(loop, &server->after_poll);
    server->open_handles = 4;
    server->listener.data = server->sweep.data = server->before_poll.data = server->after_poll.data = server;
    uint64_t interval = http_limits_sweep_interval_ms(&server->options);
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
    make_metrics(server, metrics);
    begin_handles(server);
    /* The socket listens already: libuv only has to watch it, which takes nothing that could be lacking. */
    int failed = uv_tcp_open(&server->listener, fd);
    if (failed == 0)
        failed = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (failed) {
        log_error("http.listen_failed", "server=%s error=%s", server->options.name, uv_strerror(failed));
        abort();
    }
    server->listening = true;
    *out = server;
    return OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    struct sockaddr_storage address;
    int bytes = sizeof address;
    if (uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &bytes) < 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

void http_server_connection_closed(struct http_server *server)
{
    if (!server->draining || server->listening || server->connection_count || !server->on_drained)
        return;
    void (*on_drained)(void *self) = server->on_drained;
    server->on_drained = NULL;
    on_drained(server->drained_self);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
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
    for (struct http_connection *connection = server->connections; connection; connection = connection->next) {
        bool idle = connection->state == READ_IDLE && !connection->first && connection->held.n == 0;
        if (idle)
            connection->state = READ_DISCARD;
        http_connection_mark(connection);
    }
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
