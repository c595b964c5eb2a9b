/* Open addressing, at most half full, with a slot for each key: the rows of a key lie together in the order of time, so
 * that a table with a long history costs no more slots than one without. */
#include "expr/lookup.h"

#include <xxhash.h>

static int compare(struct value a, struct value b)
{
    if (a.kind == VALUE_INT)
        return (a.i > b.i) - (a.i < b.i);
    struct slice left = value_slice(a), right = value_slice(b);
    size_t n = left.n < right.n ? left.n : right.n;
    int order = n ? memcmp(left.p, right.p, n) : 0;
    return order ? order : (left.n > right.n) - (left.n < right.n);
}

int lookup_compare_keys(const struct lookup_table *table, const struct lookup_row *a, const struct lookup_row *b)
{
    int order = 0;
    for (size_t i = 0; i < table->key_count && !order; i++)
        order = compare(a->cells[table->keys[i]], b->cells[table->keys[i]]);
    return order;
}

size_t lookup_slot_count(size_t rows)
{
    size_t count = 16;
    while (count < 2 * rows)
        count *= 2;
    return count;
}

/* Each value's hash is the seed of the next: ("ab", "c") is another key than ("a", "bc"). */
static uint64_t add_hash(uint64_t hash, struct value v)
{
    if (v.kind == VALUE_INT)
        return XXH3_64bits_withSeed(&v.i, sizeof v.i, hash);
    struct slice text = value_slice(v);
    return XXH3_64bits_withSeed(text.p, text.n, hash);
}

static size_t slot_of_row(const struct lookup_table *table, const struct lookup_row *row, size_t slot_count)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < table->key_count; i++)
        hash = add_hash(hash, row->cells[table->keys[i]]);
    return hash & (slot_count - 1);
}

void lookup_index(const struct lookup_table *table, struct lookup_row *rows, size_t row_count, uint32_t *slots,
                  size_t slot_count)
{
    assert(slot_count >= 2 * row_count && (slot_count & (slot_count - 1)) == 0 && row_count < UINT32_MAX);
    for (size_t first = 0, next; first < row_count; first = next) {
        for (next = first + 1; next < row_count && !lookup_compare_keys(table, &rows[next], &rows[first]); next++)
            assert(rows[next - 1].to_ms <= rows[next].from_ms);
        rows[first].versions = (uint32_t)(next - first);
        size_t slot = slot_of_row(table, &rows[first], slot_count);
        while (slots[slot])
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = (uint32_t)first + 1;
    }
}

static bool has_key(const struct lookup_table *table, const struct lookup_row *row, const struct value *key)
{
    for (size_t i = 0; i < table->key_count; i++)
        if (compare(row->cells[table->keys[i]], key[i]))
            return false;
    return true;
}

static const struct lookup_row *first_of(const struct lookup_table *table, const struct value *key, uint64_t hash)
{
    if (!table->slot_count) /* its rows have not come yet */
        return NULL;
    size_t slot = hash & (table->slot_count - 1);
    for (; table->slots[slot]; slot = (slot + 1) & (table->slot_count - 1)) {
        const struct lookup_row *row = &table->rows[table->slots[slot] - 1];
        if (has_key(table, row, key))
            return row;
    }
    return NULL;
}

/* The last one that has begun, if it has not ended. */
static const struct lookup_row *valid_at(const struct lookup_row *first, int64_t at_ms)
{
    size_t low = 0, high = first->versions; /* those before low have begun, those from high on have not */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (first[middle].from_ms <= at_ms)
            low = middle + 1;
        else
            high = middle;
    }
    const struct lookup_row *row = low ? &first[low - 1] : NULL;
    return row && at_ms < row->to_ms ? row : NULL;
}

/* As rows of whole keys are kept; what is no whole number is no key. */
static struct value whole_key(struct value key)
{
    if (key.kind == VALUE_TEXT)
        key = value_from_decimal(value_slice(key));
    if (key.kind == VALUE_NUMBER)
        key = value_from_double(key.d);
    return key.kind == VALUE_INT ? value_int(key.i) : value_null(REASON_MISSING);
}

struct value lookup_find(const struct lookup_table *table, const struct value *key, int64_t at_ms, size_t column)
{
    char digits[LOOKUP_KEYS_MAX][VALUE_DIGITS_MAX];
    struct value wanted[LOOKUP_KEYS_MAX];
    uint64_t hash = 0;
    assert(column < table->column_count && table->key_count <= LOOKUP_KEYS_MAX);
    for (size_t i = 0; i < table->key_count; i++) {
        wanted[i] = table->whole[i] ? whole_key(key[i]) : key[i];
        if (value_is_null(wanted[i]))
            return value_is_null(key[i]) ? key[i] : wanted[i];
        if (!table->whole[i])
            wanted[i] = value_text(value_as_text(wanted[i], digits[i]));
        hash = add_hash(hash, wanted[i]);
    }
    const struct lookup_row *row = first_of(table, wanted, hash);
    row = row ? valid_at(row, at_ms) : NULL;
    return row ? row->cells[column] : value_null(REASON_MISSING);
}
