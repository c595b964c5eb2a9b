/* TLS between the socket and the requests: OpenSSL sees two memory buffers, never the socket, so that reading, writing
 * and back-pressure are the same code for plain and TLS connections. TLS 1.2 and later, ALPN http/1.1.
 * When no request may be taken, records stay enciphered in `in` (at most one read, since reading stops). */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "http/http_internal.h"

struct http_tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    bool stopped;  /* the last pump ended because no request could be taken */
    bool broken;   /* nothing more can be read; what is in `out` (an alert) is still sent */
};

/* The first error is the cause, those behind it say in whose name. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_error();
    const char *text = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    return text ? text : "unreadable";
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *offered,
                           unsigned offered_n, void *self)
{
    (void)ssl, (void)self;
    static const unsigned char OURS[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_n, OURS, sizeof OURS - 1, offered, offered_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum status load_files(SSL_CTX *context, const struct http_server_options *options, struct error *err)
{
    ERR_clear_error();
    if (!options->tls_key)
        return error_set(err, ERR_INVALID, "tls: the certificate %s needs a key file beside it",
                         options->tls_certificate);
    if (SSL_CTX_use_certificate_chain_file(context, options->tls_certificate) != 1)
        return error_set(err, ERR_INVALID, "tls certificate %s: %s (it must be a readable PEM file)",
                         options->tls_certificate, reason());
    if (SSL_CTX_use_PrivateKey_file(context, options->tls_key, SSL_FILETYPE_PEM) != 1)
        return error_set(err, ERR_INVALID,
                         "tls key %s: %s (it must be a readable PEM file, the one that belongs to %s)",
                         options->tls_key, reason(), options->tls_certificate);
    if (SSL_CTX_check_private_key(context) != 1)
        return error_set(err, ERR_INVALID, "tls key %s does not belong to the certificate %s", options->tls_key,
                         options->tls_certificate);
    return OK;
}

enum status http_tls_context_new(const struct http_server_options *options, void **out, struct error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return error_set(err, ERR_FULL, "tls: out of memory");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    enum status s = load_files(context, options, err);
    if (s != OK) {
        SSL_CTX_free(context);
        return s;
    }
    *out = context;
    return OK;
}

void http_tls_context_free(void *context)
{
    SSL_CTX_free(context);
}

bool http_tls_open(struct http_connection *connection)
{
    struct http_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return false;
    tls->ssl = SSL_new(connection->server->tls_context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        SSL_free(tls->ssl);
        BIO_free(tls->in);
        BIO_free(tls->out);
        free(tls);
        return false;
    }
    BIO_set_mem_eof_return(tls->in, -1);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_accept_state(tls->ssl);
    connection->tls = tls;
    return true;
}

void http_tls_close(struct http_connection *connection)
{
    if (!connection->tls)
        return;
    SSL_free(connection->tls->ssl);
    free(connection->tls);
    connection->tls = NULL;
}

/* What OpenSSL wrote goes to the wire. */
static void collect(struct http_connection *connection)
{
    struct http_tls *tls = connection->tls;
    size_t pending = BIO_ctrl_pending(tls->out);
    if (pending == 0)
        return;
    char *to = buf_reserve(&connection->wire, pending);
    int n = to ? BIO_read(tls->out, to, (int)pending) : -1;
    if (n < 0) {
        connection->failed = true;
        return;
    }
    connection->wire.n += (size_t)n;
}

/* The client speaks plain HTTP to this port: say so in plain HTTP. */
static void answer_plain(struct http_connection *connection)
{
    http_tls_close(connection);
    buf_reset(&connection->wire);
    http_refuse(connection, REFUSED_TLS, "this port speaks TLS: use https://");
}

static void read_failed(struct http_connection *connection, int result)
{
    struct http_tls *tls = connection->tls;
    int error = SSL_get_error(tls->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return;
    tls->broken = true;
    connection->tls_ended = true;
    if (error == SSL_ERROR_ZERO_RETURN)
        return;
    bool plain = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
    if (plain && !SSL_is_init_finished(tls->ssl)) {
        connection->tls_ended = false;
        answer_plain(connection);
        return;
    }
    counter_add(connection->server->refused[REFUSED_TLS], 1);
}

void http_tls_pump(struct http_connection *connection)
{
    struct http_tls *tls = connection->tls;
    if (!tls->stopped || tls->broken)
        return;
    char *plain = connection->server->plain_buffer;
    while (connection->held.n == 0 && http_connection_may_parse(connection)) {
        ERR_clear_error();
        int n = SSL_read(tls->ssl, plain, HTTP_READ_BYTES);
        if (n > 0) {
            http_connection_receive(connection, plain, (size_t)n);
            continue;
        }
        tls->stopped = false;
        read_failed(connection, n);
        return;
    }
}

void http_tls_receive(struct http_connection *connection, const char *bytes, size_t n)
{
    struct http_tls *tls = connection->tls;
    if (tls->broken)
        return;
    if (BIO_write(tls->in, bytes, (int)n) != (int)n) {
        connection->failed = true;
        return;
    }
    tls->stopped = true;
    http_tls_pump(connection);
}

void http_tls_encipher(struct http_connection *connection)
{
    struct http_tls *tls = connection->tls;
    struct buf *out = &connection->out;
    if (out->n) {
        ERR_clear_error();
        if (SSL_write(tls->ssl, out->p, (int)out->n) != (int)out->n)
            connection->failed = true;
        buf_reset(out);
        if (out->capacity > HTTP_KEPT_BYTES)
            buf_done(out);
    }
    collect(connection);
}

void http_tls_say_goodbye(struct http_connection *connection)
{
    SSL *ssl = connection->tls->ssl;
    ERR_clear_error();
    if (!(SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN) && SSL_is_init_finished(ssl))
        SSL_shutdown(ssl);
    http_write_flush(connection);
}
