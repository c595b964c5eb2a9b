/* What one ingestion loop knows about the tenants: who they are (its own copy of the catalog's directory), their quota
 * bucket, their metrics, and the requests that wait for their turn. Owner: the loop's thread. Members are kept for the
 * life of the loop, so pointers to them stay good when the directory changes. Bounds: one member per tenant that ever
 * sent; MEMBER_TYPES_MAX event types per tenant in metrics, further ones are counted as "other". */
#pragma once
#include "base/metrics.h"
#include "catalog/catalog.h"
#include "event/event_parse.h"
#include "ingest/quota.h"

#define MEMBER_TYPES_MAX 48

struct ticket;
struct world;

enum drop_reason {
    DROP_INVALID,      /* a verdict: the event goes to the dead letters */
    DROP_QUOTA,        /* 429 */
    DROP_JOURNAL_FULL, /* 503: disk or queue full, or the journal failed */
    DROP_REASONS
};

struct member_type;

struct member {
    struct member *next_in_slot;
    char id[TENANT_ID_MAX + 1], placement[TENANT_ID_MAX + 1];
    uint64_t quota_per_minute; /* this process's part of it */
    int32_t retention_days;    /* -1: unlimited */
    struct event_tenant view;  /* as event_body_parse wants it; oldest_ms is set for each request */
    struct quota *quota;
    struct histogram *latency;
    struct counter *dropped[DROP_REASONS];
    struct counter *warnings;
    struct counter *letters[EVENT_CODE_COUNT]; /* dead letters by code; NULL: none yet */
    struct member_type *types;                 /* MEMBER_TYPE_SLOTS of them, made with the first event */
    size_t type_count;
    struct member_type *type_last, *type_other;
    /* Turns (turn.h): */
    struct ticket *queue_first, *queue_last;
    struct member *next_waiting;
    bool is_waiting;
    uint64_t turn;      /* the loop's turn that taken_bytes belongs to */
    size_t taken_bytes; /* worked on in that turn */
};

struct member_options {
    uint64_t quota_standard_per_minute, quota_enterprise_per_minute;
    uint32_t quota_processes; /* among which a tenant's load is spread (decision 0034) */
    int32_t retention_days;   /* of tenants that have no own; -1: unlimited */
};

struct members;

/* Catalog, metrics, quotas and world are borrowed. Reads the directory. */
MUST_CHECK enum status members_new(const struct member_options *options, struct catalog *catalog,
                                   struct metrics *metrics, struct quota_table *quotas, struct world *world,
                                   struct members **out, struct error *err);
void members_free(struct members *members);
/* Reads the directory again when the catalog has changed, at most every 100 ms; a failure keeps the old one. */
void members_refresh(struct members *members);
/* Some tenant takes events without a key. */
bool members_any_open(const struct members *members);

enum key_verdict { KEY_GOOD, KEY_UNKNOWN, KEY_IS_READ_KEY };

/* The tenant of a write key. A catalog that changed since is asked at once before a key is called unknown. */
enum key_verdict members_authenticate(struct members *members, struct slice key, struct member **out);
/* NULL: no such tenant, or it needs a key. */
struct member *members_find_open(struct members *members, struct slice id);

/* Counts one dead letter in ingest_dead_letters_total and validation_failures_total. */
void member_count_letter(struct members *members, struct member *member, enum event_code code);
/* Counts one event of a type in events_received_total, `count` times. */
void member_count_type(struct members *members, struct member *member, struct slice type, uint64_t count);
