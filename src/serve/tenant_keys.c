/* POST /v1/tenants/NAME/rotate and …/revoke: new keys for a tenant, and the end of old ones. Like every change of the
 * catalog on a worker, since the file is flushed to disk before the answer. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "serve/inside.h"

#define GRACE_DEFAULT_S 86400

struct key_change {
    struct job job; /* first: they are cast to each other */
    struct pending pending;
    struct serve *serve;
    struct http_exchange *exchange; /* NULL: the client went away; the change happens nevertheless */
    const char *actor;
    char id[TENANT_ID_MAX + 1];
    struct key_choice choice;
    bool rotate;
    /* The worker's: */
    bool ran;
    enum status status;
    struct tenant_keys keys;
    uint64_t ended;
    int64_t end_ms;
    struct error err;
};

/* On a worker's thread. */
static void change_run(struct job *job, struct store_http *http)
{
    (void)http;
    struct key_change *change = (struct key_change *)job;
    struct catalog *catalog = change->serve->catalog;
    struct slice id = slice_from(change->id);
    change->ran = true;
    change->end_ms = world_wall_ms(change->serve->world) + change->choice.grace_ms;
    change->status =
        change->rotate
            ? catalog->backend->keys_rotate(catalog, id, &change->choice, &change->keys, change->actor, &change->err)
            : catalog->backend->keys_revoke(catalog, id, &change->choice, &change->ended, change->actor, &change->err);
}

static void add_result(const struct key_change *change, struct buf *body)
{
    buf_add_char(body, '{');
    json_add_field(body, "tenant", slice_from(change->id));
    if (!change->rotate) {
        json_add_field_u64(body, "keys_ended", change->ended);
    } else {
        if (change->choice.write)
            json_add_field(body, "write_key", slice_from(change->keys.write_key));
        if (change->choice.read)
            json_add_field(body, "read_key", slice_from(change->keys.read_key));
        json_add_field_u64(body, "old_keys_end_ms", (uint64_t)change->end_ms);
        json_add_field_u64(body, "grace_seconds", (uint64_t)change->choice.grace_ms / 1000);
    }
    buf_add_char(body, '}');
}

static void change_done(struct job *job)
{
    struct key_change *change = (struct key_change *)job;
    AUTO(buf) struct buf body;
    buf_init(&body, 4096);
    if (change->exchange)
        http_set_context(change->exchange, NULL);
    if (change->exchange && !change->ran) {
        answer_error(change->serve, change->exchange, 503, "stopping", "weir is stopping", &ANSWER_PRIVATE);
    } else if (change->exchange && change->status == OK) {
        add_result(change, &body);
        answer_body(change->serve, change->exchange, 200, buf_slice(&body), &ANSWER_PRIVATE);
        sodium_memzero(body.p, body.n);
    } else if (change->exchange) {
        bool missing = change->status == ERR_NOT_FOUND;
        answer_error(change->serve, change->exchange, missing ? 404 : 503,
                     missing ? "no_such_tenant" : "catalog_unavailable", change->err.text,
                     &(struct answer_extra){ .retry_after_s = !missing });
    }
    sodium_memzero(&change->keys, sizeof change->keys);
    free(change);
}

static void change_gone(struct pending *pending)
{
    struct key_change *change = (struct key_change *)((char *)pending - offsetof(struct key_change, pending));
    change->exchange = NULL;
}

static bool read_flag(struct slice value, bool *out)
{
    *out = slice_equal(value, SLICE("true"));
    return *out || slice_equal(value, SLICE("false"));
}

/* {"write":true,"read":false,"grace_seconds":86400} or {…,"all":true}; every member may be left out. NULL: fine. */
static const char *read_choice(struct slice body, struct key_change *change)
{
    struct json_walk walk;
    uint64_t grace_s = GRACE_DEFAULT_S;
    if (slice_trim(body).n == 0)
        body = SLICE("{}");
    if (!json_is_whole(body) || *slice_trim(body).p != '{')
        return "the body is a JSON object such as {\"write\": true, \"read\": true}";
    json_walk_begin(&walk, body);
    while (json_walk_next(&walk)) {
        bool good = false;
        if (slice_equal(walk.name, SLICE("\"write\"")))
            good = read_flag(walk.value, &change->choice.write);
        else if (slice_equal(walk.name, SLICE("\"read\"")))
            good = read_flag(walk.value, &change->choice.read);
        else if (!change->rotate && slice_equal(walk.name, SLICE("\"all\"")))
            good = read_flag(walk.value, &change->choice.current_too);
        else if (change->rotate && slice_equal(walk.name, SLICE("\"grace_seconds\"")))
            good = json_scan_u64(walk.value, &grace_s) && grace_s <= KEY_GRACE_MAX_MS / 1000;
        if (!good)
            return change->rotate ? "the fields are write and read (true or false), and grace_seconds (0 to 7776000)"
                                  : "the fields are write, read and all (true or false)";
    }
    if (!change->choice.write && !change->choice.read)
        change->choice.write = change->choice.read = true;
    change->choice.grace_ms = change->rotate ? (int64_t)grace_s * 1000 : 0;
    return NULL;
}

void tenants_change_keys(struct serve *serve, struct http_exchange *exchange, struct slice id, bool rotate)
{
    const char *actor;
    if (!access_admin(serve, exchange, &actor))
        return;
    struct key_change *change = calloc(1, sizeof *change);
    if (!change) {
        answer_error(serve, exchange, 503, "busy", "out of memory", &(struct answer_extra){ .retry_after_s = 1 });
        return;
    }
    *change = (struct key_change){
        .job = { .run = change_run, .done = change_done },
        .pending.gone = change_gone,
        .serve = serve,
        .exchange = exchange,
        .actor = actor,
        .rotate = rotate,
    };
    const char *wrong = read_choice(http_body(exchange), change);
    if (id.n > TENANT_ID_MAX)
        wrong = "there is no tenant of that name: weir tenant list shows them";
    if (wrong) {
        answer_error(serve, exchange, 400, "bad_request", wrong, &ANSWER_PRIVATE);
        free(change);
        return;
    }
    memcpy(change->id, id.p, id.n);
    http_set_context(exchange, &change->pending);
    if (workers_submit(serve->workers, &change->job) == OK)
        return;
    http_set_context(exchange, NULL);
    answer_error(serve, exchange, 503, "busy", "too much waits already: try again in a moment",
                 &(struct answer_extra){ .retry_after_s = 1 });
    free(change);
}
