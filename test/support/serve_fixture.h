/* The API (serve/serve.h) over real sockets, with a catalog of its own and the fake engine behind it; there is one
 * tenant, acme. One at a time. */
#pragma once
#include <stdatomic.h>

#include "base/test.h"
#include "catalog/catalog.h"
#include "serve/serve.h"
#include "test/support/fake_engine.h"
#include "test/support/scratch.h"

struct api {
    struct serve_options options; /* a test changes them, then api_again */
    struct serve *serve;
    struct catalog *catalog;
    struct metrics *metrics;
    struct tenant_keys acme;
    char url[64], token_path[SCRATCH_PATH_MAX + 16];
    char answer[1 << 16]; /* the last one */
    struct error err;
    atomic_bool ready; /* what the API is told of the engine */
    atomic_int mapped; /* tenants */
};
extern struct api api;

/* Around each test. */
int api_begin(void **state);
int api_end(void **state);
#define API_TEST(function) cmocka_unit_test_setup_teardown(function, api_begin, api_end)

/* Started again, with the options as they are now. */
void api_again(void);
/* The status; the body is in api.answer. key, header, body: NULL, there is none. */
unsigned api_request(const char *method, const char *path, const char *key, const char *header, const char *body);
/* A question of acme's. */
unsigned api_ask(const char *sql);
bool api_code_is(const char *code);
