/* What the map (state_kv.h) holds of keyed state, and reading it:
 *
 *   u8 STATE_KEYED, 'p', u64 pane number (big-endian)                →  the pane's entry, as in a record
 * (keyed_record.c) u8 STATE_KEYED, 'r', u64 pane number, u64 id.hi, u64 id.lo (BE)  →  revision, key length, key
 * (LEB128), value
 *
 * A pane's number is given once for ever, so that deleting an old pane's range can never touch a new one of the same
 * name. A pane's entry is written before or with its first row. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "process/aggregate/wire.h"
#include "process/state/keyed_inside.h"

#define LOAD_AT_ONCE 1024
#define LOAD_IDS_MAX 512

/* ---- keys and values ---- */

struct slice base_key(char to[KEYED_MAP_KEY_BYTES], char what, uint64_t number, const struct id128 *id)
{
    uint64_t parts[3] = { htobe64(number), htobe64(id ? id->hi : 0), htobe64(id ? id->lo : 0) };
    to[0] = STATE_KEYED;
    to[1] = what;
    memcpy(to + 2, parts, sizeof parts);
    return slice_of(to, id ? KEYED_MAP_KEY_BYTES : 2 + sizeof number);
}

static struct id128 id_of_key(struct slice key)
{
    uint64_t parts[3];
    memcpy(parts, key.p + 2, sizeof parts);
    return (struct id128){ be64toh(parts[2]), be64toh(parts[1]) };
}

struct map_row {
    uint32_t revision;
    struct slice key, value;
};

static bool map_row_parse(struct slice bytes, struct map_row *out)
{
    struct wire from = wire_from(bytes);
    out->revision = (uint32_t)wire_get_u64(&from);
    size_t n = (size_t)wire_get_u64(&from);
    const char *key = n <= KEYED_KEY_MAX ? wire_get(&from, n) : NULL;
    if (from.bad || !key)
        return false;
    out->key = slice_of(key, n);
    out->value = slice_of(from.at, wire_left(&from));
    return true;
}

static enum status not_readable(struct keyed *keyed, enum status s, struct error *err)
{
    if (s == ERR_CORRUPT)
        state_kv_note_damage(keyed->kv);
    return error_wrap(err, s, "rows of keyed state");
}

/* A row of the map takes its place in memory, or lends its key to the one that is there. */
static enum status take_row(struct keyed *keyed, struct pane *pane, struct id128 id, struct slice bytes,
                            struct keyed_row **out, struct error *err)
{
    struct map_row in;
    if (!map_row_parse(bytes, &in))
        return error_set(err, ERR_CORRUPT, "a row in the map is malformed");
    struct keyed_row *row = keyed_table_find(&pane->table, id);
    *out = row;
    if (row) {
        if (!row->key)
            keyed_row_set_key(keyed, row, in.key);
        return OK;
    }
    *out = keyed_row_new(keyed, pane, id, in.key);
    keyed->base_reads++;
    return keyed_row_decode(keyed, *out, in.revision, in.value, err);
}

/* ---- single rows ---- */

enum status base_fetch(struct keyed *keyed, struct pane *pane, struct id128 id, struct keyed_row **out,
                       struct error *err)
{
    char key[KEYED_MAP_KEY_BYTES];
    AUTO(buf) struct buf value = { 0 };
    struct kv *map;
    enum status s = state_kv_map(keyed->kv, &map, err);
    if (s != OK)
        return s;
    buf_init(&value, KV_VALUE_MAX);
    s = map->backend->get(map, base_key(key, 'r', pane->number, &id), &value, err);
    if (s == OK)
        s = take_row(keyed, pane, id, buf_slice(&value), out, err);
    return s == OK || s == ERR_NOT_FOUND ? s : not_readable(keyed, s, err);
}

/* ---- many rows ---- */

struct many {
    struct keyed *keyed;
    struct pane *pane;
    const struct id128 *ids;
    enum status status;
    struct error *err;
    size_t found;
};

static void take_of_many(void *self, size_t index, struct slice value)
{
    struct many *many = self;
    struct keyed_row *row;
    many->found++;
    if (many->status == OK)
        many->status = take_row(many->keyed, many->pane, many->ids[index], value, &row, many->err);
}

/* ids: ascending, at most LOAD_IDS_MAX. */
static enum status fetch_many(struct many *many, size_t count)
{
    static _Thread_local char bytes[LOAD_IDS_MAX][KEYED_MAP_KEY_BYTES];
    static _Thread_local struct slice keys[LOAD_IDS_MAX];
    struct kv *map;
    assert(count <= LOAD_IDS_MAX);
    enum status s = state_kv_map(many->keyed->kv, &map, many->err);
    for (size_t i = 0; i < count; i++)
        keys[i] = base_key(bytes[i], 'r', many->pane->number, &many->ids[i]);
    if (s == OK)
        s = map->backend->get_many(map, keys, count, take_of_many, many, many->err);
    if (s == OK)
        s = many->status;
    return s == OK ? OK : not_readable(many->keyed, s, many->err);
}

static int by_id(const void *a, const void *b)
{
    return id_compare(*(const struct id128 *)a, *(const struct id128 *)b);
}

enum status keyed_load(struct keyed *keyed, struct keyed_pane *pane, const struct id128 *ids, size_t count,
                       struct error *err)
{
    static _Thread_local struct id128 missing[LOAD_IDS_MAX];
    struct pane *from = pane_of(pane);
    enum status s = OK;
    for (size_t i = 0; i < count && s == OK && !from->complete;) {
        struct many many = { .keyed = keyed, .pane = from, .ids = missing, .err = err };
        size_t n = 0;
        for (; i < count && n < LOAD_IDS_MAX; i++)
            if (!keyed_table_find(&from->table, ids[i]))
                missing[n++] = ids[i];
        qsort(missing, n, sizeof missing[0], by_id);
        if (n)
            s = fetch_many(&many, n);
    }
    return s;
}

enum status base_fetch_keys(struct keyed *keyed, struct keyed_row *const *rows, size_t count, struct error *err)
{
    static _Thread_local struct id128 ids[LOAD_IDS_MAX];
    enum status s = OK;
    for (size_t i = 0; i < count && s == OK;) {
        struct many many = { .keyed = keyed, .pane = pane_of(rows[0]->pane), .ids = ids, .err = err };
        size_t n = 0;
        for (; i < count && n < LOAD_IDS_MAX; i++)
            if (!rows[i]->key)
                ids[n++] = rows[i]->id;
        if (n)
            s = fetch_many(&many, n);
        if (s == OK && many.found != n) {
            s = error_set(err, ERR_CORRUPT, "the map lacks %zu rows that the changelog speaks of", n - many.found);
            return not_readable(keyed, s, err);
        }
    }
    return s;
}

/* ---- ranges ---- */

struct load {
    struct many many;
    size_t rows_max;
    struct id128 last;
};

static bool load_visit(void *self, struct slice key, struct slice value)
{
    struct load *load = self;
    struct many *many = &load->many;
    struct keyed_row *row;
    if (key.n != KEYED_MAP_KEY_BYTES)
        many->status = error_set(many->err, ERR_CORRUPT, "a key of %zu bytes in the map", key.n);
    if (many->status == OK)
        many->status = take_row(many->keyed, many->pane, load->last = id_of_key(key), value, &row, many->err);
    return many->status == OK && ++many->found < load->rows_max;
}

enum status base_load(struct keyed *keyed, struct pane *pane, struct id128 from, size_t rows_max, struct id128 *out_end,
                      bool *out_done, struct error *err)
{
    struct load load = { .many = { .keyed = keyed, .pane = pane, .err = err }, .rows_max = rows_max };
    char begin[KEYED_MAP_KEY_BYTES], end[KEYED_MAP_KEY_BYTES];
    struct kv *map;
    enum status s = state_kv_map(keyed->kv, &map, err);
    if (s == OK)
        s = map->backend->scan(map, base_key(begin, 'r', pane->number, &from),
                               base_key(end, 'r', pane->number + 1, NULL), load_visit, &load, err);
    if (s == OK)
        s = load.many.status;
    if (s != OK)
        return not_readable(keyed, s, err);
    *out_end = (struct id128){ load.last.lo + 1, load.last.hi + (load.last.lo == UINT64_MAX) };
    *out_done = load.many.found < rows_max || id_is_empty(*out_end);
    if (*out_done)
        *out_end = (struct id128){ 0, 0 };
    return OK;
}

enum status base_load_some(struct keyed *keyed, bool *out_more, struct error *err)
{
    struct keyed_hand *hand = &keyed->load_hand;
    struct pane *pane = hand->pane;
    *out_more = false;
    if (!pane || keyed_memory_bytes(keyed) > keyed->memory_bytes_max / 2)
        return OK;
    bool done = true;
    if (id_is_empty(hand->id))
        pane->load_failed = false;
    enum status s = pane->complete ? OK : base_load(keyed, pane, hand->id, LOAD_AT_ONCE, &hand->id, &done, err);
    if (s != OK)
        return s;
    if (done) {
        pane->complete |= !pane->load_failed;
        *hand = (struct keyed_hand){ .pane = pane->next };
    }
    *out_more = hand->pane != NULL;
    return OK;
}

/* ---- panes ---- */

/* Its definition is gone: it is cleared from the map like a dropped one. */
static void take_orphan(struct keyed *keyed, uint64_t number)
{
    struct pane *pane = calloc(1, sizeof *pane);
    if (!pane)
        abort();
    pane->number = number;
    pane->flags = PANE_IN_BASE | PANE_DROPPED;
    pane->next = keyed->dead;
    keyed->dead = pane;
    keyed->pane_count++;
}

static bool pane_visit(void *self, struct slice key, struct slice value)
{
    struct many *many = self;
    struct wire from = wire_from(value);
    struct pane_entry entry;
    bool is_new;
    (void)key;
    if (!pane_decode(&from, &entry) || wire_left(&from)) {
        many->status = error_set(many->err, ERR_CORRUPT, "a pane in the map is malformed");
        return false;
    }
    const struct keyed_kind *kind = keyed_kind_of(many->keyed, entry.kind);
    if (!kind) {
        take_orphan(many->keyed, entry.number);
        return true;
    }
    uint32_t tenant = keyed_tenant(many->keyed, entry.tenant);
    if (pane_by_number(many->keyed, entry.number) ||
        keyed_pane_get(many->keyed, kind, tenant, entry.start_ms, false, &is_new)) {
        many->status = error_set(many->err, ERR_CORRUPT, "the map has a pane twice");
        return false;
    }
    struct pane *pane = pane_new(many->keyed, kind, tenant, entry.start_ms, entry.number);
    pane->flags = PANE_RECORDED | PANE_DURABLE | PANE_IN_BASE;
    pane->first_offset = entry.first_offset;
    pane->durable = entry.values;
    pane_set_values(many->keyed, pane, &entry.values);
    return true;
}

enum status base_read_panes(struct keyed *keyed, struct error *err)
{
    struct many many = { .keyed = keyed, .err = err };
    char begin[KEYED_MAP_KEY_BYTES], end[KEYED_MAP_KEY_BYTES];
    struct kv *map;
    enum status s = state_kv_map(keyed->kv, &map, err);
    if (s == OK)
        s = map->backend->scan(map, base_key(begin, 'p', 0, NULL), base_key(end, 'q', 0, NULL), pane_visit, &many, err);
    if (s == OK)
        s = many.status;
    keyed->load_hand = (struct keyed_hand){ .pane = keyed->first };
    return s == OK ? OK : not_readable(keyed, s, err);
}
