/* JSON, as every target gets it, is made ready first: what a schema has as text is quoted, an event of a declared type
 * is laid flat (its own fields beside its properties). Then one walk along the schema writes it. Members that the
 * schema does not know are passed over, so most results need no making ready at all. */
#include "deliver/result_avro.h"

#include <stdlib.h>

#include "avro/avro.h"
#include "base/json_scan.h"
#include "base/json_text.h"
#include "deliver/result_schemas.h"
#include "deliver/selection.h"
#include "registry/frame.h"
#include "registry/registry.h"

#define ASK_MS 3000 /* stopping waits so long at most */
#define READY_BYTES_MAX (128u << 20)

struct form {
    const char *name; /* a table, or an event type */
    const char *text;
    struct avro_schema *schema;
    struct slice *tenants; /* as in struct target_schema, sorted */
    size_t tenant_count;
    bool others;
    size_t place; /* among the target's: of several with its name the first one goes before */
    uint32_t id;
};

struct result_avro {
    struct registry *registry;
    const char *topic;
    enum subject_strategy strategy;
    struct form tables[RESULT_SCHEMAS];
    struct form *types; /* sorted by name */
    size_t type_count;
    bool registered;
    struct buf ready;
};

/* ---- schemas ---- */

static int by_name(const void *a, const void *b)
{
    const struct form *one = a, *other = b;
    const int by_text = strcmp(one->name, other->name);
    return by_text ? by_text : one->place < other->place ? -1 : one->place > other->place;
}

static int by_text(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static void set_tenants(struct form *form, const struct target_schema *schema)
{
    form->others = schema->others;
    form->tenant_count = schema->tenant_count;
    if (!schema->tenant_count)
        return;
    form->tenants = malloc(schema->tenant_count * sizeof *form->tenants);
    if (!form->tenants)
        abort();
    memcpy(form->tenants, schema->tenants, schema->tenant_count * sizeof *form->tenants);
    qsort(form->tenants, form->tenant_count, sizeof *form->tenants, by_text);
}

static enum status parse_all(const struct target_avro_options *options, struct result_avro *avro, struct error *err)
{
    enum status s = OK;
    for (size_t i = 0; s == OK && i < RESULT_SCHEMAS; i++) {
        if (!selection_names(options->results, slice_from(RESULT_SCHEMA[i].table)))
            continue;
        avro->tables[i] = (struct form){ .name = RESULT_SCHEMA[i].table, .text = RESULT_SCHEMA[i].text };
        s = avro_schema_parse(slice_from(avro->tables[i].text), &avro->tables[i].schema, err);
    }
    if (!selection_names(options->results, SLICE("events")))
        return s;
    avro->types = calloc(options->schemas.count + 1, sizeof *avro->types);
    if (!avro->types)
        abort();
    for (size_t i = 0; s == OK && i < options->schemas.count; i++) {
        struct form *form = &avro->types[avro->type_count++];
        const struct target_schema *type = &options->schemas.types[i];
        *form = (struct form){ .name = type->event_type, .text = type->schema, .place = i };
        set_tenants(form, type);
        s = avro_schema_parse(slice_from(form->text), &form->schema, err);
    }
    qsort(avro->types, avro->type_count, sizeof *avro->types, by_name);
    return s;
}

enum status result_avro_open(const struct target_avro_options *options, const char *topic, struct world *world,
                             struct result_avro **out, struct error *err)
{
    *out = NULL;
    if (!options->registry || !options->registry[0])
        return OK;
    struct result_avro *avro = calloc(1, sizeof *avro);
    if (!avro)
        abort();
    const struct registry_options registry = {
        .url = options->registry, .user = options->user, .password = options->password, .timeout_ms = ASK_MS
    };
    avro->topic = topic;
    avro->strategy = subject_strategy_of(options->subjects);
    buf_init(&avro->ready, READY_BYTES_MAX);
    enum status s = registry_open(&registry, world, &avro->registry, err);
    if (s == OK)
        s = parse_all(options, avro, err);
    if (s == OK)
        *out = avro;
    else
        result_avro_close(avro);
    return s;
}

void result_avro_close(struct result_avro *avro)
{
    if (!avro)
        return;
    for (size_t i = 0; i < RESULT_SCHEMAS; i++)
        avro_schema_free(avro->tables[i].schema);
    for (size_t i = 0; i < avro->type_count; i++) {
        avro_schema_free(avro->types[i].schema);
        free(avro->types[i].tenants);
    }
    registry_close(avro->registry);
    buf_done(&avro->ready);
    free(avro->types);
    free(avro);
}

static enum status register_form(struct result_avro *avro, struct form *form, struct error *err)
{
    char subject[REGISTRY_SUBJECT_MAX];
    struct slice text = slice_from(form->text);
    enum status s = subject_name(avro->strategy, avro->topic, text, subject, err);
    if (s == OK)
        s = registry_register(avro->registry, subject, text, &form->id, err);
    if (s != ERR_INVALID)
        return s;
    struct error why = *err;
    return error_set(err, ERR_INVALID,
                     "%s is not taken: %s (`weir schema diff` says what makes a change compatible; else set the "
                     "subject's compatibility, or another topic or `subjects`)",
                     form->name, why.text);
}

enum status result_avro_register(struct result_avro *avro, const _Atomic bool *stopping, struct error *err)
{
    enum status s = OK;
    if (!avro || avro->registered)
        return OK;
    for (size_t i = 0; s == OK && i < RESULT_SCHEMAS + avro->type_count; i++) {
        struct form *form = i < RESULT_SCHEMAS ? &avro->tables[i] : &avro->types[i - RESULT_SCHEMAS];
        if (atomic_load(stopping))
            return error_set(err, ERR_CLOSED, "schema registry: stopping");
        if (form->schema)
            s = register_form(avro, form, err);
    }
    avro->registered = s == OK;
    return s;
}

/* ---- making ready ---- */

static void add_name(struct buf *out, struct slice name)
{
    if (out->p[out->n - 1] != '{')
        buf_add_char(out, ',');
    buf_add_slice(out, name);
    buf_add_char(out, ':');
}

static bool is_nested(struct slice value)
{
    return value.n && (value.p[0] == '{' || value.p[0] == '[');
}

/* What is a list or an object becomes its text (top(x, 10), say). */
static void add_plain(struct buf *out, const struct json_walk *walk)
{
    add_name(out, walk->name);
    if (is_nested(walk->value))
        json_add_string(out, walk->value);
    else
        buf_add_slice(out, walk->value);
}

static void add_all_plain(struct buf *out, struct slice object)
{
    struct json_walk walk;
    for (json_walk_begin(&walk, object); json_walk_next(&walk);)
        add_plain(out, &walk);
}

static void add_plain_map(struct buf *out, struct slice name, struct slice map)
{
    add_name(out, name);
    buf_add_char(out, '{');
    add_all_plain(out, map);
    buf_add_char(out, '}');
}

static bool is_named(const struct json_walk *walk, const char *name)
{
    return slice_equal(slice_of(walk->name.p + 1, walk->name.n - 2), slice_from(name));
}

/* Of windows and late events. */
static void make_ready(struct buf *out, struct slice value)
{
    struct json_walk walk;
    buf_add_char(out, '{');
    for (json_walk_begin(&walk, value); json_walk_next(&walk);)
        if (is_named(&walk, "key") || is_named(&walk, "measures"))
            add_plain_map(out, walk.name, walk.value);
        else
            add_plain(out, &walk);
    buf_add_char(out, '}');
}

/* {"id", the event's own fields, "properties" and "context" as text} */
static void make_event_ready(struct buf *out, struct slice id, struct slice event)
{
    buf_add_char(out, '{');
    json_add_field(out, "id", id);
    add_all_plain(out, event);
    buf_add_char(out, '}');
}

/* Properties first: of a name that is there twice, the event's own field counts. */
static void make_typed_ready(struct buf *out, struct slice event)
{
    struct json_walk walk;
    struct slice properties;
    buf_add_char(out, '{');
    if (json_find(event, "properties", &properties))
        for (json_walk_begin(&walk, properties); json_walk_next(&walk);) {
            add_name(out, walk.name);
            buf_add_slice(out, walk.value);
        }
    for (json_walk_begin(&walk, event); json_walk_next(&walk);) {
        if (is_nested(walk.value))
            continue;
        add_name(out, walk.name);
        buf_add_slice(out, walk.value);
    }
    buf_add_char(out, '}');
}

/* ---- writing ---- */

static bool is_of(const struct form *form, struct slice tenant)
{
    if (!form->tenant_count)
        return true;
    const bool is_named = bsearch(&tenant, form->tenants, form->tenant_count, sizeof *form->tenants, by_text) != NULL;
    return is_named != form->others;
}

static struct slice text_member(struct slice event, const char *key)
{
    struct slice value;
    return json_find(event, key, &value) && value.n >= 2 ? slice_of(value.p + 1, value.n - 2) : SLICE("");
}

/* Several may have its name; they stand side by side, and the first that is the tenant's holds. */
static const struct form *type_of(const struct result_avro *avro, struct slice event)
{
    const struct slice name = text_member(event, "event_type"), tenant = text_member(event, "customer_id");
    size_t from = 0, to = avro->type_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (slice_compare(name, slice_from(avro->types[middle].name)) > 0)
            from = middle + 1;
        else
            to = middle;
    }
    for (; from < avro->type_count && slice_equal(name, slice_from(avro->types[from].name)); from++)
        if (is_of(&avro->types[from], tenant))
            return &avro->types[from];
    return NULL;
}

static enum status write_form(const struct form *form, struct slice json, struct buf *out, struct error *err)
{
    frame_add(out, form->id);
    return avro_from_json(form->schema, json, out, err);
}

static enum status add_event(struct result_avro *avro, const struct form *general, const struct target_record *record,
                             struct buf *out, struct error *err)
{
    struct slice event;
    const size_t before = out->n;
    if (!json_find(record->value, "event", &event))
        return error_set(err, ERR_INVALID, "it has no event");
    const struct form *form = type_of(avro, event);
    if (form) {
        make_typed_ready(&avro->ready, event);
        if (write_form(form, buf_slice(&avro->ready), out, err) == OK)
            return OK;
        out->n = before;
        buf_reset(&avro->ready);
    }
    make_event_ready(&avro->ready, record->id, event);
    return write_form(general, buf_slice(&avro->ready), out, err);
}

static const struct form *table_of(const struct result_avro *avro, struct slice value)
{
    struct slice table;
    for (size_t i = 0; json_find(value, "table", &table) && table.n > 2 && i < RESULT_SCHEMAS; i++)
        if (avro->tables[i].schema && slice_equal(slice_of(table.p + 1, table.n - 2), slice_from(avro->tables[i].name)))
            return &avro->tables[i];
    return NULL;
}

enum status result_avro_add(struct result_avro *avro, const struct target_record *record, struct buf *out,
                            struct error *err)
{
    const struct form *form = table_of(avro, record->value);
    enum status s;
    assert(avro->registered);
    buf_reset(&avro->ready);
    if (!form) {
        s = error_set(err, ERR_INVALID, "there is no schema of its table");
    } else if (strcmp(form->name, "events") == 0) {
        s = add_event(avro, form, record, out, err);
    } else {
        make_ready(&avro->ready, record->value);
        s = write_form(form, buf_slice(&avro->ready), out, err);
    }
    return s == OK ? OK : error_wrap(err, s, "write %.*s in Avro", SLICE_ARG(record->id));
}
