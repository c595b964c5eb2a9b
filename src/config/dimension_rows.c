/* The file is kept whole and cells are views of it; rows are collected, put in order by key and time, and looked over
 * once more for two that hold at one time. After a few mistakes it stops: what is wrong in one row is wrong in all. */
#include "config/dimension_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/timestamp.h"
#include "config/csv.h"
#include "config/settings.h"

#define FILE_COLUMNS_MAX 256
#define MISTAKES_MAX 10
#define NOWHERE SIZE_MAX
#define KEY_SHOWN_BYTES 64u /* of each part of it, in a message */
#define TOO_LARGE "all dimension tables together take more than %u MiB; a row takes some %zu bytes beside its text"

struct row {
    struct lookup_row row;
    size_t at, width; /* of its key's last part, for messages */
};

struct rows {
    struct yaml_file *file;
    struct csv csv;
    struct arena *arena;
    const struct dimension_source *source;
    const struct dimension_table *table;
    struct lookup_table *lookup;
    struct csv_cell cells[FILE_COLUMNS_MAX];
    size_t cell_count; /* of the header */
    size_t places[DIMENSION_COLUMNS_MAX], from_place, to_place;
    struct row *items;
    size_t count, capacity;
};

unsigned dimension_types(enum event_kind kind)
{
    switch (kind) {
    case EVENT_INTEGER:
    case EVENT_MONEY:
    case EVENT_TIMESTAMP:
        return TYPE_INT | TYPE_NULL;
    case EVENT_FLOAT:
        return TYPE_NUMERIC | TYPE_NULL;
    case EVENT_BOOLEAN:
        return TYPE_BOOL | TYPE_NULL;
    case EVENT_TEXT:
    case EVENT_KINDS:
        break;
    }
    return TYPE_TEXT | TYPE_NULL;
}

/* ---- the header ---- */

static void no_column(struct rows *rows, struct slice name)
{
    const struct csv_cell *closest = NULL;
    size_t least = name.n / 3 + 2, end = rows->cells[rows->cell_count - 1].at + rows->cells[rows->cell_count - 1].width;
    for (size_t i = 0; i < rows->cell_count; i++) {
        size_t distance = slice_distance(name, rows->cells[i].text);
        if (distance < least) {
            least = distance;
            closest = &rows->cells[i];
        }
    }
    if (closest)
        yaml_problem(rows->file, closest->at, closest->width, "there is no column %.*s; is it %.*s?", SLICE_ARG(name),
                     SLICE_ARG(closest->text));
    else
        yaml_problem(rows->file, rows->cells[0].at, end - rows->cells[0].at, "there is no column %.*s",
                     SLICE_ARG(name));
}

static size_t place_of(struct rows *rows, struct slice name)
{
    size_t place = NOWHERE;
    for (size_t i = 0; i < rows->cell_count; i++) {
        if (!slice_equal(rows->cells[i].text, name))
            continue;
        if (place != NOWHERE)
            yaml_problem(rows->file, rows->cells[i].at, rows->cells[i].width, "there are two columns %.*s",
                         SLICE_ARG(name));
        place = i;
    }
    if (place == NOWHERE)
        no_column(rows, name);
    return place;
}

static bool told(struct rows *rows, enum csv_result result)
{
    if (result == CSV_WRONG)
        yaml_problem(rows->file, rows->csv.problem_at, 1, "%s", rows->csv.problem);
    return result == CSV_WRONG;
}

/* Rows of several tenants would be everybody's. */
static void tell_tenant(struct rows *rows)
{
    for (size_t i = 0; i < rows->cell_count; i++)
        if (slice_equal_nocase(rows->cells[i].text, SLICE(DIMENSION_TENANT)))
            yaml_problem(rows->file, rows->cells[i].at, rows->cells[i].width,
                         "each tenant would see the rows of all: declare `" DIMENSION_TENANT
                         ": text` in `columns`, and each sees its own");
}

static bool read_header(struct rows *rows)
{
    const struct dimension_source *source = rows->source;
    enum csv_result result = csv_next(&rows->csv, rows->cells, FILE_COLUMNS_MAX, &rows->cell_count);
    if (told(rows, result))
        return false;
    if (result == CSV_END || rows->cell_count > FILE_COLUMNS_MAX) {
        yaml_problem(rows->file, 0, 1, "the first line has the names of the columns, at most %d", FILE_COLUMNS_MAX);
        return false;
    }
    if (rows->cell_count == 1 && memchr(rows->cells[0].text.p, ';', rows->cells[0].text.n)) {
        yaml_problem(rows->file, rows->cells[0].at, rows->cells[0].width,
                     "cells are separated by commas; here are semicolons");
        return false;
    }
    for (size_t i = 0; i < source->column_count; i++)
        rows->places[i] = place_of(rows, source->names[i]);
    if (!rows->lookup->by_tenant)
        tell_tenant(rows);
    rows->from_place = source->valid_from.n ? place_of(rows, source->valid_from) : NOWHERE;
    rows->to_place = source->valid_to.n ? place_of(rows, source->valid_to) : NOWHERE;
    return rows->file->count == 0;
}

/* ---- cells ---- */

static struct value truth(struct slice text)
{
    bool yes = slice_equal_nocase(text, SLICE("true")), no = slice_equal_nocase(text, SLICE("false"));
    return yes || no ? value_bool(yes) : value_null(REASON_UNREADABLE);
}

static struct value parse(enum event_kind kind, struct slice text)
{
    struct value number;
    int64_t ms;
    switch (kind) {
    case EVENT_INTEGER:
        number = value_from_decimal(text);
        return number.kind == VALUE_INT ? value_int(number.i) : value_null(REASON_UNREADABLE);
    case EVENT_FLOAT:
        return value_from_decimal(text);
    case EVENT_MONEY:
        return expr_cents(value_text(text));
    case EVENT_BOOLEAN:
        return truth(text);
    case EVENT_TIMESTAMP:
        return timestamp_parse(text, &ms) ? value_int(ms) : value_null(REASON_UNREADABLE);
    case EVENT_TEXT:
    case EVENT_KINDS:
        break;
    }
    return value_text(text);
}

/* Empty is null. */
static struct value read_cell(struct rows *rows, enum event_kind kind, struct slice name, const struct csv_cell *cell)
{
    static const char *const WANTED[EVENT_KINDS] = {
        [EVENT_TEXT] = "text",
        [EVENT_INTEGER] = "a whole number, such as 12",
        [EVENT_FLOAT] = "a number, such as 1.5",
        [EVENT_MONEY] = "an amount, such as 19.99",
        [EVENT_BOOLEAN] = "true or false",
        [EVENT_TIMESTAMP] = "a time, such as 2026-01-31 or 2026-01-31T09:00:00Z",
    };
    struct slice text = kind == EVENT_TEXT ? cell->text : slice_trim(cell->text);
    if (!text.n)
        return value_null(REASON_MISSING);
    struct value value = parse(kind, text);
    if (text.n > DIMENSION_CELL_BYTES_MAX)
        yaml_problem(rows->file, cell->at, 1, "a cell has at most %d bytes", DIMENSION_CELL_BYTES_MAX);
    else if (value_is_null(value))
        yaml_problem(rows->file, cell->at, cell->width, "%.*s is %s; '%.*s' is not", SLICE_ARG(name), WANTED[kind],
                     (int)(text.n < 40 ? text.n : 40), text.p);
    return value;
}

static int64_t read_time(struct rows *rows, size_t place, struct slice name, int64_t otherwise_ms)
{
    struct value ms = { 0 };
    if (place != NOWHERE)
        ms = read_cell(rows, EVENT_TIMESTAMP, name, &rows->cells[place]);
    return ms.kind == VALUE_INT ? ms.i : otherwise_ms;
}

static void look_at_key(struct rows *rows, const struct value *cells, struct row *row)
{
    const struct lookup_table *lookup = rows->lookup;
    for (size_t i = 0; i < lookup->key_count; i++) {
        const struct csv_cell *cell = &rows->cells[rows->places[lookup->keys[i]]];
        row->at = cell->at;
        row->width = cell->width ? cell->width : 1;
        if (value_is_null(cells[lookup->keys[i]]) && !slice_trim(cell->text).n)
            yaml_problem(rows->file, cell->at, 1, "the key is empty here");
    }
}

/* "DE, B-7": for people. */
static void add_key(const struct rows *rows, const struct row *row, struct buf *out)
{
    char digits[VALUE_DIGITS_MAX];
    for (size_t i = 0; i < rows->lookup->key_count; i++) {
        struct slice text = value_as_text(row->row.cells[rows->lookup->keys[i]], digits);
        buf_add_text(out, i ? ", " : "");
        buf_add_slice(out, slice_of(text.p, text.n < KEY_SHOWN_BYTES ? text.n : KEY_SHOWN_BYTES));
    }
}

/* ---- rows ---- */

static bool too_large(struct rows *rows, size_t at)
{
    yaml_problem(rows->file, at, 1, TOO_LARGE, DIMENSION_BYTES_MAX >> 20,
                 sizeof(struct lookup_row) + rows->source->column_count * sizeof(struct value));
    return false;
}

static struct row *new_row(struct rows *rows)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity ? 2 * rows->capacity : 64;
        rows->items = realloc(rows->items, rows->capacity * sizeof *rows->items);
        if (!rows->items)
            abort();
    }
    return &rows->items[rows->count++];
}

/* False: reading on has no sense. */
static bool add_row(struct rows *rows)
{
    const struct dimension_source *source = rows->source;
    size_t at = rows->cells[0].at;
    if (rows->count == DIMENSION_ROWS_MAX) {
        yaml_problem(rows->file, at, 1, "a dimension table has at most %u rows", DIMENSION_ROWS_MAX);
        return false;
    }
    struct value *cells = arena_take(rows->arena, source->column_count * sizeof *cells);
    struct row *row = new_row(rows);
    *row = (struct row){ .row.cells = cells };
    if (!cells)
        return too_large(rows, at);
    for (size_t i = 0; i < source->column_count; i++)
        cells[i] = read_cell(rows, source->kinds[i], source->names[i], &rows->cells[rows->places[i]]);
    look_at_key(rows, cells, row);
    row->row.from_ms = read_time(rows, rows->from_place, source->valid_from, LOOKUP_BEGIN_MS);
    row->row.to_ms = read_time(rows, rows->to_place, source->valid_to, LOOKUP_END_MS);
    if (row->row.to_ms <= row->row.from_ms)
        yaml_problem(rows->file, rows->cells[rows->to_place].at, rows->cells[rows->to_place].width,
                     "this row ends before it begins");
    return rows->file->count < MISTAKES_MAX;
}

static void read_rows(struct rows *rows)
{
    enum csv_result result;
    size_t count;
    while ((result = csv_next(&rows->csv, rows->cells, FILE_COLUMNS_MAX, &count)) == CSV_ROW) {
        if (count == rows->cell_count) {
            if (!add_row(rows))
                return;
            continue;
        }
        yaml_problem(rows->file, rows->cells[0].at, 1, "this row has %zu cell%s, the first line has %zu", count,
                     count == 1 ? "" : "s", rows->cell_count);
        if (rows->file->count >= MISTAKES_MAX)
            return;
    }
    told(rows, result);
}

static int compare_rows(const void *a, const void *b, void *lookup)
{
    const struct row *left = a, *right = b;
    int order = lookup_compare_keys(lookup, &left->row, &right->row);
    if (!order)
        order = (left->row.from_ms > right->row.from_ms) - (left->row.from_ms < right->row.from_ms);
    return order ? order : (left->at > right->at) - (left->at < right->at);
}

static void tell_overlap(struct rows *rows, const struct row *earlier, const struct row *row)
{
    AUTO(buf) struct buf key;
    int line = yaml_line(rows->file, earlier->at) + 1;
    buf_init(&key, LOOKUP_KEYS_MAX * (KEY_SHOWN_BYTES + 2) + 1);
    add_key(rows, row, &key);
    if (!rows->table->has_validity)
        yaml_problem(rows->file, row->at, row->width,
                     "%s is in line %d already; rows of one key need valid_from, to be told apart", buf_text(&key),
                     line);
    else
        yaml_problem(rows->file, row->at, row->width, "this row of %s and the one of line %d are valid at one time",
                     buf_text(&key), line);
}

static void order_rows(struct rows *rows)
{
    if (!rows->count)
        return;
    qsort_r(rows->items, rows->count, sizeof *rows->items, compare_rows, rows->lookup);
    for (size_t i = 1; i < rows->count && rows->file->count < MISTAKES_MAX; i++) {
        struct row *earlier = &rows->items[i - 1], *row = &rows->items[i];
        if (lookup_compare_keys(rows->lookup, &earlier->row, &row->row))
            continue;
        bool until_next = rows->table->has_validity && rows->to_place == NOWHERE;
        if (until_next && earlier->row.from_ms < row->row.from_ms)
            earlier->row.to_ms = row->row.from_ms;
        else if (earlier->row.to_ms > row->row.from_ms)
            tell_overlap(rows, earlier, row);
    }
}

static void keep_rows(struct rows *rows)
{
    struct lookup_table *lookup = rows->lookup;
    size_t slot_count = lookup_slot_count(rows->count);
    struct lookup_row *kept = arena_take(rows->arena, (rows->count + 1) * sizeof *kept);
    uint32_t *slots = arena_take(rows->arena, slot_count * sizeof *slots);
    if (!kept || !slots) {
        too_large(rows, 0);
        return;
    }
    for (size_t i = 0; i < rows->count; i++)
        kept[i] = rows->items[i].row;
    memset(slots, 0, slot_count * sizeof *slots);
    lookup_index(lookup, kept, rows->count, slots, slot_count);
    lookup->rows = kept;
    lookup->row_count = rows->count;
    lookup->slots = slots;
    lookup->slot_count = slot_count;
}

uint64_t dimension_tenants_digest(const struct dimension_table *table, uint64_t digest)
{
    for (size_t i = 0; i < table->tenant_count; i++)
        digest = XXH3_64bits_withSeed(table->tenants[i].p, table->tenants[i].n, digest);
    return digest;
}

uint64_t dimension_rows_digest(const struct dimension_table *table, const struct lookup_table *lookup,
                               struct slice text)
{
    AUTO(buf) struct buf declared;
    const struct dimension_source *source = table->source;
    buf_init(&declared, 1u << 20);
    buf_add_format(&declared, "%.*s", SLICE_ARG(table->name));
    for (size_t i = 0; i < lookup->key_count; i++)
        buf_add_format(&declared, " %u", lookup->keys[i]);
    buf_add_format(&declared, " %.*s %.*s", SLICE_ARG(source->valid_from), SLICE_ARG(source->valid_to));
    for (size_t i = 0; i < source->column_count; i++)
        buf_add_format(&declared, " %.*s %s", SLICE_ARG(source->names[i]), event_kind_name(source->kinds[i]));
    assert(!declared.full);
    return dimension_tenants_digest(table, XXH3_64bits_withSeed(text.p, text.n, XXH3_64bits(declared.p, declared.n)));
}

void dimension_rows_parse(struct yaml_file *file, struct arena *arena, const struct dimension_table *table,
                          struct lookup_table *lookup, uint64_t *out_digest)
{
    struct rows *rows = calloc(1, sizeof *rows);
    if (!rows)
        abort();
    *rows = (struct rows){ .file = file, .arena = arena, .source = table->source, .table = table, .lookup = lookup };
    csv_init(&rows->csv, file->text, arena);
    *out_digest = dimension_rows_digest(table, lookup, file->text);
    if (read_header(rows)) {
        read_rows(rows);
        if (file->count == 0)
            order_rows(rows);
        if (file->count == 0)
            keep_rows(rows);
    }
    free(rows->items);
    free(rows);
}

void dimension_rows_read(struct domain_reader *reader, struct fy_node *csv, struct dimension_table *table,
                         struct lookup_table *lookup)
{
    char path[DISK_PATH_MAX], *text;
    size_t n;
    if (!domain_file_beside(reader, csv, DIMENSION_FILE_BYTES_MAX, path, &text, &n))
        return;
    struct arena *arena = reader->build->tables_arena;
    struct yaml_file file = { .name = path,
                              .text = arena_copy(arena, slice_of(text, n)),
                              .problems = reader->file.problems,
                              .hides = reader->file.hides };
    free(text);
    if (!file.text.p)
        yaml_problem_at(&reader->file, csv, "all dimension tables together take more than %u MiB",
                        DIMENSION_BYTES_MAX >> 20);
    else if (domain_copy(reader, csv, slice_from(path), &table->file))
        dimension_rows_parse(&file, arena, table, lookup, &table->digest);
    reader->file.count += file.count;
}
