/* Open addressing, at most half full, with a slot for each key: the rows of a key lie together in the order of time, so
 * that a table with a long history costs no more slots than one without. */
#include "expr/lookup.h"

#include <xxhash.h>

int lookup_compare_keys(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

size_t lookup_slot_count(size_t rows)
{
    size_t count = 16;
    while (count < 2 * rows)
        count *= 2;
    return count;
}

static size_t slot_of(struct slice key, size_t slot_count)
{
    return XXH3_64bits(key.p, key.n) & (slot_count - 1);
}

void lookup_index(struct lookup_row *rows, size_t row_count, uint32_t *slots, size_t slot_count)
{
    assert(slot_count >= 2 * row_count && (slot_count & (slot_count - 1)) == 0 && row_count < UINT32_MAX);
    for (size_t first = 0, next; first < row_count; first = next) {
        for (next = first + 1; next < row_count && slice_equal(rows[next].key, rows[first].key); next++)
            assert(rows[next - 1].to_ms <= rows[next].from_ms);
        rows[first].versions = (uint32_t)(next - first);
        size_t slot = slot_of(rows[first].key, slot_count);
        while (slots[slot])
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = (uint32_t)first + 1;
    }
}

static const struct lookup_row *first_of(const struct lookup_table *table, struct slice key)
{
    size_t slot = slot_of(key, table->slot_count);
    for (; table->slots[slot]; slot = (slot + 1) & (table->slot_count - 1)) {
        const struct lookup_row *row = &table->rows[table->slots[slot] - 1];
        if (slice_equal(row->key, key))
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

struct value lookup_find(const struct lookup_table *table, struct value key, int64_t at_ms, size_t column)
{
    char digits[VALUE_DIGITS_MAX];
    assert(column < table->column_count);
    if (table->whole_keys && !value_is_null(key))
        key = whole_key(key);
    if (value_is_null(key))
        return key;
    const struct lookup_row *row = first_of(table, value_as_text(key, digits));
    row = row ? valid_at(row, at_ms) : NULL;
    return row ? row->cells[column] : value_null(REASON_MISSING);
}
