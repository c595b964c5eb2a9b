#include "test/support/http_fixture.h"

static void test_what_could_smuggle_a_request_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status;
    } CASES[] = {
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 4, 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: +4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: -4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length : 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST " Content-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\nContent-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\rContent-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\r\rContent-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "400" },
        { "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
          "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n X: a\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST HOST "\r\n", "400" },
        { "GET / HTTP/1.0\r\n" HOST HOST "\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: evil@a\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST "\x80: a\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST "nocolon\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", "400" },
        { "GET /\r\n\r\n", "400" },
        { "GET / HTTP/1.1\n" HOST "\n", "400" },
        { "GET  / HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET /a b HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET /\xff HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET /a#b HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET a HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET http:// HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET / HTTP/0.9\r\n" HOST "\r\n", "505" },
        { "GET / HTTP/2.0\r\n" HOST "\r\n", "505" },
        { "GET / HTTP/1.2\r\n" HOST "\r\n", "505" },
        { "GET / HTTX/1.1\r\n" HOST "\r\n", "400" },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400" },
        { "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", "501" },
        { "BREW / HTTP/1.1\r\n" HOST "\r\n", "501" },
        { "get / HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "\x16\x03\x01\x02", "400" },
        { "{\"event\":1}\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Expect: 200-maybe\r\nContent-Length: 1\r\n\r\na", "417" },
    };
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char *heard = http_client_ask(f, CASES[i].request);
        char wanted[64];
        snprintf(wanted, sizeof wanted, "HTTP/1.1 %s ", CASES[i].status);
        if (strncmp(heard, wanted, strlen(wanted)) != 0)
            fail_msg("case %zu '%s': '%.200s' is not %s", i, CASES[i].request, heard, CASES[i].status);
        assert_contains(heard, "\r\nConnection: close\r\n");
        assert_contains(heard, "{\"code\":\"");
        assert_null(strstr(heard, "}HTTP/1.1")); /* nothing behind it was taken for a request */
    }
    assert_int_equal(f->handled, 0);
    http_fixture_finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_could_smuggle_a_request_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
