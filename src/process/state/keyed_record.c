/* Changelog records, a few a commit, each at most about 256 KiB: 0 u8 STATE_KEYED  1 u8 version 1, then entries:
 *
 *   1 pane   number, kind, born (0 or 1), first offset, start, tenant (length, bytes), due, expires, words, rows
 *   2 drop   number
 *   3 rows   number, u32 count, u32 bytes, then for each row: 16 bytes id (lo, hi), revision, value bytes × 2 + has
 * key, [key length, key], value
 *
 * Numbers are LEB128, times zigzag, where no width is given. Everything is absolute. The key stands only in the first
 * record of a row: whoever replays from a checkpoint finds older keys in the map, which has every row that was durable
 * at that checkpoint; whoever replays without a map begins before the first record of the oldest pane. So a row of a
 * counter costs 16 + 1 + 1 bytes and its value.
 *
 * A record may speak of a pane that is not there: when the map is newer than the checkpoint and the pane was dropped in
 * between. The drop then comes later in the same replay, and what stands before it does not matter. */
#include <string.h>

#include "process/aggregate/wire.h"
#include "process/process_output.h"
#include "process/state/keyed_inside.h"

#define RECORD_BYTES (256u << 10)
#define ROWS_HEAD_BYTES 8

enum entry { ENTRY_PANE = 1, ENTRY_DROP = 2, ENTRY_ROWS = 3 };

static void put_u64(struct buf *to, uint64_t value)
{
    char bytes[WIRE_U64_MAX];
    buf_add(to, bytes, (size_t)(wire_put_u64(bytes, value) - bytes));
}

static void put_i64(struct buf *to, int64_t value)
{
    char bytes[WIRE_U64_MAX];
    buf_add(to, bytes, (size_t)(wire_put_i64(bytes, value) - bytes));
}

static struct slice get_bytes(struct wire *from, size_t n)
{
    const char *p = wire_get(from, n);
    return (struct slice){ p, p ? n : 0 };
}

/* ---- panes ---- */

void pane_encode(const struct keyed *keyed, const struct pane *pane, const struct pane_values *values, struct buf *to)
{
    struct slice tenant = keyed_tenant_name(keyed, pane->pane.tenant);
    put_u64(to, pane->number);
    put_u64(to, pane->pane.kind->id);
    buf_add_char(to, !(pane->flags & PANE_RECORDED));
    put_u64(to, pane->first_offset);
    put_i64(to, pane->pane.start_ms);
    put_u64(to, tenant.n);
    buf_add_slice(to, tenant);
    put_i64(to, values->due_ms);
    put_i64(to, values->expires_ms);
    for (int i = 0; i < KEYED_WORDS; i++)
        put_u64(to, values->words[i]);
    put_u64(to, values->rows);
}

bool pane_decode(struct wire *from, struct pane_entry *out)
{
    out->number = wire_get_u64(from);
    out->kind = wire_get_u64(from);
    out->born = wire_get_u64(from) == 1;
    out->first_offset = wire_get_u64(from);
    out->start_ms = wire_get_i64(from);
    uint64_t n = wire_get_u64(from);
    out->tenant = get_bytes(from, n > KEYED_TENANT_MAX ? SIZE_MAX : (size_t)n);
    out->values.due_ms = wire_get_i64(from);
    out->values.expires_ms = wire_get_i64(from);
    for (int i = 0; i < KEYED_WORDS; i++)
        out->values.words[i] = wire_get_u64(from);
    out->values.rows = wire_get_u64(from);
    return !from->bad && out->number > 0;
}

/* ---- collecting ---- */

struct writer {
    struct keyed *keyed;
    struct process_stream *changelog;
    enum status status;
    uint32_t records;
};

static void record_begin(struct writer *writer)
{
    const char head[2] = { STATE_KEYED, 1 };
    buf_reset(&writer->keyed->record);
    buf_add(&writer->keyed->record, head, sizeof head);
}

static void record_end(struct writer *writer)
{
    struct buf *record = &writer->keyed->record;
    if (record->n <= 2 && !record->full)
        return;
    char *to = record->full ? NULL : process_stream_record(writer->changelog, record->n);
    if (to) {
        memcpy(to, record->p, record->n);
        writer->records++;
    } else {
        writer->status = ERR_FULL;
    }
    record_begin(writer);
}

static void put_row(struct keyed *keyed, struct keyed_row *row, struct buf *to)
{
    const struct keyed_kind *kind = row->pane->kind;
    bool has_key = row->flags & ROW_NEW;
    buf_add(to, &row->id, sizeof row->id);
    put_u64(to, row->revision);
    size_t at = to->n, key_at;
    buf_add_char(to, 0); /* the length of most values */
    key_at = to->n;
    if (has_key) {
        put_u64(to, row->key_n);
        buf_add(to, row->key, row->key_n);
    }
    size_t value_at = to->n;
    kind->encode(kind, row->data, to);
    char head[WIRE_U64_MAX];
    size_t head_n = (size_t)(wire_put_u64(head, (to->n - value_at) * 2 + has_key) - head), tail = to->n - key_at;
    if (head_n > 1 && buf_reserve(to, head_n - 1)) {
        memmove(to->p + at + head_n, to->p + key_at, tail);
        to->n += head_n - 1;
    }
    if (!to->full)
        memcpy(to->p + at, head, head_n);
    row->flags &= (uint16_t)~ROW_NEW;
    keyed_row_measure(keyed, row);
}

/* As many of the pane's dirty rows as fit into one entry. */
static void put_some_rows(struct writer *writer, struct pane *pane)
{
    struct buf *to = &writer->keyed->record;
    uint32_t head[2] = { 0, 0 };
    buf_add_char(to, ENTRY_ROWS);
    put_u64(to, pane->number);
    size_t at = to->n;
    buf_add(to, head, sizeof head);
    while (pane->dirty && to->n < RECORD_BYTES && !to->full) {
        struct keyed_row *row = pane->dirty;
        if (row->next_dirty) {
            __builtin_prefetch(row->next_dirty);
            __builtin_prefetch((char *)row->next_dirty + 64);
        }
        put_row(writer->keyed, row, to);
        pane->dirty = row->next_dirty;
        row->next_dirty = NULL;
        head[0]++;
    }
    head[1] = (uint32_t)(to->n - at - sizeof head);
    if (!to->full)
        memcpy(to->p + at, head, sizeof head);
}

static void put_pane(struct writer *writer, struct pane *pane)
{
    struct keyed *keyed = writer->keyed;
    pane->flags &= ~(uint32_t)PANE_LINKED;
    if (pane->flags & PANE_DROPPED)
        return;
    if (pane->flags & PANE_DIRTY) {
        struct pane_values values = pane_values_of(pane);
        buf_add_char(&keyed->record, ENTRY_PANE);
        pane_encode(keyed, pane, &values, &keyed->record);
        pane->flags = (pane->flags | PANE_RECORDED) & ~(uint32_t)PANE_DIRTY;
    }
    assert(pane->flags & PANE_RECORDED);
    while (pane->dirty && writer->status == OK) {
        put_some_rows(writer, pane);
        if (pane->dirty || keyed->record.n >= RECORD_BYTES)
            record_end(writer);
    }
    pane->dirty_count = 0;
}

/* One that no record speaks of needs none that it is gone. */
static void put_drop(struct writer *writer, struct pane *pane)
{
    struct keyed *keyed = writer->keyed;
    if (!(pane->flags & PANE_RECORDED)) {
        keyed->drops_durable++;
        keyed_bury(keyed, pane);
        return;
    }
    buf_add_char(&keyed->record, ENTRY_DROP);
    put_u64(&keyed->record, pane->number);
    if (keyed->record.n >= RECORD_BYTES)
        record_end(writer);
}

enum status keyed_collect(struct state *state, struct process_stream *changelog, struct error *err)
{
    struct keyed *keyed = keyed_of(state);
    struct writer writer = { .keyed = keyed, .changelog = changelog };
    assert(keyed->durable_commit + 1 == keyed->open_commit); /* one commit flies at a time */
    record_begin(&writer);
    for (size_t i = 0; i < keyed->drop_count && writer.status == OK; i++)
        put_drop(&writer, keyed->drops[i]); /* first: the same pane may have been made anew */
    for (struct pane *pane = keyed->linked, *next; pane && writer.status == OK; pane = next) {
        next = pane->next_linked;
        put_pane(&writer, pane);
    }
    record_end(&writer);
    if (writer.status != OK)
        return error_set(err, writer.status, "the changes of keyed state do not fit into a commit");
    keyed->linked = NULL;
    keyed->linked_end = &keyed->linked;
    keyed->drop_count = 0;
    keyed->dirty_bytes = 0;
    keyed->open_commit += writer.records > 0;
    return OK;
}

/* ---- reading ---- */

struct row_entry {
    struct id128 id;
    uint32_t revision;
    struct slice key, value; /* key.p NULL: it was said before */
};

static struct row_entry get_row(struct wire *from)
{
    struct row_entry row = { 0 };
    struct slice id = get_bytes(from, sizeof row.id);
    if (!from->bad)
        memcpy(&row.id, id.p, sizeof row.id);
    row.revision = (uint32_t)wire_get_u64(from);
    uint64_t head = wire_get_u64(from);
    if (head & 1)
        row.key = get_bytes(from, (size_t)wire_get_u64(from));
    row.value = get_bytes(from, (size_t)(head >> 1));
    from->bad |= row.key.n > KEYED_KEY_MAX;
    return row;
}

/* The rows of an entry, and their count. */
static struct wire get_rows(struct wire *from, uint64_t *out_number, uint32_t *out_count)
{
    uint32_t head[2] = { 0, 0 };
    *out_number = wire_get_u64(from);
    struct slice bytes = get_bytes(from, sizeof head);
    if (!from->bad)
        memcpy(head, bytes.p, sizeof head);
    bytes = get_bytes(from, head[1]);
    *out_count = from->bad ? 0 : head[0];
    return wire_from(from->bad ? (struct slice){ "", 0 } : bytes);
}

static struct wire record_entries(struct slice record)
{
    return wire_from(slice_after(record, 2));
}

/* ---- what is durable ---- */

static void durable_pane(struct keyed *keyed, const struct pane_entry *entry, uint64_t offset)
{
    struct pane *pane = pane_by_number(keyed, entry->number);
    if (pane->first_offset == UINT64_MAX)
        pane->first_offset = offset;
    pane->durable = entry->values;
    pane->flags |= PANE_DURABLE | PANE_BEHIND;
}

static void durable_drop(struct keyed *keyed, uint64_t number)
{
    struct pane *pane = pane_by_number(keyed, number);
    keyed->drops_durable++;
    keyed_bury(keyed, pane);
}

/* A checkpoint waits for some of these rows, and they may have changed again since. */
static void durable_rows(struct keyed *keyed, uint64_t number, uint32_t count, struct wire *rows)
{
    const struct pane *pane = pane_by_number(keyed, number);
    for (uint32_t i = 0; i < count && keyed->wanted; i++) {
        struct row_entry entry = get_row(rows);
        struct keyed_row *row = keyed_table_find(&pane->table, entry.id);
        if (!row || !(row->flags & ROW_WANTED))
            continue;
        keyed->late = keyed_grow(keyed->late, &keyed->late_capacity, keyed->late_count + 1, sizeof *keyed->late);
        keyed->late[keyed->late_count++] = (struct late_row){ .pane_number = number,
                                                              .id = entry.id,
                                                              .revision = entry.revision,
                                                              .at = keyed->late_bytes.n,
                                                              .n = entry.value.n };
        buf_add_slice(&keyed->late_bytes, entry.value);
        row->flags = (uint16_t)((row->flags | ROW_LATE) & ~ROW_WANTED);
        keyed->wanted--;
    }
}

void keyed_durable(struct state *state, struct slice record, uint64_t offset)
{
    struct keyed *keyed = keyed_of(state);
    struct wire from = record_entries(record);
    keyed->durable_commit = keyed->open_commit - 1;
    while (wire_left(&from)) {
        struct pane_entry pane;
        uint64_t number;
        uint32_t count;
        struct wire rows;
        switch (wire_get_u64(&from)) {
        case ENTRY_PANE:
            if (pane_decode(&from, &pane))
                durable_pane(keyed, &pane, offset);
            break;
        case ENTRY_DROP:
            durable_drop(keyed, wire_get_u64(&from));
            break;
        case ENTRY_ROWS:
            rows = get_rows(&from, &number, &count);
            if (keyed->wanted)
                durable_rows(keyed, number, count, &rows);
            break;
        }
        assert(!from.bad); /* collect made it a moment ago */
    }
}

/* ---- replaying ---- */

/* A pane of the same name with a higher number: the map is newer than this record, which is of an earlier life that
 * ends within this replay. */
static bool is_of_the_past(struct keyed *keyed, const struct pane_entry *entry, struct pane **out_same)
{
    bool is_new;
    const struct keyed_kind *kind = keyed_kind_of(keyed, entry->kind);
    struct keyed_pane *same =
        keyed_pane_get(keyed, kind, keyed_tenant(keyed, entry->tenant), entry->start_ms, false, &is_new);
    *out_same = same ? pane_of(same) : NULL;
    return same && pane_of(same)->number > entry->number;
}

static enum status apply_pane(struct keyed *keyed, const struct pane_entry *entry, uint64_t offset, struct error *err)
{
    const struct keyed_kind *kind = keyed_kind_of(keyed, entry->kind);
    struct pane *pane = pane_by_number(keyed, entry->number), *same;
    if (!kind)
        return OK; /* its definition is gone: so are its results */
    if (!pane) {
        if (is_of_the_past(keyed, entry, &same))
            return OK;
        if (same)
            return error_set(err, ERR_CORRUPT, "the changelog makes a pane twice");
        pane = pane_new(keyed, kind, keyed_tenant(keyed, entry->tenant), entry->start_ms, entry->number);
        pane->complete = entry->born;
        pane->first_offset = entry->born ? offset : entry->first_offset;
    }
    pane_set_values(keyed, pane, &entry->values);
    pane->durable = entry->values;
    pane->flags |= PANE_RECORDED | PANE_BEHIND;
    if (entry
            ->born) /* else it is known to be durable, or is of the past: dropped later in this replay, never written */
        pane->flags |= PANE_DURABLE;
    return OK;
}

static void apply_drop(struct keyed *keyed, uint64_t number)
{
    struct pane *pane = pane_by_number(keyed, number);
    if (!pane)
        return;
    pane_forget(keyed, pane);
    keyed_bury(keyed, pane);
}

static enum status apply_row(struct keyed *keyed, struct pane *pane, const struct row_entry *entry, struct error *err)
{
    struct keyed_row *row = keyed_table_find(&pane->table, entry->id);
    if (!row)
        row = keyed_row_new(keyed, pane, entry->id, entry->key);
    else if (!row->key && entry->key.p)
        keyed_row_set_key(keyed, row, entry->key);
    enum status s = keyed_row_decode(keyed, row, entry->revision, entry->value, err);
    keyed_row_set_behind(row, true);
    return s;
}

/* Each row is somewhere else in memory: looking ahead by so many hides that. */
#define AHEAD 16

static enum status apply_rows(struct keyed *keyed, uint64_t number, uint32_t count, struct wire *rows,
                              struct error *err)
{
    struct pane *pane = pane_by_number(keyed, number);
    struct row_entry ring[AHEAD];
    enum status s = OK;
    for (uint32_t i = 0; i < count + AHEAD && pane && s == OK; i++) {
        struct row_entry *entry = &ring[i % AHEAD];
        if (i >= AHEAD) /* the one that stood here for AHEAD turns */
            s = apply_row(keyed, pane, entry, err);
        if (i < count) {
            *entry = get_row(rows);
            if (rows->bad)
                return OK; /* seen by the caller */
            keyed_prefetch(&pane->pane, entry->id);
        }
        if (i >= AHEAD / 2 && i < count + AHEAD / 2)
            keyed_prefetch_row(&pane->pane, ring[(i - AHEAD / 2) % AHEAD].id);
    }
    return s;
}

static enum status apply_entry(struct keyed *keyed, struct wire *from, uint64_t offset, struct error *err)
{
    struct pane_entry pane;
    struct wire rows = { 0 };
    uint64_t number;
    uint32_t count;
    enum status s = OK;
    switch (wire_get_u64(from)) {
    case ENTRY_PANE:
        if (pane_decode(from, &pane))
            s = apply_pane(keyed, &pane, offset, err);
        break;
    case ENTRY_DROP:
        apply_drop(keyed, wire_get_u64(from));
        break;
    case ENTRY_ROWS:
        rows = get_rows(from, &number, &count);
        s = apply_rows(keyed, number, count, &rows, err);
        break;
    default:
        from->bad = true;
    }
    if (s == OK && (from->bad || rows.bad))
        s = error_set(err, ERR_CORRUPT, "a changelog record of keyed state is malformed");
    return s;
}

enum status keyed_apply(struct state *state, struct slice record, uint64_t offset, struct error *err)
{
    struct keyed *keyed = keyed_of(state);
    if (record.n < 2 || record.p[1] != 1)
        return error_set(err, ERR_CORRUPT, "a changelog record of keyed state has a version that is not 1");
    struct wire from = record_entries(record);
    enum status s = OK;
    while (s == OK && wire_left(&from))
        s = apply_entry(keyed, &from, offset, err);
    base_clear_dead(keyed, 4096);
    bool more = true;
    while (s == OK && more && keyed_memory_bytes(keyed) > keyed->memory_bytes_max) {
        s = base_write_piece(keyed, true, &more, err); /* all of it is durable */
        base_evict(keyed, 16384);
    }
    return s;
}
