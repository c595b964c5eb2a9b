/* What the files of this folder share: the server, its connections, their exchanges. One loop's thread owns all of it.
 * http_server.c listens; http_connection.c owns a connection's life and the order of answers; http_head.c and
 * http_body.c read a request; http_exchange.c is what handlers call; http_write.c sends; http_limits.c refuses and
 * times out; http_tls.c is between socket and bytes. */
#pragma once
#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/http_server.h"

enum {
    HTTP_PIPELINE_MAX = 64,            /* requests of one connection that wait for their answers */
    HTTP_HEADERS_MAX = 100,            /* header lines of one request */
    HTTP_URI_BYTES_MAX = 8 * 1024,     /* 414 beyond */
    HTTP_READ_BYTES = 64 * 1024,       /* one read of a socket; the buffer is shared by all connections */
    HTTP_BODY_PADDING = 64,            /* readable bytes behind a body */
    HTTP_KEPT_BYTES = 64 * 1024,       /* a pooled exchange keeps buffers up to this size */
    HTTP_POOL_MAX = 256,               /* exchanges kept for the next requests */
    HTTP_BACKLOG_BYTES = 256 * 1024,   /* answers that the client has not taken: beyond it, its requests wait */
    HTTP_OUT_BYTES_MAX = 64 << 20,     /* a stream that piles up more than this loses its connection */
    HTTP_DISCARD_BYTES_MAX = 8 << 20,  /* read and thrown away after a refusal, so that the client sees the answer */
    HTTP_LINGER_MS = 2000,             /* … and for at most this long */
    HTTP_TURNED_AWAY_MAX = 64,         /* connections beyond connections_max that hear a 503; further ones are cut */
    HTTP_CHUNK_LINE_BYTES_MAX = 256,   /* a chunk's size with its extensions */
    HTTP_TRAILER_BYTES_MAX = 8 * 1024, /* read and dropped */
};

enum http_refusal {
    REFUSED_MALFORMED,
    REFUSED_VERSION,
    REFUSED_METHOD,
    REFUSED_CODING,
    REFUSED_EXPECTATION,
    REFUSED_HEAD,
    REFUSED_URI,
    REFUSED_BODY,
    REFUSED_TIMEOUT,
    REFUSED_MEMORY,
    REFUSED_CONNECTIONS,
    REFUSED_TLS,
    REFUSED_KINDS
};

enum exchange_state {
    EXCHANGE_FREE,      /* in the pool */
    EXCHANGE_INCOMING,  /* its request is being read */
    EXCHANGE_HANDLED,   /* the handler has it and owes an answer */
    EXCHANGE_STREAMING, /* the handler has it and writes to it */
    EXCHANGE_ANSWERED,  /* whole answer in `answer`, waiting for those before it */
};

struct http_header {
    struct slice name, value; /* in `head` */
};

/* Where the reading of a chunked body stands. */
struct chunked {
    unsigned char state; /* of http_body.c */
    unsigned line_bytes;
    uint64_t left; /* of this chunk */
};

struct http_exchange {
    struct http_connection *connection;
    struct http_exchange *next; /* the next request of this connection; or the next in the pool */
    enum exchange_state state;
    enum http_method method;
    bool close;        /* this answer is the last of its connection */
    bool old_protocol; /* HTTP/1.0 */
    bool keep_alive;   /* an HTTP/1.0 client asked for it: say so in the answer */
    bool head_only;    /* HEAD */
    bool chunked_answer;
    bool continue_due; /* waits for 100 Continue */
    struct slice path, query;
    void *context;

    char *head; /* request line and headers as they came, through the empty line */
    size_t head_bytes, head_capacity, line_start /* of the first line not yet checked */;
    unsigned header_count;

    char *body;
    size_t body_bytes, body_capacity /* without the padding */, body_counted /* in server->buffered_bytes */;
    uint64_t body_expected; /* Content-Length */
    struct chunked chunked;

    struct buf answer; /* what can't be sent yet because an earlier request is not answered */
    struct http_header headers[HTTP_HEADERS_MAX];
};

enum reading {
    READ_IDLE,    /* between requests */
    READ_HEAD,    /* of `incoming` */
    READ_BODY,    /* … with Content-Length */
    READ_CHUNKED, /* … chunked */
    READ_DISCARD, /* no further request is taken: what comes is thrown away */
};

struct http_connection {
    uv_tcp_t tcp;
    uv_write_t write;
    struct http_server *server;
    struct http_connection *next, *previous, *next_dirty;
    struct http_tls *tls; /* NULL: plain */
    enum reading state;
    bool dirty;       /* in server->dirty: has something to send or to resume */
    bool receiving;   /* within http_connection_receive: it will settle at its end */
    bool reading;     /* uv_read_start is in force */
    bool writing;     /* `write` is under way with `wire` */
    bool ended;       /* the client sends no more */
    bool failed;      /* the socket or a bound broke: to be closed at the next settle */
    bool finishing;   /* our side is shut; lingers until the client closes */
    bool closing;     /* uv_close was called */
    bool tls_ended;   /* the client said goodbye in TLS */
    bool turned_away; /* beyond connections_max */
    bool loopback;
    uint8_t address_bytes;
    char address[46];

    struct http_exchange *first, *last; /* in the order of the requests */
    struct http_exchange *incoming;     /* == last while a request is read */
    unsigned exchange_count;

    struct buf held; /* bytes that came while no request could be taken, from held_at on */
    size_t held_at;
    struct buf out;  /* to be sent */
    struct buf wire; /* being sent by `write`, from wire_at on; TLS: enciphered */
    size_t wire_at;
    size_t discarded_bytes;
    int64_t deadline_ms;  /* of the current state of reading; 0: none */
    int64_t stalled_ms;   /* since when the client takes nothing */
    size_t stalled_bytes; /* what was queued then */
};

struct http_server {
    struct http_server_options options; /* texts are copies */
    uv_loop_t *loop;
    uv_poll_t listener;
    int listen_fd;
    uint16_t port;
    bool accept_paused; /* no file descriptor was left: until one is free, or the next sweep */
    uv_timer_t sweep;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    unsigned open_handles;
    void *tls_context; /* SSL_CTX */
    http_handler *handler;
    http_gone *gone;
    void *self;
    void (*on_drained)(void *self);
    void *drained_self;
    bool draining, stopped, listening;

    struct http_connection *connections, *dirty;
    size_t connection_count, turned_away_count;
    struct http_exchange *pool;
    size_t pool_count;
    size_t buffered_bytes; /* capacity of all bodies in flight */
    struct log_limit accept_limit;

    struct counter *requests[6]; /* by the first digit of the status */
    struct counter *refused[REFUSED_KINDS];
    struct counter *request_bytes;
    struct gauge *connections_gauge;
    char read_buffer[HTTP_READ_BYTES], plain_buffer[HTTP_READ_BYTES];
};

/* http_server.c */
void http_server_connection_closed(struct http_server *server);
void http_server_accept_again(struct http_server *server);
/* Takes over a connected socket: served, turned away, or closed. */
void http_server_accept(struct http_server *server, int fd, const struct sockaddr *peer);

/* http_connection.c */
struct http_connection *http_connection_new(struct http_server *server); /* NULL: out of memory */
/* Begins to read from the socket in connection->tcp. */
void http_connection_open(struct http_connection *connection, const struct sockaddr *peer);
/* Bytes of requests, deciphered. Does not settle. */
void http_connection_receive(struct http_connection *connection, const char *bytes, size_t n);
/* Sends what can be sent, takes up what was held, closes what is over, starts or stops reading: after every event. */
void http_connection_settle(struct http_connection *connection);
/* Settles it before the loop sleeps. */
void http_connection_mark(struct http_connection *connection);
void http_connection_close(struct http_connection *connection);
/* incoming is whole: hands it to the handler. */
void http_connection_dispatch(struct http_connection *connection);
/* Answers whose turn has come are moved to `out`. */
void http_connection_advance(struct http_connection *connection);
bool http_connection_may_parse(const struct http_connection *connection);
/* incoming = a fresh exchange, last in the order; false: out of memory. */
MUST_CHECK bool http_connection_begin(struct http_connection *connection);

/* http_head.c, http_body.c: each takes bytes of `incoming` and returns how many; a refusal moves the connection on. */
size_t http_head_receive(struct http_connection *connection, const char *bytes, size_t n);
size_t http_body_receive(struct http_connection *connection, const char *bytes, size_t n);
size_t http_chunked_receive(struct http_connection *connection, const char *bytes, size_t n);
/* Room for the body's next bytes, at most what it still lacks; n is 0 when there is none. */
uv_buf_t http_body_space(struct http_exchange *exchange);

/* http_exchange.c */
struct http_exchange *http_exchange_take(struct http_server *server); /* NULL: out of memory */
void http_exchange_release(struct http_server *server, struct http_exchange *exchange);
void http_exchange_pool_free(struct http_server *server);

/* http_write.c */
void http_write_flush(struct http_connection *connection);
size_t http_write_pending(const struct http_connection *connection);

/* http_limits.c */
/* Answers in the turn of `incoming` (or of a new exchange) and lets nothing else come. message: NULL for the usual. */
void http_refuse(struct http_connection *connection, enum http_refusal why, const char *message);
const char *http_refusal_name(enum http_refusal why);
void http_limits_sweep(uv_timer_t *timer);
/* The deadline that goes with connection->state, from now on. */
void http_limits_restart(struct http_connection *connection);
uint64_t http_limits_sweep_interval_ms(const struct http_server_options *options);

/* http_tls.c */
MUST_CHECK enum status http_tls_context_new(const struct http_server_options *options, void **out, struct error *err);
void http_tls_context_free(void *context);
MUST_CHECK bool http_tls_open(struct http_connection *connection);
void http_tls_close(struct http_connection *connection);
void http_tls_receive(struct http_connection *connection, const char *bytes, size_t n);
/* Deciphers what was left because no request could be taken. */
void http_tls_pump(struct http_connection *connection);
/* out → wire. */
void http_tls_encipher(struct http_connection *connection);
void http_tls_say_goodbye(struct http_connection *connection);
