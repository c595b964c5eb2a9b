/* One item of `dimension_tables`: what is declared. The rows are read by dimension_rows.c when all keys are known,
 * since what is wrong in a file is said in terms of them. */
#include <stdio.h>
#include <stdlib.h>

#include "config/dimension_rows.h"

enum { KEY_NAME, KEY_DESCRIPTION, KEY_FROM, KEY_KEY, KEY_COLUMNS, KEY_VALID_FROM, KEY_VALID_TO };

struct reading {
    struct dimension_table table;
    struct dimension_source source;
    struct slice keys[DIMENSION_KEYS_MAX];
    struct fy_node *key_nodes[DIMENSION_KEYS_MAX], *csv;
    size_t key_count;
    struct fy_node *item, *sql, *every;
    struct fy_node *column_nodes[DIMENSION_COLUMNS_MAX];
};

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* ---- keys ---- */

static void read_name(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    const struct domain_build *build = reader->build;
    if (!domain_name(reader, key, value, &reading->table.name))
        return;
    reading->table.at = yaml_position(value);
    for (size_t i = 0; i < build->table_count; i++)
        if (slice_equal(build->tables[i].name, reading->table.name))
            yaml_problem_at(&reader->file, value, "there is a dimension table %.*s already, in domain %.*s",
                            SLICE_ARG(reading->table.name), SLICE_ARG(build->tables[i].domain));
}

static void read_description(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_text(reader, key, value, &((struct reading *)object)->table.description);
}

static bool begins_as_query(struct slice sql)
{
    static const char *const WORDS[] = { "select", "with" };
    for (size_t i = 0; i < COUNT_OF(WORDS); i++) {
        size_t n = strlen(WORDS[i]);
        if (sql.n > n && slice_equal_nocase(slice_of(sql.p, n), slice_from(WORDS[i])) && !is_of_name(sql.p[n]))
            return true;
    }
    return false;
}

static void read_csv(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct slice name;
    if (domain_text(reader, key, value, &name))
        ((struct reading *)object)->csv = value;
}

static void read_sql(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    struct slice sql;
    if (!domain_text(reader, key, value, &sql))
        return;
    sql = slice_trim(sql);
    reading->sql = value;
    reading->table.sql = sql;
    if (sql.n > DIMENSION_SQL_BYTES_MAX)
        yaml_problem_at(&reader->file, value, "a query has at most %u bytes", DIMENSION_SQL_BYTES_MAX);
    else if (!begins_as_query(sql))
        yaml_problem_at(&reader->file, value, "rows come from a query that begins with SELECT or WITH");
    else if (memchr(sql.p, ';', sql.n))
        yaml_problem_at(&reader->file, value, "it is one query: leave ; out");
}

static void read_every(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    reading->every = value ? value : key;
    (void)!domain_duration(reader, key, value, DIMENSION_EVERY_MS_MIN, DIMENSION_EVERY_MS_MAX,
                           &reading->table.every_ms);
}

static void read_from(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    size_t before = reader->file.count;
    reading->table.every_ms = DIMENSION_EVERY_MS;
    domain_read_level(reader, &DOMAIN_TABLE_FROM, value, key, object, NULL);
    if (!value || !fy_node_is_mapping(value) || reader->file.count > before)
        return;
    if (!reading->csv && !reading->sql)
        yaml_problem_at(&reader->file, key,
                        "say where the rows are: `from: {csv: products.csv}` or `from: {sql: SELECT …, every: 10m}`");
    if (reading->csv && reading->sql)
        yaml_problem_at(&reader->file, reading->sql, "rows come from a file or from a query: csv or sql, not both");
    if (reading->csv && reading->every)
        yaml_problem_at(&reader->file, reading->every, "every is of sql; a file is read with SIGHUP");
}

static void read_one_key(struct domain_reader *reader, struct reading *reading, struct fy_node *key,
                         struct fy_node *value)
{
    struct slice name;
    if (!domain_identifier(reader, key, value, &name))
        return;
    for (size_t i = 0; i < reading->key_count; i++)
        if (slice_equal(reading->keys[i], name))
            yaml_problem_at(&reader->file, value, "%.*s is in the key twice", SLICE_ARG(name));
    if (reading->key_count == DIMENSION_KEYS_MAX) {
        yaml_problem_at(&reader->file, value, "a key has at most %d columns", DIMENSION_KEYS_MAX);
        return;
    }
    reading->keys[reading->key_count] = name;
    reading->key_nodes[reading->key_count++] = value;
}

static void read_key(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    void *at = NULL;
    struct fy_node *item;
    if (!value || !fy_node_is_sequence(value)) {
        read_one_key(reader, object, key, value);
        return;
    }
    while ((item = domain_next(value, &at)) != NULL)
        read_one_key(reader, object, item, item);
    if (fy_node_sequence_is_empty(value))
        yaml_problem_at(&reader->file, key, "by which columns is a row found? `key: [country, sku]`");
}

static void read_column(struct domain_reader *reader, struct reading *reading, struct fy_node *name,
                        struct fy_node *value)
{
    struct dimension_source *source = &reading->source;
    const char *kinds[EVENT_KINDS];
    size_t choice, at = source->column_count;
    for (unsigned i = 0; i < EVENT_KINDS; i++)
        kinds[i] = event_kind_name((enum event_kind)i);
    if (at == DIMENSION_COLUMNS_MAX) {
        yaml_problem_at(&reader->file, name, "a dimension table has at most %d columns", DIMENSION_COLUMNS_MAX);
        return;
    }
    if (!domain_identifier(reader, name, name, &source->names[at]) ||
        !domain_choice(reader, name, value, kinds, EVENT_KINDS, &choice))
        return;
    source->kinds[at] = (enum event_kind)choice;
    reading->column_nodes[at] = name;
    source->column_count++;
}

static void read_columns(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    void *at = NULL;
    struct fy_node_pair *pair;
    if (!value || !fy_node_is_mapping(value)) {
        yaml_problem_at(&reader->file, key,
                        "columns are written as `name: type`, such as {product_id: text, price: money}");
        return;
    }
    while ((pair = fy_node_mapping_iterate(value, &at)) != NULL)
        read_column(reader, object, fy_node_pair_key(pair), yaml_follow(fy_node_pair_value(pair)));
}

static void read_valid_from(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_text(reader, key, value, &((struct reading *)object)->source.valid_from);
}

static void read_valid_to(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_text(reader, key, value, &((struct reading *)object)->source.valid_to);
}

static const struct domain_key TABLE_KEYS[] = {
    [KEY_NAME] = { "name", "products", "[a-z0-9_]+, unique in all domains; required. In SQL it is dim_NAME.", read_name,
                   SHAPE_NAME, .required = true },
    [KEY_DESCRIPTION] = { "description", "TEXT", "For people.", read_description, SHAPE_TEXT },
    [KEY_FROM] = { "from", "{csv: products.csv}", "Where the rows are; required.", read_from, SHAPE_LEVEL,
                   &DOMAIN_TABLE_FROM, .required = true },
    [KEY_KEY] = { "key", "product_id",
                  "The column by which a row is found, or a list of up to 4, text or integer; required.", read_key,
                  SHAPE_NAME_OR_NAMES, .required = true },
    [KEY_COLUMNS] = { "columns", "{product_id: text, price: money}",
                      "What is read of each row, with types as of event types; required. Others are left out.",
                      read_columns, SHAPE_KINDS, .required = true },
    [KEY_VALID_FROM] = { "valid_from", "since",
                         "The column that says from when a row is valid; where it is empty, from the beginning.",
                         read_valid_from, SHAPE_TEXT },
    [KEY_VALID_TO] = { "valid_to", "until",
                       "The column that says when a row is no longer valid; unless said, when the next of its key is.",
                       read_valid_to, SHAPE_TEXT },
};
static const struct domain_key FROM_KEYS[] = {
    { "csv", "products.csv", "A file beside this one: commas, UTF-8, the first line has the columns' names.", read_csv,
      SHAPE_TEXT },
    { "sql", "SELECT id, price FROM shop.prices",
      "Or a query to the engine, asked at start and every so often; its columns are named as in `columns`.", read_sql,
      SHAPE_TEXT },
    { "every", "10m", "How often the query is asked, 1s to 7d; default 10m.", read_every, SHAPE_DURATION },
};
const struct domain_level DOMAIN_TABLE = { "dimension_tables[]", TABLE_KEYS, COUNT_OF(TABLE_KEYS) };
const struct domain_level DOMAIN_TABLE_FROM = { "dimension_tables[].from", FROM_KEYS, COUNT_OF(FROM_KEYS) };

/* ---- the whole ---- */

static void take_key(struct domain_reader *reader, struct reading *reading, struct lookup_table *lookup,
                     struct slice name, struct fy_node *node)
{
    const struct dimension_source *source = &reading->source;
    for (size_t i = 0; i < source->column_count; i++) {
        if (!slice_equal(source->names[i], name))
            continue;
        lookup->whole[lookup->key_count] = source->kinds[i] == EVENT_INTEGER;
        lookup->keys[lookup->key_count++] = (uint8_t)i;
        if (source->kinds[i] != EVENT_TEXT && source->kinds[i] != EVENT_INTEGER)
            yaml_problem_at(&reader->file, node, "the key is text or integer; %.*s is %s", SLICE_ARG(name),
                            event_kind_name(source->kinds[i]));
        return;
    }
    yaml_problem_at(&reader->file, node, "the key %.*s is not among the columns", SLICE_ARG(name));
}

/* A column with the tenant's id is in front of the key, said or not: no expression may leave it out. */
static void find_keys(struct domain_reader *reader, struct reading *reading, struct lookup_table *lookup)
{
    const struct dimension_source *source = &reading->source;
    for (size_t i = 0; i < source->column_count; i++) {
        if (!slice_equal(source->names[i], SLICE(DIMENSION_TENANT)))
            continue;
        lookup->by_tenant = true;
        if (source->kinds[i] != EVENT_TEXT)
            yaml_problem_at(&reader->file, reading->column_nodes[i],
                            DIMENSION_TENANT " says whose a row is: its type is text");
        take_key(reader, reading, lookup, source->names[i], reading->column_nodes[i]);
    }
    for (size_t i = 0; i < reading->key_count; i++) {
        if (slice_equal(reading->keys[i], SLICE(DIMENSION_TENANT)))
            yaml_problem_at(&reader->file, reading->key_nodes[i],
                            "leave " DIMENSION_TENANT " out here: with that column each tenant has rows of its own, and"
                            " an expression finds those of the event's tenant alone");
        else
            take_key(reader, reading, lookup, reading->keys[i], reading->key_nodes[i]);
    }
}

/* What the columns are called where they are kept. */
static void name_columns(struct domain_reader *reader, struct reading *reading, struct lookup_column *columns)
{
    const struct dimension_source *source = &reading->source;
    for (size_t i = 0; i < source->column_count; i++) {
        char name[EVENT_IDENTIFIER_MAX + sizeof "_cents"];
        snprintf(name, sizeof name, "%.*s%s", SLICE_ARG(source->names[i]),
                 source->kinds[i] == EVENT_MONEY ? "_cents" : "");
        columns[i] = (struct lookup_column){ .types = dimension_types(source->kinds[i]) };
        if (!domain_copy(reader, reading->column_nodes[i], slice_from(name), &columns[i].name))
            return;
        bool taken = strcmp(name, "valid_from") == 0 || strcmp(name, "valid_to") == 0;
        if (taken)
            yaml_problem_at(&reader->file, reading->column_nodes[i],
                            "%s is no column of its own: the key %s says which column it is", name, name);
        for (size_t k = 0; k < i; k++)
            if (slice_equal(columns[k].name, columns[i].name))
                yaml_problem_at(&reader->file, reading->column_nodes[i],
                                "there is a column %s already (money is kept as NAME_cents)", name);
    }
}

static void check_whole(struct domain_reader *reader, struct reading *reading, struct fy_node *item,
                        struct fy_node **seen)
{
    for (size_t i = 0; i < COUNT_OF(TABLE_KEYS); i++)
        if (TABLE_KEYS[i].required && !seen[i])
            yaml_problem_at(&reader->file, item, "a dimension table needs `%s: %s`", TABLE_KEYS[i].name,
                            TABLE_KEYS[i].form);
    if (seen[KEY_VALID_TO] && !seen[KEY_VALID_FROM])
        yaml_problem_at(&reader->file, seen[KEY_VALID_TO], "valid_to needs valid_from: from when is a row valid?");
}

/* The engine's tables with rows of all tenants are in `weir` and, seen by whoever asks, in `pub`. A guard against
 * mistakes: who writes domains may have a query name them in ways that this does not see. */
static bool asks_tenants(struct slice sql)
{
    for (size_t i = 0; i < sql.n; i++) {
        static const char *const DATABASES[] = { "weir", "pub" };
        for (size_t k = 0; k < COUNT_OF(DATABASES); k++) {
            struct slice name = slice_from(DATABASES[k]), rest = slice_after(sql, i);
            bool begins = i == 0 || !is_of_name(sql.p[i - 1]);
            if (begins && slice_starts(rest, name) && (rest.n == name.n || !is_of_name(rest.p[name.n])))
                return true;
        }
    }
    return false;
}

static void add_query(struct domain_reader *reader, struct reading *reading, struct lookup_table *lookup)
{
    struct domain_build *build = reader->build;
    struct dimension_place *place = arena_take(build->arena, sizeof *place);
    if (!place) {
        yaml_problem_at(&reader->file, reading->sql, "all domains together are too large");
        return;
    }
    if (!lookup->by_tenant && asks_tenants(reading->table.sql))
        yaml_problem_at(
            &reader->file, reading->sql,
            "this reads rows of tenants, and every tenant would see what comes of them: select customer_id, "
            "too, and declare `" DIMENSION_TENANT ": text` in `columns`, then each sees its own");
    *place = (struct dimension_place){ .table = &build->tables[build->table_count], .lookup = lookup };
    reading->table.place = place;
    reading->table.digest = dimension_rows_digest(&reading->table, lookup, SLICE(""));
}

/* Its rows are read only when nothing is wrong with what is declared: each mistake there would be many here. */
static void add_table(struct domain_reader *reader, struct reading *reading, size_t problems_before)
{
    struct domain_build *build = reader->build;
    const struct dimension_source *source = &reading->source;
    size_t at = build->table_count;
    struct lookup_column *columns = arena_take(build->arena, (source->column_count + 1) * sizeof *columns);
    struct dimension_source *kept = arena_take(build->arena, sizeof *kept);
    if (!columns || !kept) {
        yaml_problem_at(&reader->file, reading->item, "all domains together are too large");
        return;
    }
    *kept = *source;
    name_columns(reader, reading, columns);
    build->lookups[at] =
        (struct lookup_table){ .name = reading->table.name, .columns = columns, .column_count = source->column_count };
    find_keys(reader, reading, &build->lookups[at]);
    reading->table.source = kept;
    reading->table.kinds = kept->kinds;
    reading->table.has_validity = source->valid_from.n > 0;
    reading->table.lookup = &build->lookups[at];
    if (reading->sql)
        add_query(reader, reading, &build->lookups[at]);
    else if (reader->file.count == problems_before)
        dimension_rows_read(reader, reading->csv, &reading->table, &build->lookups[at]);
    build->tables[at] = reading->table;
    build->table_count++;
    reader->domain->lookups.count++;
}

void domain_read_table(struct domain_reader *reader, struct fy_node *item)
{
    struct fy_node *seen[DOMAIN_KEYS_MAX] = { 0 };
    size_t before = reader->file.count;
    if (reader->build->table_count == DIMENSION_TABLES_MAX) {
        yaml_problem_at(&reader->file, item, "all domains together have at most %d dimension tables",
                        DIMENSION_TABLES_MAX);
        return;
    }
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading)
        abort();
    reading->table.domain = reader->domain->name;
    reading->table.tenants = reader->domain->tenants;
    reading->table.tenant_count = reader->domain->tenant_count;
    reading->table.for_others = reader->domain->audience == DOMAIN_FOR_OTHERS;
    domain_read_level(reader, &DOMAIN_TABLE, item, item, reading, seen);
    if (fy_node_is_mapping(item))
        check_whole(reader, reading, item, seen);
    reading->item = item;
    if (reading->table.name.n && reading->source.column_count && (reading->csv || reading->sql))
        add_table(reader, reading, before);
    free(reading);
}
