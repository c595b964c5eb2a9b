#include <openssl/err.h>
#include <openssl/ssl.h>

#include "test/support/http_fixture.h"
#include "test/support/scratch.h"

/* The certificate is made by the openssl command, as a person would. */
#define FILE_PATH_MAX (SCRATCH_PATH_MAX + 16)

static char directory[SCRATCH_PATH_MAX];
static char certificate[FILE_PATH_MAX], key[FILE_PATH_MAX], other_key[FILE_PATH_MAX], nonsense[FILE_PATH_MAX];

static int make_files(void **state)
{
    (void)state;
    char command[512];
    scratch_make("tls", directory);
    snprintf(certificate, sizeof certificate, "%s/cert.pem", directory);
    snprintf(key, sizeof key, "%s/key.pem", directory);
    snprintf(other_key, sizeof other_key, "%s/other.pem", directory);
    snprintf(nonsense, sizeof nonsense, "%s/nonsense.pem", directory);
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem "
             "-out cert.pem -days 2 -subj /CN=localhost 2>/dev/null && openssl ecparam -genkey -name prime256v1 "
             "-noout -out other.pem && echo nonsense > nonsense.pem",
             directory);
    return system(command);
}

static int remove_files(void **state)
{
    (void)state;
    return scratch_remove(directory);
}

struct tls_client {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

static struct tls_client tls_client(struct http_fixture *f, int version_max, const char *protocols)
{
    struct tls_client c = { SSL_CTX_new(TLS_client_method()), NULL, http_client(f) };
    assert_int_equal(SSL_CTX_load_verify_locations(c.context, certificate, NULL), 1);
    SSL_CTX_set_verify(c.context, SSL_VERIFY_PEER, NULL);
    if (version_max) {
        SSL_CTX_set_security_level(c.context, 0);
        SSL_CTX_set_min_proto_version(c.context, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(c.context, version_max);
    }
    c.ssl = SSL_new(c.context);
    SSL_set_fd(c.ssl, c.fd);
    if (protocols)
        SSL_set_alpn_protos(c.ssl, (const unsigned char *)protocols, (unsigned)strlen(protocols));
    return c;
}

static void tls_client_done(struct tls_client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->context);
    close(c->fd);
}

static void tls_say(struct tls_client *c, const char *bytes, size_t n)
{
    assert_int_equal(SSL_write(c->ssl, bytes, (int)n), (int)n);
}

static char *tls_hear(struct tls_client *c, const char *text)
{
    static char heard[8 << 20];
    size_t n = 0, length = text ? strlen(text) : 0;
    heard[0] = '\0';
    while (n < sizeof heard - 1) {
        int got = SSL_read(c->ssl, heard + n, text ? 1 : (int)(sizeof heard - 1 - n));
        if (got <= 0)
            break;
        n += (size_t)got;
        heard[n] = '\0';
        if (text && n >= length && memcmp(heard + n - length, text, length) == 0)
            break;
    }
    return heard;
}

static struct http_fixture *start_tls(void)
{
    struct http_server_options options = http_fixture_options();
    options.tls_certificate = certificate;
    options.tls_key = key;
    options.body_bytes_max = 4 << 20;
    return http_fixture_start(options);
}

static void test_requests_and_answers_pass_through_tls(void **state)
{
    (void)state;
    struct http_fixture *f = start_tls();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_client c = tls_client(f, version, "\x02h2\x08http/1.1");
        assert_int_equal(SSL_connect(c.ssl), 1);
        assert_int_equal(SSL_version(c.ssl), version);
        const unsigned char *protocol;
        unsigned protocol_bytes;
        SSL_get0_alpn_selected(c.ssl, &protocol, &protocol_bytes);
        assert_int_equal(protocol_bytes, 8);
        assert_memory_equal(protocol, "http/1.1", 8);
        const char *requests = "GET /one HTTP/1.1\r\n" HOST "\r\nGET /two HTTP/1.1\r\n" HOST "\r\n";
        tls_say(&c, requests, strlen(requests));
        char *heard = tls_hear(&c, "/two? x= 0:");
        assert_contains(heard, "GET /one? x= 0:HTTP/1.1 200 OK\r\n");
        static char body[3 << 20];
        memset(body, 'z', sizeof body - 1);
        char head[128];
        snprintf(head, sizeof head, "POST /big HTTP/1.1\r\n" HOST CLOSE "Content-Length: %zu\r\n\r\n", sizeof body - 1);
        tls_say(&c, head, strlen(head));
        tls_say(&c, body, sizeof body - 1);
        heard = tls_hear(&c, NULL);
        char *back = strstr(heard, "3145727:");
        assert_non_null(back);
        assert_string_equal(back + 8, body);
        /* The end is a goodbye in TLS, not a cut. */
        assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        tls_client_done(&c);
    }
    http_fixture_finish(f);
}

static void test_pipelined_deferred_requests_and_streams_pass_through_tls(void **state)
{
    (void)state;
    enum { REQUESTS = 150 };
    struct http_fixture *f = start_tls();
    struct tls_client c = tls_client(f, 0, NULL);
    assert_int_equal(SSL_connect(c.ssl), 1);
    AUTO(buf) struct buf all;
    buf_init(&all, 1 << 20);
    for (int i = 0; i < REQUESTS; i++)
        buf_add_text(&all, "GET /defer HTTP/1.1\r\n" HOST "\r\n");
    buf_add_text(&all, "GET /bye HTTP/1.1\r\n" HOST CLOSE "\r\n");
    tls_say(&c, all.p, all.n);
    unsigned answered = 0;
    while (answered < REQUESTS) {
        unsigned batch = REQUESTS - answered < 64 ? REQUESTS - answered : 64;
        assert_true(http_fixture_wait(f, &f->handled, answered + batch));
        http_fixture_on_loop(f, http_fixture_answer_reversed);
        char last[32];
        snprintf(last, sizeof last, "answer %u;", batch - 1);
        assert_contains(tls_hear(&c, last), "answer 0;");
        answered += batch;
    }
    assert_contains(tls_hear(&c, NULL), "GET /bye? ");
    tls_client_done(&c);
    http_fixture_finish(f);
}

static void test_a_client_that_says_goodbye_in_its_stream_is_gone(void **state)
{
    (void)state;
    struct http_fixture *f = start_tls();
    struct tls_client c = tls_client(f, 0, NULL);
    assert_int_equal(SSL_connect(c.ssl), 1);
    const char *request = "GET /stream HTTP/1.1\r\n" HOST "\r\n";
    tls_say(&c, request, strlen(request));
    tls_hear(&c, "chunked\r\n\r\n");
    SSL_shutdown(c.ssl);
    assert_true(http_fixture_wait(f, &f->gone, 1));
    tls_client_done(&c);
    http_fixture_finish(f);
}

static void test_what_is_not_tls_or_too_old_is_refused(void **state)
{
    (void)state;
    struct http_fixture *f = start_tls();
    char *heard = http_client_ask(f, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_starts(heard, "HTTP/1.1 400 Bad Request\r\n");
    assert_contains(heard, "this port speaks TLS: use https://");
    struct tls_client c = tls_client(f, TLS1_1_VERSION, NULL);
    assert_int_not_equal(SSL_connect(c.ssl), 1);
    tls_client_done(&c);
    int fd = http_client(f);
    http_client_put(fd, "\x16\x03\x01\x00\x05hello garbage", 18);
    assert_true(http_client_sees_close(fd, 5000));
    close(fd);
    fd = http_client(f);
    http_client_put(fd, "\x16\x03\x01", 3); /* and leaves in the middle of the handshake */
    close(fd);
    assert_true(http_fixture_metric(f, "http_refused_total{server=\"test\",reason=\"tls\"}") >= 3);
    assert_int_equal(f->handled, 0);
    http_fixture_finish(f);
}

static void test_a_handshake_that_dawdles_is_cut_off(void **state)
{
    (void)state;
    struct http_server_options options = http_fixture_options();
    options.tls_certificate = certificate;
    options.tls_key = key;
    options.head_timeout_ms = 100;
    struct http_fixture *f = http_fixture_start(options);
    int fd = http_client(f);
    http_client_put(fd, "\x16\x03\x01", 3);
    assert_true(http_client_sees_close(fd, 5000));
    close(fd);
    http_fixture_finish(f);
}

static void test_wrong_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *certificate, *key, *says;
    } CASES[] = {
        { "/no/such/cert.pem", key, "tls certificate /no/such/cert.pem: No such file or directory" },
        { nonsense, key, "nonsense.pem" },
        { certificate, "/no/such/key.pem", "tls key /no/such/key.pem: No such file or directory" },
        { certificate, nonsense, "nonsense.pem" },
        { certificate, other_key, "other.pem" },
        { certificate, NULL, "needs a key file" },
    };
    struct metrics *metrics = metrics_new(100);
    uv_loop_t loop;
    uv_loop_init(&loop);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct http_server_options options = http_fixture_options();
        struct http_server *server = NULL;
        struct error err;
        options.tls_certificate = CASES[i].certificate;
        options.tls_key = CASES[i].key;
        enum status s = http_server_start(&options, &loop, metrics, http_fixture_no_handler, http_fixture_no_handler,
                                          NULL, &server, &err);
        assert_int_equal(s, ERR_INVALID);
        assert_null(server);
        assert_contains(err.text, CASES[i].says);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_and_answers_pass_through_tls),
        cmocka_unit_test(test_pipelined_deferred_requests_and_streams_pass_through_tls),
        cmocka_unit_test(test_a_client_that_says_goodbye_in_its_stream_is_gone),
        cmocka_unit_test(test_what_is_not_tls_or_too_old_is_refused),
        cmocka_unit_test(test_a_handshake_that_dawdles_is_cut_off),
        cmocka_unit_test(test_wrong_files_are_named),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
