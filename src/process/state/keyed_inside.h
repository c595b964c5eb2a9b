/* The inside of keyed state: keyed.c (rows), keyed_panes.c (panes, tenants, what is due), keyed_record.c (changelog),
 * keyed_base.c (the map: writing, loading, making room), keyed_state.c (struct state). Owner: the partition's task.
 *
 * A row's life:   touched → in the open commit, BEHIND   collect → in the flying commit   durable   written → not
 * BEHIND Which commit a row was last touched in stands in the row, so that neither collect nor durable has to clear
 * anything. Only a row that is durable may be written to the map as it stands, and only one that is not BEHIND may
 * leave memory. A row that a checkpoint needs while it is not durable is WANTED: its value is then taken from the
 * record of its commit, once that is durable, and the row is LATE until the value is written. */
#pragma once
#include "base/buf.h"
#include "process/state/keyed.h"
#include "process/state/keyed_table.h"
#include "process/state/kv.h"
#include "process/state/state_kv.h"

enum keyed_row_flag {
    ROW_BEHIND = 1 << 0, /* the map does not have its last change; counted in its segment */
    ROW_NEW = 1 << 1,    /* its key goes into the next record */
    ROW_RECENT = 1 << 2, /* used since the clock's hand came by */
    ROW_WANTED = 1 << 3,
    ROW_LATE = 1 << 4,
};

enum pane_flag {
    PANE_DIRTY = 1 << 0,    /* its own values (not its rows) changed since the last collect */
    PANE_LINKED = 1 << 1,   /* in the list of what collect visits */
    PANE_RECORDED = 1 << 2, /* a record of it was made */
    PANE_DURABLE = 1 << 3,  /* … and is durable: `durable` holds what it says */
    PANE_BEHIND = 1 << 4,   /* the map does not have `durable` */
    PANE_IN_BASE = 1 << 5,  /* the map has something of it */
    PANE_DROPPED = 1 << 6,
    PANE_CLEARED = 1 << 7, /* dropped, and gone from the map */
};

/* What a record and the map say of a pane. */
struct pane_values {
    int64_t due_ms, expires_ms;
    uint64_t words[KEYED_WORDS], rows;
};

struct pane {
    struct keyed_pane pane; /* first */
    uint64_t number;        /* never used again for another: the name of this life of the pane in files */
    uint64_t first_offset;  /* of its first changelog record; UINT64_MAX: none is durable. Grows with the number */
    uint32_t flags;
    bool complete;                   /* all rows are in memory */
    size_t due_index, expires_index; /* in the heaps; SIZE_MAX: in none */
    struct pane *previous, *next;    /* of all that live, ascending by number; or in `dead` */
    struct pane *next_same, *next_number, *next_linked;
    struct keyed_row *dirty; /* rows changed since the last collect */
    uint32_t dirty_count;
    struct keyed_table table;
    struct pane_values durable;
    bool load_failed; /* rows left memory while others were being loaded */
};

struct pane_heap {
    struct pane **panes;
    size_t count, capacity;
};

struct keyed_tenant {
    struct slice name;
    struct pane_heap due;
    uint32_t next_same; /* in the index; UINT32_MAX ends it */
};

/* A place in the order of all rows. */
struct keyed_hand {
    struct pane *pane; /* NULL: at the end */
    struct id128 id;
};

/* A change of the map that comes from a durable record, not from memory. */
struct late_row {
    uint64_t pane_number;
    struct id128 id;
    uint32_t revision;
    size_t at, n; /* the value in late_bytes */
};

struct keyed {
    struct state state; /* first */
    const struct keyed_kind **kinds;
    size_t kind_count;
    uint64_t memory_bytes_max;
    struct state_kv *kv;
    struct world *world;
    struct keyed_slab slab;
    uint64_t owned_bytes; /* of rows, besides the slab */
    uint64_t row_count;   /* in memory */

    struct pane **by_name, **by_number; /* indexes, chained */
    size_t index_size, pane_count;
    struct pane *first, *last; /* alive */
    uint64_t next_number;
    struct keyed_tenant *tenants;
    uint32_t tenant_count, tenant_capacity, *tenant_index, tenant_index_size;
    struct pane_heap expires;

    uint32_t open_commit, durable_commit; /* a row of a later commit than the durable one is not durable */
    struct pane *linked, **linked_end;    /* what the next collect visits, in the order of its touches */
    uint64_t dirty_bytes;
    struct pane **drops; /* dropped since the last collect */
    size_t drop_count, drop_capacity;
    struct buf record;
    uint64_t drops_made, drops_durable;

    struct pane *dead; /* drop durable; to be cleared from memory and map */
    struct keyed_hand write_hand, clock_hand, load_hand;
    bool settling; /* a checkpoint wants everything written that was durable when it began */
    bool hand_done;
    uint64_t settle_end, settle_drops; /* panes before this number; drops that must be durable */
    uint64_t wanted;
    bool room_tried; /* nothing was to be had although memory is beyond its bound */
    struct late_row *late;
    size_t late_count, late_capacity;
    struct buf late_bytes;
    struct batch {
        struct buf bytes;          /* keys and values */
        struct kv_change *changes; /* while it is made, the slices' p are offsets into bytes */
        size_t count, capacity;
        struct keyed_row **rows; /* that it writes */
        size_t row_count, row_capacity;
        struct pane **panes;
        size_t pane_count, pane_capacity;
    } batch;

    uint64_t evictions, base_reads, base_writes;
};

extern const struct state_ops keyed_ops;

static inline struct keyed *keyed_of(struct state *state)
{
    return (struct keyed *)state;
}

static inline struct pane *pane_of(struct keyed_pane *pane)
{
    return (struct pane *)pane;
}

static inline const struct pane *pane_of_const(const struct keyed_pane *pane)
{
    return (const struct pane *)pane;
}

static inline bool keyed_row_is_behind(const struct keyed_row *row)
{
    return row->flags & ROW_BEHIND;
}

static inline bool keyed_row_is_durable(const struct keyed *keyed, const struct keyed_row *row)
{
    return row->commit <= keyed->durable_commit;
}

static inline int id_compare(struct id128 a, struct id128 b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return a.lo == b.lo ? 0 : a.lo < b.lo ? -1 : 1;
}

/* Grows an array so that `needed` fit; aborts when out of memory. */
void *keyed_grow(void *array, size_t *capacity, size_t needed, size_t item_bytes);
uint64_t keyed_memory_bytes(const struct keyed *keyed);

/* ---- keyed.c ---- */
/* A row that the pane does not have in memory. key.p NULL: not known yet. */
struct keyed_row *keyed_row_new(struct keyed *keyed, struct pane *pane, struct id128 id, struct slice key);
void keyed_row_free(struct keyed *keyed, struct keyed_row *row); /* it is in no table any more */
void keyed_row_set_key(struct keyed *keyed, struct keyed_row *row, struct slice key);
/* The value of a row as encode made it. */
MUST_CHECK enum status keyed_row_decode(struct keyed *keyed, struct keyed_row *row, uint32_t revision,
                                        struct slice bytes, struct error *err);
void keyed_row_set_behind(struct keyed_row *row, bool behind);
void keyed_row_measure(struct keyed *keyed, struct keyed_row *row);

/* ---- keyed_panes.c ---- */
struct pane *pane_new(struct keyed *keyed, const struct keyed_kind *kind, uint32_t tenant, int64_t start_ms,
                      uint64_t number);
struct pane *pane_by_number(const struct keyed *keyed, uint64_t number);
void pane_set_values(struct keyed *keyed, struct pane *pane, const struct pane_values *values);
struct pane_values pane_values_of(const struct pane *pane);
void pane_link(struct keyed *keyed, struct pane *pane); /* collect visits it */
/* Out of names, heaps and lists; reachable by its number until keyed_bury. */
void pane_forget(struct keyed *keyed, struct pane *pane);
/* The drop is durable: to the dead. */
void keyed_bury(struct keyed *keyed, struct pane *pane);
void keyed_panes_done(struct keyed *keyed);
const struct keyed_kind *keyed_kind_of(const struct keyed *keyed, uint64_t id);

/* ---- keyed_record.c ---- */
/* Appends all there is to say of the pane; the map holds the same. */
void pane_encode(const struct keyed *keyed, const struct pane *pane, const struct pane_values *values, struct buf *to);
struct pane_entry {
    uint64_t number, kind;
    bool born; /* nothing was said of it before */
    uint64_t first_offset;
    int64_t start_ms;
    struct slice tenant;
    struct pane_values values;
};
struct wire;
MUST_CHECK bool pane_decode(struct wire *from, struct pane_entry *out);
MUST_CHECK enum status keyed_collect(struct state *state, struct process_stream *changelog, struct error *err);
void keyed_durable(struct state *state, struct slice record, uint64_t offset);
MUST_CHECK enum status keyed_apply(struct state *state, struct slice record, uint64_t offset, struct error *err);

/* ---- keyed_base.c: reading the map ---- */
#define KEYED_MAP_KEY_BYTES 26
/* Where the map has the row, or with `pane` the pane. */
struct slice base_key(char to[KEYED_MAP_KEY_BYTES], char what, uint64_t number, const struct id128 *id);
/* One row from the map into memory; ERR_NOT_FOUND without a text. */
MUST_CHECK enum status base_fetch(struct keyed *keyed, struct pane *pane, struct id128 id, struct keyed_row **out,
                                  struct error *err);
/* Fills in the keys of rows that have none; all of one pane, ascending. */
MUST_CHECK enum status base_fetch_keys(struct keyed *keyed, struct keyed_row *const *rows, size_t count,
                                       struct error *err);
/* All rows of the pane from id `from` on, at most about rows_max, are brought into memory; *out_end: the first id that
 * was not looked at (all zero with *out_done: there is none). */
MUST_CHECK enum status base_load(struct keyed *keyed, struct pane *pane, struct id128 from, size_t rows_max,
                                 struct id128 *out_end, bool *out_done, struct error *err);
/* The panes that the map knows. */
MUST_CHECK enum status base_read_panes(struct keyed *keyed, struct error *err);
/* After a restore: some rows, while there is plenty of room. */
MUST_CHECK enum status base_load_some(struct keyed *keyed, bool *out_more, struct error *err);

/* ---- keyed_write.c: writing the map, making room ---- */
/* A bounded piece of writing rows that are behind; *out_more: there is more to write now. */
MUST_CHECK enum status base_write_piece(struct keyed *keyed, bool wait, bool *out_more, struct error *err);
bool base_is_settled(const struct keyed *keyed);
void base_begin_settling(struct keyed *keyed);
/* Looks at about rows_max rows and lets go of those that are clean and were not used lately. True: some went. */
bool base_evict(struct keyed *keyed, size_t rows_max);
/* Rows of dropped panes. */
void base_clear_dead(struct keyed *keyed, size_t rows_max);
/* The hands let go of the pane. */
void base_pane_goes(struct keyed *keyed, struct pane *pane);
