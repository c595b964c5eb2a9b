/* A table of values by key and time, as `lookup` in expressions asks it: what is true of a product, a plan, a country,
 * and since when. Made at load by one thread (config/domain_dimension.c), then const, unless its rows are replaced as a
 * whole while nobody asks; any thread may ask. It owns nothing: names, rows, cells and slots lie in the arena of
 * whoever made it. Finding takes one hash for each value of the key, and as many steps as the logarithm of a key's
 * versions; no memory, no lock. */
#pragma once
#include "base/compiler.h"
#include "expr/value.h"

/* What has no beginning or no end is valid from or until here; the range of base/timestamp.h. */
#define LOOKUP_KEYS_MAX 5 /* columns of a key, the tenant's among them */
#define LOOKUP_BEGIN_MS INT64_MIN
#define LOOKUP_END_MS INT64_MAX

struct lookup_column {
    struct slice name;
    unsigned types; /* TYPE_… of its values, null among them */
};

struct lookup_row {
    int64_t from_ms, to_ms;    /* valid at from_ms, no more at to_ms */
    const struct value *cells; /* one for each column; those of the key are text or whole numbers, never null */
    uint32_t versions;         /* of the first row of a key: how many rows it has */
};

struct lookup_table {
    struct slice name;
    const struct lookup_column *columns;
    size_t column_count;
    uint8_t keys[LOOKUP_KEYS_MAX]; /* the columns by which a row is found */
    uint8_t key_count;
    bool whole[LOOKUP_KEYS_MAX]; /* that one is a whole number: 7, 7.0 and '7' are the same */
    bool by_tenant;              /* keys[0] is whose row it is: an expression finds those of the event's tenant alone */
    const struct lookup_row *rows; /* by key, then from_ms; no two of a key are valid at one time */
    size_t row_count;
    const uint32_t *slots; /* 0: nobody; else the place of a key's first row + 1 */
    size_t slot_count;     /* a power of two */
};

/* What an expression may ask. */
struct lookup_set {
    const struct lookup_table *tables;
    size_t count;
};

/* Slots for so many rows. */
size_t lookup_slot_count(size_t rows);
/* rows, for a table whose keys are set, are in order. Sets versions of each key's first row, and the slots, which are
 * all 0. The table is not changed: the caller gives it both. */
void lookup_index(const struct lookup_table *table, struct lookup_row *rows, size_t row_count, uint32_t *slots,
                  size_t slot_count);
/* Of the row of this key, which has table->key_count values, that is valid at that time; null: there is none, or its
 * cell is empty. */
struct value lookup_find(const struct lookup_table *table, const struct value *key, int64_t at_ms, size_t column);
/* The order of rows: below, at or above 0. */
int lookup_compare_keys(const struct lookup_table *table, const struct lookup_row *a, const struct lookup_row *b);
