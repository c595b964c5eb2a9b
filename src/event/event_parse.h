/* From the bytes of a request to events, and a verdict for each event that is refused. A bad event never spoils its
 * neighbours; nothing is dropped or cut: what is not an event is a reject with its original bytes.
 *
 * In two steps, since the key that names the tenant may be in the body:
 *     event_body_open   indexes the body, tells its form, finds the key        ERR_INVALID: answer 400 with err->text
 *     event_body_parse  maps, checks and completes every event                 ERR_INVALID: answer 400 with err->text
 *
 * Forms, told from the bytes and never from the Content-Type: one object; an array of objects; NDJSON; an object with
 * `batch` (Segment, PostHog); Snowplow's payload_data. A parser belongs to one thread and keeps its memory: no
 * allocation per event. Slices point into the body, into the arena, or at literals. The body must stay as it is until
 * the events are encoded, and have EVENT_BODY_PADDING readable bytes behind it. Codes and mapping: README.md. */
#pragma once
#include "base/arena.h"
#include "base/compiler.h"
#include "base/error.h"
#include "event/event.h"

struct event_parser;
struct world;

#define EVENT_BODY_PADDING 64
#define EVENT_IP_SALT_BYTES 16
#define EVENT_ID_MAX 256 /* bytes in visitor_id, user_id, session_id, event_id, customer_id */
#define EVENT_TYPE_MAX 128
#define EVENT_NAME_MAX 256

/* For a process. 0 means the default. */
struct event_parse_options {
    uint32_t body_bytes_max;    /* 16 MiB; larger bodies are refused by event_body_open */
    uint32_t event_bytes_max;   /* 64 KiB; of one event as sent */
    uint32_t events_max;        /* 10,000 in one request; what is beyond becomes one reject, too_many_events */
    uint32_t depth_max;         /* 32 levels of {} and [] in one event, itself included; at most 64 */
    uint32_t keys_max;          /* 1,000 in one object */
    uint32_t values_max;        /* 10,000 in one event, nested ones included */
    int64_t future_skew_ms;     /* 24 h; a timestamp further ahead of received_ms is refused */
    int64_t clock_error_min_ms; /* 5 s; a smaller difference between sentAt and our clock is not corrected */
};

/* What the path says. */
enum event_endpoint {
    EVENT_ENDPOINT_TRACK, /* POST /track: weir's own names; Segment's are understood too; no type from the path */
    EVENT_ENDPOINT_BATCH, /* /v1/batch, /v1/b, /v1/import: each event has its `type` */
    EVENT_ENDPOINT_SEGMENT_TRACK,
    EVENT_ENDPOINT_SEGMENT_IDENTIFY,
    EVENT_ENDPOINT_SEGMENT_PAGE,
    EVENT_ENDPOINT_SEGMENT_SCREEN,
    EVENT_ENDPOINT_SEGMENT_GROUP,
    EVENT_ENDPOINT_SEGMENT_ALIAS,
    EVENT_ENDPOINT_POSTHOG,  /* one event or a batch, in PostHog's names */
    EVENT_ENDPOINT_SNOWPLOW, /* payload_data, in Snowplow's names */
};
#define EVENT_ENDPOINT_COUNT 10

struct event_tenant {
    struct slice customer_id;
    struct slice placement;
    int64_t oldest_ms; /* events before are older_than_retention; INT64_MIN: keeps everything */
};

struct event_request {
    enum event_endpoint endpoint;
    bool ndjson;                       /* the Content-Type says NDJSON: one bad line alone is a reject, not a 400 */
    bool key_in_body;                  /* the tenant's key was the one that event_body_open found */
    int64_t received_ms;               /* our clock */
    const struct event_tenant *tenant; /* whose key it was; or NULL: open, each event names its tenant */
    /* Asked when tenant is NULL (once for a run of equal ids). NULL: this tenant is not open to requests without a key
     * (verdict unauthorized). The answer must live until the events are encoded. */
    const struct event_tenant *(*find_open_tenant)(void *self, struct slice customer_id);
    void *find_self;
    struct slice remote_address; /* stored hashed when the event has no IP of its own; empty: not stored */
    const uint8_t *ip_salt;      /* EVENT_IP_SALT_BYTES, another one each day; NULL: IPs are removed, not hashed */
};

enum event_code {
    EVENT_CODE_MISSING_FIELD,
    EVENT_CODE_BAD_TYPE,
    EVENT_CODE_BAD_ID,
    EVENT_CODE_BAD_TIMESTAMP,
    EVENT_CODE_TOO_FAR_IN_FUTURE,
    EVENT_CODE_OLDER_THAN_RETENTION,
    EVENT_CODE_TENANT_MISMATCH,
    EVENT_CODE_UNAUTHORIZED,
    EVENT_CODE_EVENT_TOO_LARGE,
    EVENT_CODE_TOO_DEEP,
    EVENT_CODE_TOO_MANY_FIELDS,
    EVENT_CODE_BAD_JSON,
    EVENT_CODE_BAD_UTF8,
    EVENT_CODE_DUPLICATE_FIELD,
    EVENT_CODE_TOO_MANY_EVENTS,
    EVENT_CODE_BAD_RECORD, /* of a foreign topic: `weir source` says why */
};
#define EVENT_CODE_COUNT 16
/* "missing_field", …: stable, for answers, dead letters and metrics. */
const char *event_code_name(enum event_code code);

struct event_reject {
    uint32_t index; /* in the request, from 0 */
    uint32_t count; /* 1; for too_many_events the events that this one stands for */
    enum event_code code;
    struct slice customer_id; /* the tenant when known, or empty */
    struct slice field;       /* as the client wrote it, or empty */
    struct slice message;     /* for a person: what is wrong, and what would be right */
    struct slice event_id;    /* when it could be read, or empty */
    struct slice original;    /* the event as it came, byte for byte */
};

/* The arrays belong to the parser and hold until its next event_body_open. Order: as in the request. */
struct event_parse_result {
    struct event *events; /* ingested_us is left 0: set it when encoding */
    uint32_t *indexes;    /* for each event its index in the request */
    size_t event_count;
    struct event_reject *rejects;
    size_t reject_count;
    size_t rejected_events; /* the sum of their counts */
};

/* Aborts when out of memory (start-up only). world: random bytes for event ids. */
struct event_parser *event_parser_new(const struct event_parse_options *options, struct world *world);
void event_parser_free(struct event_parser *parser);

/* *out_key: `writeKey` or `api_key` at the top of the body, or the first `aid` of Snowplow's, unescaped, or empty;
 * valid until the next open. Not even this tells that the events are well-formed. */
MUST_CHECK enum status event_body_open(struct event_parser *parser, struct slice body, struct slice *out_key,
                                       struct error *err);
/* Once after each successful open. ERR_INVALID: the body cannot be read at all, nothing of it was accepted.
 * ERR_FULL: the arena's bound was reached. */
MUST_CHECK enum status event_body_parse(struct event_parser *parser, const struct event_request *request,
                                        struct arena *arena, struct event_parse_result *out, struct error *err);
