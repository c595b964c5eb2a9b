/* Writing rows to the map, in the order of its keys and in bounded pieces, and letting go of what is there.
 *
 * A hand goes through panes and segments in the order of their keys, so that the map gets one long sorted run. It goes
 * once round for a checkpoint (everything that was durable when the checkpoint began must be written before the stamp:
 * newer values do as well, undurable ones do not), and round and round while memory is short. A second hand, the
 * clock's, lets go of rows that the map has and nobody has used since it came by last.
 *
 * What a checkpoint must wait for: rows that are not durable at the moment (their values come from the record of their
 * commit, keyed_record.c), and drops that are not: until one is, the pane's rows may be needed. */
#include <stdlib.h>
#include <string.h>

#include "process/aggregate/wire.h"
#include "process/state/keyed_inside.h"

#define PIECE_BYTES (128u << 10)
#define PIECE_BYTES_MAX (64u << 20) /* one row of KV_VALUE_MAX more than a piece, and to spare */
#define DROPS_AT_ONCE 256

static bool is_short_of_memory(const struct keyed *keyed)
{
    return keyed_memory_bytes(keyed) > keyed->memory_bytes_max / 10 * 8;
}

/* ---- a batch ---- */

static void batch_begin(struct batch *batch)
{
    buf_reset(&batch->bytes);
    batch->count = batch->row_count = batch->pane_count = 0;
}

/* Key and value: the last bytes of the batch. */
static void batch_add(struct batch *batch, enum kv_change_kind kind, size_t key_at, size_t value_at)
{
    batch->changes = keyed_grow(batch->changes, &batch->capacity, batch->count + 1, sizeof *batch->changes);
    batch->changes[batch->count++] = (struct kv_change){
        .kind = kind,
        .key = { (const char *)(uintptr_t)key_at, value_at - key_at },
        .value = { (const char *)(uintptr_t)value_at, batch->bytes.n - value_at },
    };
}

static size_t batch_key(struct batch *batch, char what, uint64_t number, const struct id128 *id)
{
    char key[KEYED_MAP_KEY_BYTES];
    size_t at = batch->bytes.n;
    buf_add_slice(&batch->bytes, base_key(key, what, number, id));
    return at;
}

static void put_row(struct batch *batch, const struct keyed_row *row, uint32_t revision, const struct slice *value)
{
    char head[2 * WIRE_U64_MAX];
    const struct pane *pane = pane_of(row->pane);
    size_t key_at = batch_key(batch, 'r', pane->number, &row->id), value_at = batch->bytes.n;
    char *end = wire_put_u64(wire_put_u64(head, revision), row->key_n);
    buf_add(&batch->bytes, head, (size_t)(end - head));
    buf_add(&batch->bytes, row->key, row->key_n);
    if (value)
        buf_add_slice(&batch->bytes, *value);
    else
        row->pane->kind->encode(row->pane->kind, row->data, &batch->bytes);
    batch_add(batch, KV_PUT, key_at, value_at);
}

static void put_pane(struct keyed *keyed, struct pane *pane)
{
    struct batch *batch = &keyed->batch;
    if (!(pane->flags & PANE_BEHIND))
        return;
    size_t key_at = batch_key(batch, 'p', pane->number, NULL), value_at = batch->bytes.n;
    pane_encode(keyed, pane, &pane->durable, &batch->bytes);
    batch_add(batch, KV_PUT, key_at, value_at);
    batch->panes = keyed_grow(batch->panes, &batch->pane_capacity, batch->pane_count + 1, sizeof *batch->panes);
    batch->panes[batch->pane_count++] = pane;
}

/* Ranges first, then by key. */
static int by_key(const void *a, const void *b)
{
    const struct kv_change *x = a, *y = b;
    bool x_range = x->kind == KV_DELETE_RANGE, y_range = y->kind == KV_DELETE_RANGE;
    return x_range != y_range ? (x_range ? -1 : 1) : kv_compare(x->key, y->key);
}

static enum status batch_write(struct keyed *keyed, bool wait, struct error *err)
{
    struct batch *batch = &keyed->batch;
    struct kv *map;
    bool sorted = true;
    if (batch->count == 0)
        return OK;
    if (batch->bytes.full)
        return error_set(err, ERR_FULL, "a row of keyed state is larger than %u bytes", PIECE_BYTES_MAX);
    for (size_t i = 0; i < batch->count; i++) {
        struct kv_change *change = &batch->changes[i];
        change->key.p = batch->bytes.p + (uintptr_t)change->key.p;
        change->value.p = batch->bytes.p + (uintptr_t)change->value.p;
        sorted = sorted && (i == 0 || by_key(change - 1, change) < 0);
    }
    if (!sorted)
        qsort(batch->changes, batch->count, sizeof *batch->changes, by_key);
    enum status s = state_kv_map(keyed->kv, &map, err);
    return s == OK ? map->backend->write(map, batch->changes, batch->count, wait, err) : s;
}

/* ---- what goes into it ---- */

/* Dropped panes leave the map. Those that it never knew need nothing. */
static void add_drops(struct keyed *keyed)
{
    struct batch *batch = &keyed->batch;
    size_t count = 0;
    for (struct pane *pane = keyed->dead; pane && count < DROPS_AT_ONCE; pane = pane->next) {
        if (pane->flags & PANE_CLEARED || !(pane->flags & PANE_IN_BASE))
            continue;
        size_t at = batch_key(batch, 'r', pane->number, NULL), to = batch_key(batch, 'r', pane->number + 1, NULL);
        batch_add(batch, KV_DELETE_RANGE, at, to);
        at = batch_key(batch, 'p', pane->number, NULL);
        batch_add(batch, KV_DELETE, at, batch->bytes.n);
        batch->panes = keyed_grow(batch->panes, &batch->pane_capacity, batch->pane_count + 1, sizeof *batch->panes);
        batch->panes[batch->pane_count++] = pane;
        count++;
    }
}

static struct keyed_row *late_find(const struct keyed *keyed, const struct late_row *late)
{
    const struct pane *pane = pane_by_number(keyed, late->pane_number);
    return pane ? keyed_table_find(&pane->table, late->id) : NULL; /* NULL: dropped meanwhile */
}

static enum status add_late(struct keyed *keyed, struct error *err)
{
    enum status s = OK;
    for (size_t i = 0; i < keyed->late_count && s == OK; i++) {
        const struct late_row *late = &keyed->late[i];
        struct slice value = slice_of(keyed->late_bytes.p + late->at, late->n);
        struct keyed_row *row = late_find(keyed, late);
        if (row && !row->key)
            s = base_fetch_keys(keyed, &row, 1, err);
        if (row && s == OK)
            put_row(&keyed->batch, row, late->revision, &value);
    }
    return s;
}

static int by_id(const void *a, const void *b)
{
    return id_compare((*(struct keyed_row *const *)a)->id, (*(struct keyed_row *const *)b)->id);
}

/* The rows of the segment from the hand on that can be written; those that a checkpoint must wait for are marked. */
static size_t gather(struct keyed *keyed, const struct keyed_segment *segment, struct id128 from,
                     struct keyed_row **out_rows)
{
    size_t count = 0;
    for (uint32_t i = 0; i < segment->slots_n; i++) {
        struct keyed_row *row = segment->slots[i] ? keyed_slot_row(segment->slots[i]) : NULL;
        if (!row || !keyed_row_is_behind(row) || row->flags & (ROW_WANTED | ROW_LATE) || id_compare(row->id, from) < 0)
            continue;
        if (keyed_row_is_durable(keyed, row)) {
            out_rows[count++] = row;
        } else if (keyed->settling) {
            row->flags |= ROW_WANTED;
            keyed->wanted++;
        }
    }
    qsort(out_rows, count, sizeof *out_rows, by_id);
    return count;
}

/* As much of the hand's segment as fits; the hand goes behind it. */
static enum status add_segment(struct keyed *keyed, struct error *err)
{
    static _Thread_local struct keyed_row *rows[SEGMENT_SLOTS_MAX];
    struct keyed_hand *hand = &keyed->write_hand;
    struct batch *batch = &keyed->batch;
    const struct keyed_segment *segment = keyed_segment_of(&hand->pane->table, hand->id.hi);
    uint64_t next_hi = keyed_segment_end(segment, hand->id.hi);
    size_t count = segment->behind ? gather(keyed, segment, hand->id, rows) : 0;
    enum status s = count ? base_fetch_keys(keyed, rows, count, err) : OK;
    batch->rows = keyed_grow(batch->rows, &batch->row_capacity, batch->row_count + count, sizeof *batch->rows);
    for (size_t i = 0; i < count && s == OK; i++) {
        if (batch->bytes.n >= PIECE_BYTES) {
            hand->id = rows[i]->id;
            return OK;
        }
        put_row(batch, rows[i], rows[i]->revision, NULL);
        batch->rows[batch->row_count++] = rows[i];
    }
    hand->id = (struct id128){ 0, next_hi };
    if (next_hi == 0)
        hand->pane = hand->pane->next;
    return s;
}

static enum status add_hand(struct keyed *keyed, struct error *err)
{
    struct keyed_hand *hand = &keyed->write_hand;
    enum status s = OK;
    while (s == OK && hand->pane && keyed->batch.bytes.n < PIECE_BYTES) {
        struct pane *pane = hand->pane;
        if (keyed->settling && pane->number >= keyed->settle_end)
            hand->pane = NULL;
        else if (!(pane->flags & PANE_DURABLE))
            *hand = (struct keyed_hand){ .pane = pane->next };
        else {
            if (id_is_empty(hand->id))
                put_pane(keyed, pane);
            if (pane->table.directory)
                s = add_segment(keyed, err);
            else
                *hand = (struct keyed_hand){ .pane = pane->next };
        }
    }
    return s;
}

/* ---- a piece ---- */

static void forget_late(struct keyed *keyed)
{
    for (size_t i = 0; i < keyed->late_count; i++) {
        struct keyed_row *row = late_find(keyed, &keyed->late[i]);
        if (row)
            row->flags &= (uint16_t)~ROW_LATE;
    }
    keyed->late_count = 0;
    buf_reset(&keyed->late_bytes);
}

static void is_written(struct keyed *keyed)
{
    struct batch *batch = &keyed->batch;
    for (size_t i = 0; i < batch->row_count; i++)
        keyed_row_set_behind(batch->rows[i], false);
    for (size_t i = 0; i < batch->pane_count; i++) {
        struct pane *pane = batch->panes[i];
        pane->flags |= pane->flags & PANE_DROPPED ? PANE_CLEARED : PANE_IN_BASE;
        pane->flags &= ~(uint32_t)PANE_BEHIND;
    }
    keyed->base_writes += batch->row_count + keyed->late_count;
    forget_late(keyed);
}

static bool has_uncleared(const struct keyed *keyed)
{
    for (const struct pane *pane = keyed->dead; pane; pane = pane->next)
        if (pane->flags & PANE_IN_BASE && !(pane->flags & PANE_CLEARED))
            return true;
    return false;
}

enum status base_write_piece(struct keyed *keyed, bool wait, bool *out_more, struct error *err)
{
    struct keyed_hand before = keyed->write_hand;
    bool hand_moves = (keyed->settling && !keyed->hand_done) || is_short_of_memory(keyed);
    batch_begin(&keyed->batch);
    if (hand_moves && !keyed->settling && !keyed->write_hand.pane)
        keyed->write_hand = (struct keyed_hand){ .pane = keyed->first };
    add_drops(keyed);
    enum status s = add_late(keyed, err);
    if (s == OK && hand_moves)
        s = add_hand(keyed, err);
    if (s == OK)
        s = batch_write(keyed, wait, err);
    if (s != OK) {
        keyed->write_hand = before;
        *out_more = false;
        return s == ERR_RETRY ? OK : s;
    }
    is_written(keyed);
    if (keyed->settling && !keyed->hand_done && !keyed->write_hand.pane) {
        keyed->hand_done = true;
        keyed->settle_drops = keyed->drops_made;
    }
    *out_more = (keyed->settling && !keyed->hand_done) || (hand_moves && keyed->batch.count) || has_uncleared(keyed);
    return OK;
}

/* Values that an earlier checkpoint waited for and that came to nothing are too old for this one. */
void base_begin_settling(struct keyed *keyed)
{
    forget_late(keyed);
    keyed->settling = true;
    keyed->hand_done = false;
    keyed->write_hand = (struct keyed_hand){ .pane = keyed->first };
    keyed->settle_end = keyed->next_number;
}

bool base_is_settled(const struct keyed *keyed)
{
    return keyed->hand_done && keyed->wanted == 0 && keyed->late_count == 0 &&
           keyed->drops_durable >= keyed->settle_drops && !has_uncleared(keyed);
}

/* ---- letting go ---- */

static bool may_go(const struct keyed *keyed, const struct keyed_row *row)
{
    return !(row->flags & (ROW_BEHIND | ROW_WANTED | ROW_LATE | ROW_NEW)) && keyed_row_is_durable(keyed, row);
}

static bool evict_segment(struct keyed *keyed, struct pane *pane, struct keyed_segment *segment)
{
    bool some = false;
    for (uint32_t i = 0; i < segment->slots_n;) {
        struct keyed_row *row = segment->slots[i] ? keyed_slot_row(segment->slots[i]) : NULL;
        if (!row || row->flags & ROW_RECENT || !may_go(keyed, row)) {
            if (row)
                row->flags &= (uint16_t)~ROW_RECENT;
            i++;
            continue;
        }
        keyed_table_remove(&pane->table, row); /* another one may have moved up to i */
        keyed_row_free(keyed, row);
        keyed->evictions++;
        some = true;
    }
    return some;
}

bool base_evict(struct keyed *keyed, size_t rows_max)
{
    struct keyed_hand *hand = &keyed->clock_hand;
    bool some = false;
    for (size_t looked = 0; looked < rows_max && is_short_of_memory(keyed);) {
        if (!hand->pane)
            *hand = (struct keyed_hand){ .pane = keyed->first };
        struct pane *pane = hand->pane;
        if (!pane)
            break;
        looked += 16;
        if (!pane->table.directory) {
            *hand = (struct keyed_hand){ .pane = pane->next };
            continue;
        }
        struct keyed_segment *segment = keyed_segment_of(&pane->table, hand->id.hi);
        uint64_t hi = hand->id.hi, next_hi = keyed_segment_end(segment, hi);
        looked += segment->count;
        if (evict_segment(keyed, pane, segment)) {
            pane->complete = false;
            pane->load_failed = some = true;
            keyed_table_shrink(&pane->table, &keyed->slab, hi);
        }
        *hand = (struct keyed_hand){ .pane = next_hi ? pane : pane->next, .id = { 0, next_hi } };
        if (pane->table.rows == 0)
            keyed_table_done(&pane->table, &keyed->slab);
    }
    return some;
}

/* Up to `left` rows of a dead pane; true when all are gone. */
static bool clear_rows(struct keyed *keyed, struct pane *pane, size_t *left)
{
    struct keyed_table *table = &pane->table;
    for (size_t i = 0; table->rows && *left && i < (size_t)1 << table->depth;) {
        struct keyed_segment *segment = table->directory[i];
        for (uint32_t slot = 0; slot < segment->slots_n; slot++) {
            if (!segment->slots[slot])
                continue;
            struct keyed_row *row = keyed_slot_row(segment->slots[slot]);
            keyed->wanted -= (row->flags & ROW_WANTED) != 0;
            keyed_row_free(keyed, row);
            segment->slots[slot] = 0;
        }
        *left -= segment->count < *left ? segment->count : *left;
        table->rows -= segment->count;
        segment->count = segment->behind = 0;
        i += (size_t)1 << (table->depth - segment->depth);
    }
    return table->rows == 0;
}

void base_clear_dead(struct keyed *keyed, size_t rows_max)
{
    for (struct pane **at = &keyed->dead; *at && rows_max;) {
        struct pane *pane = *at;
        bool cleared = pane->flags & PANE_CLEARED || !(pane->flags & PANE_IN_BASE);
        if (!clear_rows(keyed, pane, &rows_max) || !cleared) {
            at = &pane->next;
            continue;
        }
        *at = pane->next;
        keyed_table_done(&pane->table, &keyed->slab);
        keyed->pane_count--;
        free(pane);
    }
}

void base_pane_goes(struct keyed *keyed, struct pane *pane)
{
    struct keyed_hand *hands[] = { &keyed->write_hand, &keyed->clock_hand, &keyed->load_hand };
    for (size_t i = 0; i < COUNT_OF(hands); i++)
        if (hands[i]->pane == pane)
            *hands[i] = (struct keyed_hand){ .pane = pane->next };
}
