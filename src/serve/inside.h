/* What the files of this folder share: the API's state and the request that is being answered. Owner: the API's loop;
 * everything here is used on its thread only, but for what a comment names otherwise. */
#pragma once
#include "base/buf.h"
#include "base/metrics.h"
#include "catalog/catalog.h"
#include "process/task_status.h"
#include "serve/live_board.h"
#include "serve/serve.h"
#include "serve/workers.h"
#include "world/world.h"

struct listener;

struct serve {
    struct serve_options options;
    struct catalog *catalog;
    struct metrics *metrics;
    struct world *world;
    uv_loop_t loop;
    struct http_server *http;
    uv_thread_t thread;
    bool started, stopped;
    uv_async_t stop_async, live_async; /* live_async stays open until serve_free: producers may still push */
    uv_timer_t drain_timer, feed_timer;
    struct workers *workers;

    struct directory *directory; /* of directory_version */
    uint64_t directory_version;
    int64_t directory_checked_us;
    bool has_token;
    unsigned char token_hash[32];

    struct queue *live_queue;
    struct live_board *board;
    struct listener *listeners;
    size_t listener_count;
    int64_t feed_quiet_until_us;     /* before then no listener may be told anything */
    uint64_t feed_directory_version; /* whose keys the listeners were found to hold */

    struct histogram *sql_seconds;
    struct counter *sql_ok, *sql_failed, *live_messages;
    struct gauge *listeners_gauge, *queries_gauge;
};

/* What hangs on an exchange between its request and its answer. Begins every such struct. */
struct pending {
    void (*gone)(struct pending *pending); /* the client went away */
};

/* answer.c */
struct answer_extra {
    const char *content_type; /* NULL: JSON */
    bool cors;                /* any website may read it: what is asked for with a key of one's own */
    unsigned retry_after_s;   /* 0: none */
    const char *headers;      /* further whole lines, or NULL */
    const char *cache_control, *referrer_policy; /* NULL: "no-store", "no-referrer" */
};
void answer_body(struct serve *serve, struct http_exchange *exchange, unsigned status, struct slice body,
                 const struct answer_extra *extra);
/* {"code","message"} */
void answer_error(struct serve *serve, struct http_exchange *exchange, unsigned status, const char *code,
                  const char *message, const struct answer_extra *extra);
extern const struct answer_extra ANSWER_PRIVATE, ANSWER_CORS;

/* route.c: the http_handler. */
void route_request(void *self, struct http_exchange *exchange);
void route_gone(void *self, struct http_exchange *exchange);

/* access.c */
/* The tenant whose read key came with the request (Bearer, Basic, or ?key= where allowed), as of now. NULL: it was
 * answered 401 or 403. */
const struct tenant *access_reader(struct serve *serve, struct http_exchange *exchange, bool allow_query_key);
/* The tenant whose write key came with the request: who may change what the tenant sees. NULL: it was answered. */
const struct tenant *access_writer(struct serve *serve, struct http_exchange *exchange);
/* The key that came with the request, terminated; false: none. */
bool access_key_of(const struct http_exchange *exchange, bool allow_query_key, char *to, size_t size);
/* Whether the request may administrate; else it was answered. *out_actor: for the audit log. */
bool access_admin(struct serve *serve, struct http_exchange *exchange, const char **out_actor);
/* As access_admin, but only tells. */
bool access_is_admin(struct serve *serve, const struct http_exchange *exchange, const char **out_actor);
MUST_CHECK enum status access_open_token(struct serve *serve, struct error *err);
/* The request comes from this machine, spoken to by a name of this machine, and no other website's page sent it. */
bool access_is_at_home(const struct http_exchange *exchange);
/* Reads the catalog anew when it changed. */
void access_refresh(struct serve *serve, bool at_once);
/* A value out of ?a=b&c=d, percent-decoded into `to`. False: not there or too long. */
bool access_query_value(struct slice query, const char *name, char *to, size_t size);

/* ask.c */
void ask_sql(struct serve *serve, struct http_exchange *exchange);
/* feed.c */
void feed_open(struct serve *serve, struct http_exchange *exchange);
void feed_take_updates(struct serve *serve); /* from the queue, then to the listeners */
void feed_on_timer(uv_timer_t *timer);
void feed_close_all(struct serve *serve);
/* pulse.c: what stands in the feed's messages and comes with no event. */
#define PULSE_BYTES_MAX 8192
/* Looks again for every tenant that somebody listens to, at most once a second; returns when the next look is due, in
 * microseconds. */
int64_t pulse_refresh(struct serve *serve, int64_t mono_ms);
void pulse_refresh_one(struct serve *serve, struct live_entry *entry, int64_t mono_ms);
/* JSON members without braces. entry may be NULL. */
void pulse_write(struct serve *serve, const struct live_entry *entry, struct slice tenant_id, struct buf *out);
/* tenants.c */
void tenants_create(struct serve *serve, struct http_exchange *exchange);
void tenants_list(struct serve *serve, struct http_exchange *exchange);
void tenants_show(struct serve *serve, struct http_exchange *exchange, struct slice id);
void tenants_update(struct serve *serve, struct http_exchange *exchange, struct slice id);
/* site.c: what browsers load (pages.h); false when the path is none of it. */
bool site_answer(struct serve *serve, struct http_exchange *exchange, struct slice path);
/* about.c */
void about_config(struct serve *serve, struct http_exchange *exchange);
void about_tenant(struct serve *serve, struct http_exchange *exchange);

/* replays.c: history again */
void replays_begin(struct serve *serve, struct http_exchange *exchange);
void replays_list(struct serve *serve, struct http_exchange *exchange);

/* stream_health.c: GET /v1/stream */
void stream_health(struct serve *serve, struct http_exchange *exchange);
/* ,"json":1.5 of this process's metrics; what nobody has measured yet is left out: false. */
bool stream_add_number(struct serve *serve, const char *json, const char *metric, const char *labels, struct buf *out);
/* stream_tasks.c */
/* admin: with the machine that each is on. */
void stream_add_partitions(struct serve *serve, bool admin, struct buf *out);
struct stream_listing {
    const char *name;
    enum task_series kind;
    const char *only; /* the beginning of the labels that are wanted; NULL: all */
    const char *value_name;
};
void stream_add_listing(struct serve *serve, const struct stream_listing *what, struct buf *out);
/* dashboards.c: GET /v1/dashboards, GET /v1/quality */
void dashboards_list(struct serve *serve, struct http_exchange *exchange);
void quality_targets(struct serve *serve, struct http_exchange *exchange);
/* Events a minute that the tenant may send; UINT64_MAX: unlimited. */
uint64_t about_quota(const struct serve *serve, const struct tenant *tenant);
/* The address of ingestion as the client of this request would write it, e.g. "http://127.0.0.1:8000"; false when its
 * Host header names nothing that can be written down. */
bool about_ingest_url(const struct serve *serve, const struct http_exchange *exchange, struct buf *out);
/* tenant_keys.c */
void tenants_change_keys(struct serve *serve, struct http_exchange *exchange, struct slice id, bool rotate);
