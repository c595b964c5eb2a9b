/* A dashboard that nobody has drawn: panels in the order of the domain's files, each with what is asked for and no SQL,
 * so that who draws it chooses range and step. How results of several windows become one number is said here, where the
 * measures are known: what adds up is added, of the rest the newest counts. */
#include "base/json_text.h"
#include "schema/column.h"
#include "schema/schema.h"

#define NAME_BYTES_MAX (2 * EVENT_IDENTIFIER_MAX)

struct drawing {
    struct buf *out;
    struct slice tenant; /* empty: everybody's */
    bool has_panel;
};

static void begin_panel(struct drawing *drawing, const char *kind, struct slice title)
{
    buf_add_text(drawing->out, drawing->has_panel ? ",{" : "{");
    drawing->has_panel = true;
    json_add_field(drawing->out, "kind", slice_from(kind));
    json_add_field(drawing->out, "title", title);
}

static void add_words(struct buf *out, struct slice description, struct slice deprecated)
{
    if (description.n)
        json_add_field(out, "description", description);
    if (deprecated.n)
        json_add_field(out, "deprecated", deprecated);
}

static void add_source(struct buf *out, const struct event_type *type)
{
    AUTO(buf) struct buf view;
    buf_init(&view, NAME_BYTES_MAX);
    ddl_add_view_name(&view, type);
    json_add_field(out, "event_type", type->name);
    json_add_field(out, "view", buf_slice(&view));
}

/* What the type's amounts are in: its first field that holds a currency. */
static const struct column *currency_of(const struct columns *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        const struct event_field *field = columns->items[i].field;
        if (field && field->format == EVENT_CURRENCY && field->pii == EVENT_PII_NONE)
            return &columns->items[i];
    }
    return NULL;
}

static void add_metric(struct drawing *drawing, const struct event_type *type, const struct columns *columns,
                       const struct column *column)
{
    const struct column *currency = column_is_money(column) ? currency_of(columns) : NULL;
    begin_panel(drawing, "metric", column->field->name);
    add_source(drawing->out, type);
    json_add_field(drawing->out, "column", slice_from(column->name));
    json_add_field(drawing->out, "first", column->type == COLUMN_FLOAT ? SLICE("mean") : SLICE("sum"));
    if (column_is_money(column))
        json_add_field(drawing->out, "unit", SLICE("cents"));
    if (currency)
        json_add_field(drawing->out, "currency", slice_from(currency->name));
    add_words(drawing->out, column->field->description, column->field->deprecated);
    buf_add_char(drawing->out, '}');
}

static void add_top(struct drawing *drawing, const struct event_type *type, const struct column *column)
{
    begin_panel(drawing, "top", column->field->name);
    add_source(drawing->out, type);
    json_add_field(drawing->out, "column", slice_from(column->name));
    add_words(drawing->out, column->field->description, column->field->deprecated);
    buf_add_char(drawing->out, '}');
}

/* What is of a person is on no dashboard, not even as a hash. */
static void add_fields(struct drawing *drawing, const struct event_type *type, enum event_role role)
{
    struct columns columns;
    columns_of(type, &columns);
    for (size_t i = 0; i < columns.count; i++) {
        const struct column *column = &columns.items[i];
        if (!column->field || column->field->role != role || column->field->pii != EVENT_PII_NONE)
            continue;
        if (role == EVENT_DIMENSION)
            add_top(drawing, type, column);
        else if (column->type == COLUMN_INTEGER || column->type == COLUMN_FLOAT)
            add_metric(drawing, type, &columns, column);
    }
}

static void add_event_type(struct drawing *drawing, const struct event_type *type)
{
    begin_panel(drawing, "events", type->name);
    add_source(drawing->out, type);
    add_words(drawing->out, type->description, type->deprecated);
    buf_add_char(drawing->out, '}');
    add_fields(drawing, type, EVENT_METRIC);
    add_fields(drawing, type, EVENT_DIMENSION);
}

/* Windows that slide have an event several times. */
static const char *combination(const struct window *window, enum measure_kind kind)
{
    switch (kind) {
    case MEASURE_COUNT:
    case MEASURE_SUM:
        return window->kind == WINDOW_SLIDING ? "last" : "sum";
    case MEASURE_MIN:
        return "min";
    case MEASURE_MAX:
        return "max";
    case MEASURE_MEAN:
    case MEASURE_VARIANCE:
    case MEASURE_DISTINCT:
    case MEASURE_QUANTILE:
    case MEASURE_TOP:
    case MEASURE_FIRST:
    case MEASURE_LAST:
    case MEASURE_KINDS:
        break;
    }
    return "last";
}

/* As expressions name what money became: sum(properties.amount_cents). */
static bool is_cents(struct slice name)
{
    struct slice end = SLICE("_cents");
    return name.n > end.n && slice_equal(slice_after(name, name.n - end.n), end);
}

static void add_measure(struct buf *out, const struct window *window, const struct window_measure *measure)
{
    buf_add_char(out, '{');
    json_add_field(out, "name", measure->name);
    json_add_field(out, "kind", slice_from(measure_kind_name(measure->kind)));
    json_add_field(out, "combine", slice_from(combination(window, measure->kind)));
    if (is_cents(measure->name))
        json_add_field(out, "unit", SLICE("cents"));
    buf_add_char(out, '}');
}

static void add_names(struct buf *out, const char *key, const struct slice *names, size_t count)
{
    json_add_key(out, key);
    buf_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i ? "," : "");
        json_add_string(out, names[i]);
    }
    buf_add_char(out, ']');
}

static bool is_for(const struct window *window, struct slice tenant)
{
    bool found = window->tenant_count == 0 || tenant.n == 0;
    for (size_t i = 0; !found && i < window->tenant_count; i++)
        found = slice_equal(window->tenants[i], tenant);
    return found;
}

/* The id stands as text: no number of JavaScript holds it. */
static void add_window(struct drawing *drawing, const struct window *window)
{
    struct buf *out = drawing->out;
    struct slice keys[WINDOW_KEYS_MAX];
    begin_panel(drawing, "window", window->name);
    json_add_key(out, "definition");
    buf_add_char(out, '"');
    buf_add_u64(out, window->id);
    buf_add_char(out, '"');
    json_add_field(out, "window_kind", slice_from(window_kind_name(window->kind)));
    json_add_field_u64(out, window->kind == WINDOW_SESSION ? "gap_ms" : "size_ms",
                       (uint64_t)(window->kind == WINDOW_SESSION ? window->gap_ms : window->size_ms));
    for (size_t i = 0; i < window->key_count; i++)
        keys[i] = window->keys[i].name;
    add_names(out, "keys", keys, window->key_count);
    for (size_t i = 0; i < window->key_count; i++)
        if (slice_equal(keys[i], SLICE("currency")))
            json_add_field(out, "currency", keys[i]);
    json_add_key(out, "measures");
    for (size_t i = 0; i < window->measure_count; i++) {
        buf_add_char(out, i ? ',' : '[');
        add_measure(out, window, &window->measures[i]);
    }
    buf_add_char(out, ']');
    if (window->tenant_count && !drawing->tenant.n) /* a tenant learns of no other */
        add_names(out, "tenants", window->tenants, window->tenant_count);
    buf_add_char(out, '}');
}

static void add_sessions(struct drawing *drawing, const struct tenant_domains *domains)
{
    begin_panel(drawing, "sessions", SLICE("Visits"));
    json_add_field_u64(drawing->out, "gap_ms", (uint64_t)domains->session_gap_ms);
    buf_add_char(drawing->out, '}');
}

static void add_domain(struct buf *out, const struct domain_set *domains, const struct domain *domain,
                       struct slice tenant)
{
    struct drawing drawing = { .out = out, .tenant = tenant };
    const struct tenant_domains *has = domain_set_of(domains, tenant.n               ? tenant
                                                              : domain->tenant_count ? domain->tenants[0]
                                                                                     : SLICE(""));
    buf_add_char(out, '{');
    json_add_field(out, "domain", domain->name);
    json_add_field(out, "description", domain->description);
    json_add_key(out, "panels");
    buf_add_char(out, '[');
    for (size_t i = 0; i < domains->event_type_count; i++)
        if (slice_equal(domains->event_types[i].domain, domain->name) &&
            event_type_find(domains, has, domains->event_types[i].name) == &domains->event_types[i])
            add_event_type(&drawing, &domains->event_types[i]);
    for (size_t i = 0; i < domains->window_count; i++)
        if (slice_equal(domains->windows[i].domain, domain->name) && is_for(&domains->windows[i], tenant))
            add_window(&drawing, &domains->windows[i]);
    if (!has->without_sessions)
        add_sessions(&drawing, has);
    buf_add_text(out, "]}");
}

void dashboard_add(struct buf *out, const struct domain_set *domains, struct slice domain, struct slice tenant)
{
    bool is_first = true;
    buf_add_char(out, '[');
    for (size_t i = 0; i < domains->domain_count; i++) {
        if ((domain.n && !slice_equal(domains->domains[i].name, domain)) ||
            (tenant.n && !tenant_has_domain(domain_set_of(domains, tenant), i)))
            continue;
        buf_add_text(out, is_first ? "" : ",");
        is_first = false;
        add_domain(out, domains, &domains->domains[i], tenant);
    }
    buf_add_char(out, ']');
}
