/* What the other end may answer, from a server that says what it was told to: each answer is the record's fault (a dead
 * letter), trouble that passes (again), or somebody's to mend; never a crash. */
#include "registry/registry.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "world/world.h"

#define GOOD "{\"schema\":\"\\\"long\\\"\"}"

static struct {
    int fd;
    pthread_t thread;
    char url[64];
    _Atomic(const char *) answer; /* status line's rest, a line break, the body */
    _Atomic unsigned asked;
} t;

static void answer_one(int fd)
{
    char request[4096], head[256];
    size_t n = 0;
    while (n < sizeof request - 1) {
        ssize_t got = read(fd, request + n, sizeof request - 1 - n);
        if (got <= 0)
            return;
        n += (size_t)got;
        request[n] = '\0';
        if (strstr(request, "\r\n\r\n"))
            break;
    }
    t.asked++;
    const char *answer = t.answer, *body = strchr(answer, '\n') + 1;
    int head_n = snprintf(head, sizeof head, "HTTP/1.1 %.*s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                          (int)(body - answer - 1), answer, strlen(body));
    if (write(fd, head, (size_t)head_n) == head_n && write(fd, body, strlen(body)) < 0)
        abort();
}

static void *serve(void *self)
{
    (void)self;
    for (int fd; (fd = accept(t.fd, NULL, NULL)) >= 0; close(fd))
        answer_one(fd);
    return NULL;
}

static int setup(void **state)
{
    (void)state;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof address;
    t.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t.fd < 0 || bind(t.fd, (struct sockaddr *)&address, n) != 0 || listen(t.fd, 16) != 0 ||
        getsockname(t.fd, (struct sockaddr *)&address, &n) != 0)
        abort();
    snprintf(t.url, sizeof t.url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    return pthread_create(&t.thread, NULL, serve, NULL);
}

static int teardown(void **state)
{
    (void)state;
    shutdown(t.fd, SHUT_RDWR); /* ends the accept */
    pthread_join(t.thread, NULL);
    return close(t.fd);
}

static struct registry *open_registry(const char *url)
{
    struct registry *registry;
    struct error err;
    const struct registry_options options = { .url = url };
    assert_int_equal(registry_open(&options, world_real(), &registry, &err), OK);
    return registry;
}

static void expect(const char *answer, enum status status, const char *words)
{
    struct registry *registry = open_registry(t.url);
    const struct avro_schema *schema = NULL;
    struct error err = { 0 };
    t.answer = answer;
    enum status s = registry_schema(registry, 7, &schema, &err);
    if (s != status || !strstr(err.text, words))
        fail_msg("%s gives %d, %s", answer, s, err.text);
    assert_true((s == OK) == (schema != NULL));
    registry_close(registry);
}

static void test_only_the_registrys_own_word_makes_a_dead_letter(void **state)
{
    (void)state;
    expect("200 OK\n" GOOD, OK, "");
    expect("404 Not Found\n{\"error_code\":40403,\"message\":\"Schema 7 not found\"}", ERR_INVALID,
           "the registry has no schema 7");
    expect("200 OK\n{\"schema\":\"nonsense\"}", ERR_INVALID, "schema 7 of the registry: the schema is not Avro");
    expect("200 OK\n{\"schema\":7}", ERR_INVALID, "schema 7 of the registry");
    expect("200 OK\n{\"schemaType\":\"JSON\",\"schema\":\"{}\"}", ERR_INVALID, "is \"JSON\", not Avro");
}

static void test_the_answer_of_somebody_else_is_not_the_records_fault(void **state)
{
    (void)state;
    expect("404 Not Found\n<html>no such page</html>", ERR_IO, "check the address");
    expect("404 Not Found\n{\"error\":\"Not Found\"}", ERR_IO, "check the address");
    expect("200 OK\n<html>please log in</html>", ERR_IO, "check the address");
    expect("200 OK\n[]", ERR_IO, "check the address");
    expect("200 OK\n{\"schema\"", ERR_IO, "check the address");
    expect("200 OK\n", ERR_IO, "check the address");
    expect("204 No Content\n", ERR_IO, "check the address");
    expect("302 Found\n", ERR_IO, "");
    expect("401 Unauthorized\n", ERR_IO, "");
}

static void test_trouble_that_passes_is_waited_for(void **state)
{
    (void)state;
    struct error err;
    const struct avro_schema *schema;
    expect("503 Service Unavailable\n", ERR_RETRY, "");
    expect("429 Too Many Requests\n", ERR_RETRY, "");
    expect("500 Internal Server Error\n{\"error_code\":50001}", ERR_RETRY, "");
    expect("nothing of HTTP\n", ERR_RETRY, "");
    struct registry *nowhere = open_registry("http://registry.invalid:8081"); /* as when the name server is away */
    assert_int_equal(registry_schema(nowhere, 7, &schema, &err), ERR_RETRY);
    assert_non_null(strstr(err.text, "no such host"));
    registry_close(nowhere);
}

static void test_ids_that_nobody_knows_do_not_use_up_the_room(void **state)
{
    (void)state;
    struct registry *registry = open_registry(t.url);
    const struct avro_schema *first, *again;
    struct error err;
    t.answer = "200 OK\n" GOOD;
    assert_int_equal(registry_schema(registry, 1, &first, &err), OK);
    t.answer = "404 Not Found\n{\"error_code\":40403}";
    for (uint32_t id = 2; id < REGISTRY_SCHEMAS_MAX + 50; id++)
        assert_int_equal(registry_schema(registry, id, &again, &err), ERR_INVALID);
    unsigned asked = t.asked;
    assert_int_equal(registry_schema(registry, REGISTRY_SCHEMAS_MAX + 49, &again, &err), ERR_INVALID);
    assert_int_equal(t.asked, asked); /* just asked for */
    assert_int_equal(registry_schema(registry, 1, &again, &err), OK);
    assert_ptr_equal(first, again);
    assert_int_equal(t.asked, asked);
    registry_close(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_registrys_own_word_makes_a_dead_letter),
        cmocka_unit_test(test_the_answer_of_somebody_else_is_not_the_records_fault),
        cmocka_unit_test(test_trouble_that_passes_is_waited_for),
        cmocka_unit_test(test_ids_that_nobody_knows_do_not_use_up_the_room),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
