/* Definitions that change rarely and are read everywhere: tenants, their keys, what is deployed of event types, rules
 * and sources (catalog_item.h), the audit log. No events: they are the tables'. Backends: sqlite, postgres. Keys
 * are kept as SHA-256 only; they carry 160 random bits, so a plain hash is enough and a look-up stays cheap. Threads:
 * any; a mutex inside, so never call it per event. Hot paths keep a `struct directory` of their own. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"
#include "catalog/catalog_item.h"

struct catalog;
struct directory;
struct role;
struct world;

#define TENANT_ID_MAX 64 /* a-z 0-9 _ -, first a letter or digit */
#define TENANT_KEY_MAX 64

enum tenant_tier { TIER_STANDARD, TIER_ENTERPRISE };

struct tenant {
    char id[TENANT_ID_MAX + 1];
    char placement[TENANT_ID_MAX + 1]; /* own storage partition, or "" */
    enum tenant_tier tier;
    uint64_t quota_per_minute; /* 0: the tier's default; UINT64_MAX: unlimited */
    int32_t retention_days;    /* 0: the default; -1: unlimited */
    bool open;                 /* takes events and queries without a key (dev environment only) */
    uint32_t olap_slot;        /* which engine user reads for it; from 1 up, never reused */
    int64_t created_ms;
};

enum key_kind { KEY_WRITE, KEY_READ };

struct tenant_keys {
    char write_key[TENANT_KEY_MAX + 1], read_key[TENANT_KEY_MAX + 1];
};

/* Which of a tenant's keys a change is about; at least one kind. */
struct key_choice {
    bool write, read;
    int64_t grace_ms; /* rotate: how long the old keys still work; 0: not at all */
    bool current_too; /* revoke: also keys that no rotation replaced, which locks the tenant out until the next one */
};
#define KEY_GRACE_MAX_MS INT64_C(7776000000) /* 90 days */

struct catalog_options {
    const char *path; /* directory that holds catalog.db (sqlite: made when missing, readable by its owner only) */
    /* Nothing is made, migrated or changed, and whoever has it open may go on. ERR_NOT_FOUND: there is none, or it is
     * of an earlier weir that did not write down what is deployed. */
    bool read_only;
    /* postgres: the server, as libpq's connection string without a password; whom deployments are of (no spaces, at
     * most 64 characters: the data directory's name); the longest waits for a connection and for a statement. */
    const char *url, *password, *owner;
    int64_t connect_timeout_ms, statement_timeout_ms;
};

struct catalog_backend {
    const char *name; /* as in catalog.backend */
    bool shared;      /* several processes may have it open for changes */
    /* ERR_RETRY: the server is away. ERR_INVALID: it refuses us, or is of a newer weir. */
    enum status (*open)(const struct catalog_options *, struct world *, struct catalog **, struct error *);
    /* Makes the tenant and its keys (shown this once). Fills in slot and created_ms of *tenant. ERR_INVALID: bad id,
     * with the rule. ERR_FULL: it exists already. Keys given (not "") in *keys are used as they are (the dev tenant),
     * else made. */
    enum status (*tenant_create)(struct catalog *, struct tenant *tenant, struct tenant_keys *keys, const char *actor,
                                 struct error *);
    enum status (*tenant_update)(struct catalog *, const struct tenant *tenant, const char *actor, struct error *);
    enum status (*tenant_get)(struct catalog *, struct slice id, struct tenant *out, struct error *);
    /* New keys of the chosen kinds in *out, the others "". What worked before works for grace_ms more, or as long as an
     * earlier rotation allowed, whichever is shorter. ERR_NOT_FOUND: no such tenant. */
    enum status (*keys_rotate)(struct catalog *, struct slice id, const struct key_choice *, struct tenant_keys *out,
                               const char *actor, struct error *);
    /* Ends keys at once; *out_count says how many. ERR_NOT_FOUND: no such tenant. */
    enum status (*keys_revoke)(struct catalog *, struct slice id, const struct key_choice *, uint64_t *out_count,
                               const char *actor, struct error *);
    /* All tenants and key hashes as an immutable directory, the caller's. */
    enum status (*directory)(struct catalog *, struct directory **out, struct error *);
    /* Grows with every change, and when a replaced key comes to its end: compare it to know whether a directory is
     * stale. Two atomic loads. */
    uint64_t (*version)(struct catalog *);
    /* (tenant_update: placement, olap_slot and created_ms never change; ERR_NOT_FOUND: no such tenant.)
     * Appends to the audit log. old_value and new_value are JSON or empty. */
    enum status (*audit)(struct catalog *, const char *actor, const char *entity_type, const char *entity_id,
                         const char *action, struct slice old_value, struct slice new_value, struct error *);
    /* The lines that the query asks for, newest first. visit must not call the catalog; its slices end with the call.
     */
    enum status (*audit_read)(struct catalog *, const struct audit_query *,
                              void (*visit)(void *visitor, const struct audit_line *), void *visitor, struct error *);
    /* These items, and no others, are in use from now on: one transaction, with a line in the audit log for each that
     * was changed. version, active and changed_ms of the items are not looked at. Doing it again changes nothing. Of a
     * shared catalog: what another owner has deployed last stays in use until that one does not name it either.
     * ERR_INVALID: an item refers to a source or an event type that is not there; then nothing has changed. */
    enum status (*deploy)(struct catalog *, const struct catalog_item *items, size_t count, const char *actor,
                          uint64_t *out_changes, struct error *);
    /* All of the kind, also those that are out of use, ordered by domain, event type and name. visit: as above. */
    enum status (*items)(struct catalog *, enum catalog_kind, void (*visit)(void *visitor, const struct catalog_item *),
                         void *visitor, struct error *);
    /* True: *out must run, so that version() moves also with what others change. False: there are no others. */
    bool (*role)(struct catalog *, struct role *out);
    void (*close)(struct catalog *);
};

struct catalog {
    const struct catalog_backend *backend;
};

extern const struct catalog_backend catalog_sqlite, catalog_postgres;

/* The rules and words of a tenant, shared by all backends, the API and the command (tenant.c). */
struct buf;
/* ERR_INVALID with the rule: ^[a-z0-9][a-z0-9_-]{0,63}$, and not a name that means something to the engine or to us. */
MUST_CHECK enum status tenant_id_check(struct slice id, struct error *err);
const char *tenant_tier_name(enum tenant_tier tier); /* "standard", "enterprise" */
MUST_CHECK bool tenant_read_tier(struct slice text, enum tenant_tier *out);
/* "5000/min", "5000", "unlimited" or "default". */
MUST_CHECK bool tenant_read_quota(struct slice text, uint64_t *out_per_minute);
/* "30", "30d", "unlimited" or "default"; at most 36,500 days. */
MUST_CHECK bool tenant_read_retention(struct slice text, int32_t *out_days);
/* {"tenant":…,"tier":…,"quota_per_minute":N|"unlimited"|"default",…}: for the audit log, the API and `--json`. */
void tenant_add_json(struct buf *buf, const struct tenant *tenant);

/* The directory: an immutable copy for one role's own use. */
size_t directory_count(const struct directory *directory);
const struct tenant *directory_at(const struct directory *directory, size_t index);
const struct tenant *directory_find(const struct directory *directory, struct slice id); /* NULL: no such tenant */
/* The tenant whose key this is; constant time in the key's bytes. NULL: nobody's. */
const struct tenant *directory_authenticate(const struct directory *directory, enum key_kind kind, struct slice key);
void directory_free(struct directory *directory);
