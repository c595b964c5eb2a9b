#include "test/support/serve_fixture.h"

#include <stdio.h>

#include "base/metrics.h"
#include "http/http_client.h"
#include "world/world.h"

struct api api;
static char directory_path[SCRATCH_PATH_MAX];

static bool hook_ready(void *self)
{
    (void)self;
    return atomic_load(&api.ready);
}

static void hook_reader(void *self, uint32_t slot, struct serve_user *out)
{
    (void)self;
    snprintf(out->name, sizeof out->name, "reader_%04u", slot);
    snprintf(out->password, sizeof out->password, "p%u", slot);
}

static enum status hook_map(void *self, const struct tenant *tenant, struct error *e)
{
    (void)self, (void)tenant;
    if (!atomic_load(&api.ready))
        return error_set(e, ERR_RETRY, "away");
    atomic_fetch_add(&api.mapped, 1);
    return OK;
}

static void begin(void)
{
    if (serve_new(&api.options, api.catalog, api.metrics, world_real(), &api.serve, &api.err) != OK ||
        serve_start(api.serve, &api.err) != OK)
        fail_msg("%s", api.err.text);
    snprintf(api.url, sizeof api.url, "http://127.0.0.1:%u", serve_port(api.serve));
}

int api_begin(void **state)
{
    (void)state;
    atomic_store(&api.ready, true);
    atomic_store(&api.mapped, 0);
    scratch_make("serve", directory_path);
    snprintf(api.token_path, sizeof api.token_path, "%s/admin.token", directory_path);
    assert_int_equal(
        catalog_sqlite.open(&(struct catalog_options){ .path = directory_path }, world_real(), &api.catalog, &api.err),
        OK);
    struct tenant acme = { .id = "acme" };
    api.acme = (struct tenant_keys){ 0 };
    assert_int_equal(catalog_sqlite.tenant_create(api.catalog, &acme, &api.acme, "test", &api.err), OK);
    api.metrics = metrics_new(1000);
    fake_engine_start();
    serve_options_init(&api.options);
    api.options.http.port = 0;
    api.options.engine_url = fake_engine.url;
    api.options.admin_token_path = api.token_path;
    api.options.engine_is_ready = hook_ready;
    api.options.reader = hook_reader;
    api.options.map_tenant = hook_map;
    api.options.queries_max = 2;
    api.options.queries_per_tenant = 2;
    api.options.queries_waiting_max = 4;
    api.options.rows_max = 2;
    api.options.live_interval_ms = 5;
    api.options.drain_timeout_ms = 1000;
    begin();
    return 0;
}

int api_end(void **state)
{
    (void)state;
    serve_free(api.serve);
    api.serve = NULL;
    fake_engine_stop();
    metrics_free(api.metrics);
    catalog_sqlite.close(api.catalog);
    return scratch_remove(directory_path);
}

void api_again(void)
{
    serve_free(api.serve);
    begin();
}

/* --- asking --- */

unsigned api_request(const char *method, const char *path, const char *key, const char *header, const char *body)
{
    AUTO(http_client) struct http_client *client = NULL;
    struct http_client_options to = { .url = api.url, .key = key, .timeout_ms = 10000 };
    struct http_reply reply;
    assert_int_equal(http_client_open(&to, &client, &api.err), OK);
    if (http_client_send(client, method, path, NULL, body ? slice_from(body) : (struct slice){ 0 }, header, &reply,
                         &api.err) != OK)
        fail_msg("%s", api.err.text);
    snprintf(api.answer, sizeof api.answer, "%.*s", SLICE_ARG(reply.body));
    return reply.status;
}

unsigned api_ask(const char *sql)
{
    char body[512];
    snprintf(body, sizeof body, "{\"sql\": \"%s\"}", sql);
    return api_request("POST", "/v1/sql", api.acme.read_key, NULL, body);
}

bool api_code_is(const char *code)
{
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\"code\":\"%s\"", code);
    return strstr(api.answer, wanted) != NULL;
}
