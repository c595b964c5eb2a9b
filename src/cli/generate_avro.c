#include "cli/generate_avro.h"

#include <stdlib.h>

#include "avro/avro.h"
#include "base/json_scan.h"
#include "base/json_text.h"
#include "expr/expr.h"
#include "registry/frame.h"
#include "schema/schema.h"

#define EVENT_BYTES_MAX (4u << 20)

struct form {
    struct avro_schema *schema; /* NULL: of another domain */
    uint32_t id;
};

struct generate_avro {
    const struct domain_set *domains;
    struct slice domain;
    struct form *forms; /* by the place of the event type in the domains */
    struct buf flat, frame;
};

static enum status open_form(const struct event_type *type, struct registry *registry, enum subject_strategy strategy,
                             const char *topic, struct form *form, struct error *err)
{
    char subject[REGISTRY_SUBJECT_MAX];
    AUTO(buf) struct buf text;
    buf_init(&text, AVRO_SCHEMA_BYTES_MAX);
    avro_add_record(&text, type);
    enum status s = avro_schema_parse(buf_slice(&text), &form->schema, err);
    if (s == OK)
        s = subject_name(strategy, topic, buf_slice(&text), subject, err);
    return s == OK ? registry_register(registry, subject, buf_slice(&text), &form->id, err) : s;
}

enum status generate_avro_open(const struct domain_set *domains, struct slice domain, struct registry *registry,
                               enum subject_strategy strategy, const char *topic, struct generate_avro **out,
                               struct error *err)
{
    enum status s = OK;
    struct generate_avro *avro = calloc(1, sizeof *avro);
    if (!avro || !(avro->forms = calloc(domains->event_type_count + 1, sizeof *avro->forms)))
        abort();
    avro->domains = domains;
    avro->domain = domain;
    buf_init(&avro->flat, EVENT_BYTES_MAX);
    buf_init(&avro->frame, EVENT_BYTES_MAX);
    for (size_t i = 0; s == OK && i < domains->event_type_count; i++)
        if (slice_equal(domains->event_types[i].domain, domain))
            s = open_form(&domains->event_types[i], registry, strategy, topic, &avro->forms[i], err);
    if (s == OK)
        *out = avro;
    else
        generate_avro_close(avro);
    return s;
}

void generate_avro_close(struct generate_avro *avro)
{
    if (!avro)
        return;
    for (size_t i = 0; i < avro->domains->event_type_count; i++)
        avro_schema_free(avro->forms[i].schema);
    buf_done(&avro->flat);
    buf_done(&avro->frame);
    free(avro->forms);
    free(avro);
}

static struct slice without_quotes(struct slice json)
{
    return json.n >= 2 && json.p[0] == '"' ? slice_of(json.p + 1, json.n - 2) : json;
}

static const struct event_field *field_of(const struct event_type *type, struct slice name)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (slice_equal(type->fields[i].name, name))
            return &type->fields[i];
    return NULL;
}

static void begin_member(struct buf *out, struct slice name, const char *suffix)
{
    buf_add_text(out, out->p[out->n - 1] == '{' ? "\"" : ",\"");
    buf_add_slice(out, name);
    buf_add_format(out, "%s\":", suffix);
}

/* As weir would keep it: cents of money; of what is hashed or encrypted there is text. */
static void add_property(struct buf *out, const struct event_type *type, const struct json_walk *walk)
{
    struct slice name = without_quotes(walk->name);
    const struct event_field *field = field_of(type, name);
    if (!field)
        return;
    if (field->kind == EVENT_MONEY && field->pii == EVENT_PII_NONE) {
        const struct value cents = expr_cents(value_from_decimal(without_quotes(walk->value)));
        if (value_is_null(cents))
            return; /* the schema's default, then */
        begin_member(out, name, "_cents");
        value_add_json(cents, out);
        return;
    }
    begin_member(out, name, "");
    if (field->pii != EVENT_PII_NONE && walk->value.n && walk->value.p[0] != '"' && !json_is_null(walk->value))
        json_add_string(out, walk->value);
    else
        buf_add_slice(out, walk->value);
}

/* A line without a tenant's name leaves it to the key: the schema wants one, and an empty one says the same. */
static void lay_flat(struct buf *out, const struct event_type *type, struct slice line)
{
    struct json_walk walk, inner;
    bool has_tenant = false;
    buf_add_char(out, '{');
    for (json_walk_begin(&walk, line); json_walk_next(&walk);) {
        if (slice_equal(walk.name, SLICE("\"properties\""))) {
            for (json_walk_begin(&inner, walk.value); json_walk_next(&inner);)
                add_property(out, type, &inner);
        } else if (walk.value.n && walk.value.p[0] != '{') {
            has_tenant |= slice_equal(walk.name, SLICE("\"customer_id\""));
            begin_member(out, without_quotes(walk.name), "");
            buf_add_slice(out, walk.value);
        }
    }
    if (!has_tenant)
        json_add_field(out, "customer_id", SLICE(""));
    buf_add_char(out, '}');
}

enum status generate_avro_write(struct generate_avro *avro, struct slice line, struct slice *out, struct error *err)
{
    struct slice name;
    const struct event_type *type = NULL;
    if (json_find(line, "event_type", &name))
        type = event_type_of_domain(avro->domains, avro->domain, without_quotes(name));
    if (!type)
        return error_set(err, ERR_INVALID, "the event has no declared type");
    const struct form *form = &avro->forms[type - avro->domains->event_types];
    buf_reset(&avro->flat);
    buf_reset(&avro->frame);
    lay_flat(&avro->flat, type, line);
    frame_add(&avro->frame, form->id);
    enum status s = avro_from_json(form->schema, buf_slice(&avro->flat), &avro->frame, err);
    *out = buf_slice(&avro->frame);
    return s == OK ? OK : error_wrap(err, s, "an event of type %.*s in Avro", SLICE_ARG(type->name));
}
