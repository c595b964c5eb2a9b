/* Keyed state: rows, one for each key of each pane, where a pane is one instance of a window (kind, tenant, start).
 * A `struct state` (state.h): rows are changed in memory, travel to the changelog in one compact record a commit, and
 * reach the partition's map (state_kv.h) lazily; what does not fit into memory lives in the map alone.
 *
 * Use, for a vector of events:
 *     keyed_pane_get once a pane; keyed_load when the pane is not complete; keyed_prefetch some 16 ahead, then
 *     keyed_row_get, change row->data and row->revision, keyed_row_touch.
 * Pointers to rows and panes are good until the next prepare, collect, maintain or restore, those to panes also beyond,
 * until they are dropped. Keys are known by a 128-bit seeded XXH3 of their bytes (never attacker-chosen); the bytes are
 * kept once, for outputs. What stages decide must not depend on what is in memory: it never shows.
 *
 * Owner: the partition's task, one thread. Bounds: options.memory_bytes_max (checked by prepare; rows beyond it leave
 * memory, clock-wise, once they are durable and written), KEYED_KEY_MAX, KEYED_TENANT_MAX. docs/decisions/0041 has the
 * reasons and numbers. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "process/state/id_table.h"
#include "process/state/state.h"

struct keyed;
struct state_kv;
struct world;

#define KEYED_KEY_MAX 4096
#define KEYED_TENANT_MAX 255
#define KEYED_NEVER INT64_MAX
#define KEYED_WORDS 4

/* What the rows of a window definition are. The struct may be the beginning of a larger one: the functions get it back.
 * It outlives the state. */
struct keyed_kind {
    uint64_t id;        /* in files: the same number must always mean the same rows. 0 is none */
    uint32_t row_bytes; /* of a row in memory */
    /* Appends the whole value of the row (not what changed). */
    void (*encode)(const struct keyed_kind *, const void *row, struct buf *to);
    /* row is zeroed. ERR_CORRUPT: encode cannot have made it. */
    enum status (*decode)(const struct keyed_kind *, struct slice bytes, void *row, struct error *);
    void (*release)(const struct keyed_kind *, void *row);                /* what the row owns besides; NULL: nothing */
    uint64_t (*memory_bytes)(const struct keyed_kind *, const void *row); /* of what it owns besides; NULL: 0 */
};

struct keyed_pane {
    const struct keyed_kind *kind;
    uint32_t tenant; /* keyed_tenant */
    int64_t start_ms;
    int64_t due_ms;     /* change it by keyed_pane_set_due */
    int64_t expires_ms; /* of the wall clock: a last resort, see keyed_pane_next_expired */
    /* The user's: part of the state. keyed_pane_touch after a change. */
    uint64_t words[KEYED_WORDS];
    uint64_t rows; /* all of its keys, in memory or not */
};

struct keyed_row {
    struct id128 id;
    struct keyed_pane *pane;
    const char *key; /* key_n bytes; NULL while only the map knows them: never after keyed_row_get and in a walk */
    struct keyed_row *next_dirty; /* keyed's own, like flags, owned_bytes and commit */
    uint16_t key_n, flags;
    uint32_t revision; /* the user's: for example of the last result given out; part of the state */
    uint32_t owned_bytes, commit;
    char data[] __attribute__((aligned(8))); /* kind->row_bytes, zeroed at first */
};

struct keyed_options {
    const struct keyed_kind *const *kinds; /* copied; panes of others, in files, are forgotten */
    size_t kind_count;
    uint64_t memory_bytes_max; /* of one partition; 0: 256 MiB */
};

struct keyed_usage {
    uint64_t rows_in_memory, panes, tenants, memory_bytes;
    uint64_t evictions, base_reads, base_writes; /* rows, since the start */
};

/* Aborts when out of memory (start-up only). kv stands before it in the task's list of states. */
struct keyed *keyed_new(const struct keyed_options *options, struct state_kv *kv, struct world *world);
void keyed_free(struct keyed *keyed);
struct state *keyed_state(struct keyed *keyed);
void keyed_usage(const struct keyed *keyed, struct keyed_usage *out);

/* ---- panes ---- */

/* The tenant's number in this process (not in files); the same for ever. */
uint32_t keyed_tenant(struct keyed *keyed, struct slice tenant);
struct slice keyed_tenant_name(const struct keyed *keyed, uint32_t tenant);
/* NULL: there is none and create is false. A new one: due KEYED_NEVER, expires KEYED_NEVER, words 0. */
struct keyed_pane *keyed_pane_get(struct keyed *keyed, const struct keyed_kind *kind, uint32_t tenant, int64_t start_ms,
                                  bool create, bool *out_new);
void keyed_pane_touch(struct keyed *keyed, struct keyed_pane *pane);
void keyed_pane_set_due(struct keyed *keyed, struct keyed_pane *pane, int64_t due_ms);
void keyed_pane_set_expires(struct keyed *keyed, struct keyed_pane *pane, int64_t expires_ms);
/* The tenant's pane with the smallest due_ms, if that is <= watermark_ms; else NULL. It comes again until it is dropped
 * or its due is set anew. Ties: the older pane first. */
struct keyed_pane *keyed_pane_next_due(struct keyed *keyed, uint32_t tenant, int64_t watermark_ms);
/* KEYED_NEVER when the tenant has none that is due ever. */
int64_t keyed_due_ms(const struct keyed *keyed, uint32_t tenant);
/* The pane of any tenant with the smallest expires_ms, if that is <= now_ms; else NULL. */
struct keyed_pane *keyed_pane_next_expired(struct keyed *keyed, int64_t now_ms);
/* Every pane of any tenant, in no order that means anything: NULL gives the first, and the last gives NULL. */
struct keyed_pane *keyed_pane_after(struct keyed *keyed, const struct keyed_pane *pane);
/* All its rows are gone at once; memory and files are cleared in bounded pieces later. The pointer is not good any
 * more; the same pane may be made anew. */
void keyed_pane_drop(struct keyed *keyed, struct keyed_pane *pane);
/* Every row that it has is in memory: a miss is a new key. */
bool keyed_pane_is_complete(const struct keyed_pane *pane);

/* ---- rows ---- */

/* Fetches the cache lines that keyed_row_get will want: first this, some 16 events ahead … */
void keyed_prefetch(const struct keyed_pane *pane, struct id128 id);
/* … then this, some 8 ahead: the row itself. */
void keyed_prefetch_row(const struct keyed_pane *pane, struct id128 id);
/* Brings those of the ids that only the map has into memory, in one read. Not needed, but quicker than one at a time;
 * returns at once when the pane is complete. Errors as keyed_row_get. */
MUST_CHECK enum status keyed_load(struct keyed *keyed, struct keyed_pane *pane, const struct id128 *ids, size_t count,
                                  struct error *err);
/* Finds or makes the row. A new one is zeroed, counts in pane->rows and is touched already. ERR_IO, ERR_CORRUPT, from
 * the map: nothing may be concluded, the task must stop. ERR_INVALID: the key is longer than KEYED_KEY_MAX. */
MUST_CHECK enum status keyed_row_get(struct keyed *keyed, struct keyed_pane *pane, struct id128 id, struct slice key,
                                     struct keyed_row **out, bool *out_new, struct error *err);
/* ERR_NOT_FOUND (without a text): there is none. */
MUST_CHECK enum status keyed_row_find(struct keyed *keyed, struct keyed_pane *pane, struct id128 id,
                                      struct keyed_row **out, struct error *err);
/* The row was or will be changed before the next collect. */
void keyed_row_touch(struct keyed *keyed, struct keyed_row *row);

/* Visits up to about rows_max rows with id >= *cursor, ascending by id, also those that were not in memory, and moves
 * *cursor behind the last one; *out_done: there are no more. visit may change and touch the row it gets, drop nothing.
 * The cursor is plain data: kept in the pane's words, a walk goes on after a crash where the last commit left it. */
MUST_CHECK enum status keyed_pane_walk(struct keyed *keyed, struct keyed_pane *pane, struct id128 *cursor,
                                       size_t rows_max, void (*visit)(void *self, struct keyed_row *row), void *self,
                                       bool *out_done, struct error *err);
