/* /v1/tenants: make, show, list, change. The catalog's file is written with a flush to disk and the engine's user is
 * mapped over HTTP, so both happen on a worker; the answer comes when the new keys work everywhere: ingestion and
 * queries look the catalog's version up, and the engine knows the user. When the engine is away the tenant is made
 * nevertheless, because its keys can be shown only now; "queryable": false says that the mapping follows. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/log.h"
#include "serve/inside.h"

#define WORD_MAX 80

struct change {
    struct job job; /* first: they are cast to each other */
    struct pending pending;
    struct serve *serve;
    struct http_exchange *exchange; /* NULL: the client went away; the change happens nevertheless */
    const char *actor;
    struct tenant tenant;
    struct tenant_keys keys;
    bool create;
    bool set_tier, set_quota, set_retention;
    /* The worker's: */
    enum status status;
    bool ran, queryable;
    struct serve_user user;
    struct error err;
};

/* A member that is a string or a number, as text. False: not there. *bad: there, but neither. */
static bool read_word(struct slice body, const char *name, char *to, bool *bad)
{
    struct slice value;
    AUTO(buf) struct buf text;
    buf_init(&text, WORD_MAX - 1);
    if (!json_find(body, name, &value) || json_is_null(value))
        return false;
    if (value.p[0] != '"')
        buf_add_slice(&text, value);
    else if (!json_scan_string(value, &text))
        text.full = true;
    *bad = *bad || text.full || memchr(text.p ? text.p : "", '\0', text.n);
    memcpy(to, text.p ? text.p : "", text.n);
    to[text.n] = '\0';
    return true;
}

static const char *read_fields(struct slice body, struct change *change)
{
    char word[WORD_MAX];
    bool bad = false;
    if (read_word(body, "tier", word, &bad)) {
        change->set_tier = true;
        if (bad || !tenant_read_tier(slice_from(word), &change->tenant.tier))
            return "tier is \"standard\" or \"enterprise\"";
    }
    if (read_word(body, "quota", word, &bad) || read_word(body, "quota_per_minute", word, &bad)) {
        change->set_quota = true;
        if (bad || !tenant_read_quota(slice_from(word), &change->tenant.quota_per_minute))
            return "quota is a number of events a minute such as 5000 or \"5000/min\", \"unlimited\" or \"default\"";
    }
    if (read_word(body, "retention", word, &bad) || read_word(body, "retention_days", word, &bad)) {
        change->set_retention = true;
        if (bad || !tenant_read_retention(slice_from(word), &change->tenant.retention_days))
            return "retention is a number of days from 1 to 36500, \"unlimited\" or \"default\"";
    }
    return NULL;
}

/* Only `tenant`, `tier`, `quota`, `retention` mean something: a misspelt one is told, not passed over. */
static const char *find_unknown(struct slice body, char *name, size_t size)
{
    static const char *const KNOWN[] = { "tenant", "tier", "quota", "quota_per_minute", "retention", "retention_days" };
    struct json_walk walk;
    json_walk_begin(&walk, body);
    while (json_walk_next(&walk)) {
        struct slice member = walk.object ? slice_of(walk.name.p + 1, walk.name.n - 2) : (struct slice){ 0 };
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(KNOWN); i++)
            known = known || slice_equal(member, slice_from(KNOWN[i]));
        if (!known) {
            snprintf(name, size, "there is no field '%.*s': use tenant, tier, quota, retention",
                     (int)(member.n < 40 ? member.n : 40), member.p);
            return name;
        }
    }
    return walk.bad || !walk.object || !json_is_whole(body) ? "the body is a JSON object such as {\"tenant\": \"acme\"}"
                                                            : NULL;
}

/* On a worker's thread. */
static void change_run(struct job *job, struct store_http *http)
{
    (void)http;
    struct change *change = (struct change *)job;
    struct serve *serve = change->serve;
    const struct catalog_backend *backend = serve->catalog->backend;
    change->ran = true;
    if (!change->create) {
        change->status = backend->tenant_update(serve->catalog, &change->tenant, change->actor, &change->err);
        return;
    }
    change->status =
        backend->tenant_create(serve->catalog, &change->tenant, &change->keys, change->actor, &change->err);
    if (change->status != OK)
        return;
    struct error err;
    if (serve->options.map_tenant && serve->options.map_tenant(serve->options.hook_self, &change->tenant, &err) == OK)
        change->queryable = true;
    else
        log_warn("api.tenant_not_mapped", "tenant=%s reason=\"%s\"", change->tenant.id,
                 serve->options.map_tenant ? err.text : "no engine");
    if (serve->options.reader)
        serve->options.reader(serve->options.hook_self, change->tenant.olap_slot, &change->user);
}

static void add_secrets(struct change *change, struct buf *body)
{
    json_add_field(body, "write_key", slice_from(change->keys.write_key));
    json_add_field(body, "read_key", slice_from(change->keys.read_key));
    if (change->user.name[0]) {
        json_add_field(body, "olap_user", slice_from(change->user.name));
        json_add_field(body, "olap_password", slice_from(change->user.password));
    }
    json_add_key(body, "queryable");
    buf_add_text(body, change->queryable ? "true" : "false");
}

static void answer_change(struct change *change)
{
    struct serve *serve = change->serve;
    AUTO(buf) struct buf body;
    buf_init(&body, 16 << 10);
    if (!change->ran) {
        answer_error(serve, change->exchange, 503, "stopping", "weir is stopping", &ANSWER_PRIVATE);
    } else if (change->status == OK) {
        tenant_add_json(&body, &change->tenant);
        if (change->create) {
            body.n--; /* the closing bracket */
            add_secrets(change, &body);
            buf_add_char(&body, '}');
        }
        answer_body(serve, change->exchange, change->create ? 201 : 200, buf_slice(&body), &ANSWER_PRIVATE);
        sodium_memzero(body.p, body.n);
    } else {
        bool exists = change->status == ERR_FULL && change->create;
        unsigned status = exists                            ? 409
                          : change->status == ERR_INVALID   ? 400
                          : change->status == ERR_NOT_FOUND ? 404
                                                            : 503;
        answer_error(serve, change->exchange, status,
                     exists          ? "tenant_exists"
                     : status == 400 ? "bad_tenant"
                     : status == 404 ? "no_such_tenant"
                                     : "catalog_unavailable",
                     change->err.text, &(struct answer_extra){ .retry_after_s = status == 503 });
    }
}

static void change_done(struct job *job)
{
    struct change *change = (struct change *)job;
    if (change->exchange) {
        http_set_context(change->exchange, NULL);
        answer_change(change);
    }
    sodium_memzero(&change->keys, sizeof change->keys);
    sodium_memzero(&change->user, sizeof change->user);
    free(change);
}

static void change_gone(struct pending *pending)
{
    struct change *change = (struct change *)((char *)pending - offsetof(struct change, pending));
    change->exchange = NULL;
}

static struct change *change_new(struct serve *serve, struct http_exchange *exchange, const char *actor)
{
    struct change *change = calloc(1, sizeof *change);
    if (!change) {
        answer_error(serve, exchange, 503, "busy", "out of memory", &(struct answer_extra){ .retry_after_s = 1 });
        return NULL;
    }
    change->job.run = change_run;
    change->job.done = change_done;
    change->pending.gone = change_gone;
    change->serve = serve;
    change->exchange = exchange;
    change->actor = actor;
    return change;
}

static void submit(struct change *change)
{
    http_set_context(change->exchange, &change->pending);
    if (workers_submit(change->serve->workers, &change->job) == OK)
        return;
    http_set_context(change->exchange, NULL);
    answer_error(change->serve, change->exchange, 503, "busy", "too much waits already: try again in a moment",
                 &(struct answer_extra){ .retry_after_s = 1 });
    free(change);
}

static void refuse(struct change *change, const char *message)
{
    answer_error(change->serve, change->exchange, 400, "bad_tenant", message, &ANSWER_PRIVATE);
    free(change);
}

void tenants_create(struct serve *serve, struct http_exchange *exchange)
{
    const char *actor, *wrong;
    char unknown[128], id[WORD_MAX] = "";
    bool bad = false;
    if (!access_admin(serve, exchange, &actor))
        return;
    struct change *change = change_new(serve, exchange, actor);
    if (!change)
        return;
    struct slice body = http_body(exchange);
    change->create = true;
    wrong = find_unknown(body, unknown, sizeof unknown);
    if (!wrong)
        wrong = read_fields(body, change);
    if (!wrong && (!read_word(body, "tenant", id, &bad) || bad))
        wrong = "the body needs the tenant's name: {\"tenant\": \"acme\"}";
    if (!wrong && tenant_id_check(slice_from(id), &change->err) != OK)
        wrong = change->err.text;
    if (wrong) {
        refuse(change, wrong);
        return;
    }
    snprintf(change->tenant.id, sizeof change->tenant.id, "%s", id);
    /* The large ones get partitions of their own: erasing them is dropping a partition. */
    if (change->tenant.tier == TIER_ENTERPRISE)
        snprintf(change->tenant.placement, sizeof change->tenant.placement, "%s", id);
    submit(change);
}

static const struct tenant *find_tenant(struct serve *serve, struct http_exchange *exchange, struct slice id)
{
    access_refresh(serve, true);
    const struct tenant *tenant = serve->directory ? directory_find(serve->directory, id) : NULL;
    if (!tenant)
        answer_error(serve, exchange, 404, "no_such_tenant",
                     "there is no tenant of that name: weir tenant list shows them", &ANSWER_PRIVATE);
    return tenant;
}

void tenants_update(struct serve *serve, struct http_exchange *exchange, struct slice id)
{
    const char *actor, *wrong;
    char unknown[128];
    if (!access_admin(serve, exchange, &actor))
        return;
    const struct tenant *tenant = find_tenant(serve, exchange, id);
    struct change *change = tenant ? change_new(serve, exchange, actor) : NULL;
    if (!change)
        return;
    struct slice body = http_body(exchange);
    change->tenant = *tenant;
    wrong = find_unknown(body, unknown, sizeof unknown);
    if (!wrong)
        wrong = read_fields(body, change);
    if (!wrong && !change->set_tier && !change->set_quota && !change->set_retention)
        wrong = "nothing to change: give tier, quota or retention";
    if (wrong)
        refuse(change, wrong);
    else
        submit(change);
}

void tenants_show(struct serve *serve, struct http_exchange *exchange, struct slice id)
{
    const char *actor;
    if (!access_admin(serve, exchange, &actor))
        return;
    const struct tenant *tenant = find_tenant(serve, exchange, id);
    if (!tenant)
        return;
    AUTO(buf) struct buf body;
    buf_init(&body, 4096);
    tenant_add_json(&body, tenant);
    answer_body(serve, exchange, 200, buf_slice(&body), &ANSWER_PRIVATE);
}

void tenants_list(struct serve *serve, struct http_exchange *exchange)
{
    const char *actor;
    if (!access_admin(serve, exchange, &actor))
        return;
    AUTO(buf) struct buf body;
    buf_init(&body, 64 << 20);
    access_refresh(serve, true);
    buf_add_text(&body, "{\"tenants\":[");
    for (size_t i = 0; serve->directory && i < directory_count(serve->directory); i++) {
        if (i)
            buf_add_char(&body, ',');
        tenant_add_json(&body, directory_at(serve->directory, i));
    }
    buf_add_text(&body, "]}");
    answer_body(serve, exchange, 200, buf_slice(&body), &ANSWER_PRIVATE);
}
