/* Everything that holds is a row, told at once: as a row of the table with one below for each domain in whose place it
 * holds, or as an object. Which domain holds is asked of config/, as the stream asks it. */
#include "cli/check_tenant.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/json_text.h"
#include "base/options.h"
#include "cli/term.h"
#include "world/disk.h"

#define TEXT_BYTES_MAX (64u << 20) /* of all cells; a row has less than a KiB */
#define TABLE_BYTES_MAX (256u << 20)
#define CELL_BYTES_MAX 400
#define COLUMNS 4
#define WITHOUT_MAX 5 /* fields that are named in a cell */

/* Where something stands: in a domain's file; else as a setting says, or its default; else nobody wrote it. */
struct source {
    const struct domain *domain;
    size_t at;
    const struct config_origin *setting;
};

struct row {
    const char *what;
    struct slice name;
    char is[CELL_BYTES_MAX];
    struct source source;
    struct source replaced[DOMAINS_MAX];
    const struct event_type *type, *replaced_types[DOMAINS_MAX]; /* of an event type, else NULL */
    size_t replaced_count;
};

struct telling {
    const struct config *config;
    const struct domain_set *set;
    const struct tenant_domains *has;
    struct slice tenant;
    struct buf *json; /* NULL: a table */
    bool first;
    struct arena texts;
    struct slice *cells;
    size_t cell_count, room;
    bool full;
};

/* ---- telling ---- */

static void add_cell(struct telling *telling, const char *text)
{
    if (telling->cell_count == telling->room) {
        telling->room = telling->room ? 2 * telling->room : 256;
        telling->cells = realloc(telling->cells, telling->room * sizeof *telling->cells);
        if (!telling->cells)
            abort();
    }
    struct slice copy = arena_copy(&telling->texts, slice_from(text));
    telling->full |= !copy.p;
    telling->cells[telling->cell_count++] = copy;
}

static void add_source_cell(struct telling *telling, const struct source *source)
{
    char text[DISK_PATH_MAX + 32];
    size_t line, column;
    if (source->domain) {
        domain_line(source->domain, source->at, &line, &column);
        snprintf(text, sizeof text, "%.*s:%zu", SLICE_ARG(source->domain->file), line);
    } else if (source->setting && source->setting->file[0]) {
        snprintf(text, sizeof text, "%s:%d", source->setting->file, source->setting->line);
    } else {
        snprintf(text, sizeof text, "%s", source->setting ? "default" : "built in");
    }
    add_cell(telling, text);
}

/* The next field, from *io_at on, that what was replaced declares and the type does not: nobody looks at it any more.
 */
static const struct event_field *next_without(const struct row *row, size_t replaced, size_t *io_at)
{
    const struct event_type *type = row->type, *other = row->replaced_types[replaced];
    while (type && *io_at < other->field_count) {
        const struct event_field *field = &other->fields[(*io_at)++];
        bool is_there = false;
        for (size_t i = 0; i < type->field_count && !is_there; i++)
            is_there = slice_equal(type->fields[i].name, field->name);
        if (!is_there)
            return field;
    }
    return NULL;
}

static void say_replaced(const struct row *row, size_t replaced, char *to, size_t n)
{
    AUTO(buf) struct buf text;
    const struct event_field *field;
    size_t at = 0, count = 0;
    buf_init(&text, 4096);
    buf_add_format(&text, "in place of that of %.*s", SLICE_ARG(row->replaced[replaced].domain->name));
    for (; (field = next_without(row, replaced, &at)) != NULL; count++)
        if (count < WITHOUT_MAX)
            buf_add_format(&text, "%s%.*s", count ? ", " : ", without ", SLICE_ARG(field->name));
    if (count > WITHOUT_MAX)
        buf_add_format(&text, " and %zu more", count - WITHOUT_MAX);
    snprintf(to, n, "%s", buf_text(&text));
}

static void add_without(struct buf *out, const struct row *row, size_t replaced)
{
    const struct event_field *field;
    size_t at = 0;
    bool first = true;
    json_add_key(out, "without");
    buf_add_char(out, '[');
    for (; (field = next_without(row, replaced, &at)) != NULL; first = false) {
        buf_add_text(out, first ? "" : ",");
        json_add_string(out, field->name);
    }
    buf_add_char(out, ']');
}

static void add_cells(struct telling *telling, const struct row *row)
{
    char text[CELL_BYTES_MAX];
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(row->name));
    add_cell(telling, row->what);
    add_cell(telling, text);
    add_cell(telling, row->is);
    add_source_cell(telling, &row->source);
    for (size_t i = 0; i < row->replaced_count; i++) {
        say_replaced(row, i, text, sizeof text);
        add_cell(telling, "");
        add_cell(telling, "");
        add_cell(telling, text);
        add_source_cell(telling, &row->replaced[i]);
    }
}

static void add_source(struct buf *out, const struct source *source)
{
    size_t line, column;
    if (source->domain) {
        domain_line(source->domain, source->at, &line, &column);
        json_add_field(out, "domain", source->domain->name);
        json_add_field(out, "file", source->domain->file);
        json_add_field_u64(out, "line", line);
        json_add_field_u64(out, "column", column);
    } else if (source->setting && source->setting->file[0]) {
        json_add_field(out, "file", slice_from(source->setting->file));
        json_add_field_u64(out, "line", (uint64_t)source->setting->line);
    } else {
        json_add_field(out, "from", source->setting ? SLICE("default") : SLICE("built in"));
    }
}

static void add_object(struct buf *out, const struct row *row)
{
    buf_add_char(out, '{');
    json_add_field(out, "what", slice_from(row->what));
    json_add_field(out, "name", row->name);
    json_add_field(out, "is", slice_from(row->is));
    add_source(out, &row->source);
    json_add_key(out, "in_place_of");
    for (size_t i = 0; i < row->replaced_count; i++) {
        buf_add_text(out, i ? ",{" : "[{");
        add_source(out, &row->replaced[i]);
        if (row->type)
            add_without(out, row, i);
        buf_add_char(out, '}');
    }
    buf_add_text(out, row->replaced_count ? "]}" : "[]}");
}

static void tell(struct telling *telling, const struct row *row)
{
    if (!telling->json) {
        add_cells(telling, row);
        return;
    }
    if (!telling->first)
        buf_add_char(telling->json, ',');
    telling->first = false;
    add_object(telling->json, row);
}

/* ---- what holds ---- */

static bool has(const struct telling *telling, size_t domain)
{
    return tenant_has_domain(telling->has, domain);
}

static void tell_domains(struct telling *telling)
{
    static const char *const FOR[] = { [DOMAIN_FOR_ALL] = "for everybody",
                                       [DOMAIN_FOR_NAMED] = "names it",
                                       [DOMAIN_FOR_OTHERS] = "for whom no domain names" };
    const struct domain_set *set = telling->set;
    for (int closeness = DOMAIN_CLOSENESS_MAX; closeness >= 0; closeness--)
        for (size_t i = 0; i < set->domain_count; i++) {
            const struct domain *domain = &set->domains[i];
            struct row row = { .what = "domain", .name = domain->name, .source = { domain, domain->at, NULL } };
            if (!has(telling, i) || domain_closeness(domain) != closeness)
                continue;
            snprintf(row.is, sizeof row.is, "%s%s", FOR[domain->audience], domain->is_fallback ? ", a fallback" : "");
            tell(telling, &row);
        }
}

static void say_type(const struct event_type *type, char *to, size_t n)
{
    snprintf(to, n, "%zu field%s, %zu rule%s, %s", type->field_count, type->field_count == 1 ? "" : "s",
             type->rule_count, type->rule_count == 1 ? "" : "s", event_compatibility_name(type->compatibility));
}

static void tell_event_types(struct telling *telling)
{
    const struct domain_set *set = telling->set;
    for (size_t i = 0; i < set->event_type_count; i++) {
        const struct event_type *type = &set->event_types[i];
        struct row row = { .what = "event type",
                           .name = type->name,
                           .type = type,
                           .source = { &set->domains[type->domain_place], type->at, NULL } };
        if (event_type_find(set, telling->has, type->name) != type)
            continue;
        for (size_t k = 0; k < set->event_type_count; k++) {
            const struct event_type *other = &set->event_types[k];
            if (!has(telling, other->domain_place) || !event_type_yields(set, other, type))
                continue;
            row.replaced_types[row.replaced_count] = other;
            row.replaced[row.replaced_count++] = (struct source){ &set->domains[other->domain_place], other->at, NULL };
        }
        say_type(type, row.is, sizeof row.is);
        tell(telling, &row);
    }
}

static const struct config_origin *origin_of(const struct telling *telling, const char *key)
{
    const struct option *option = option_find(SETTINGS, slice_from(key));
    assert(option);
    return &telling->config->origins[option - SETTINGS.rows];
}

static void add_replaced_words(const struct telling *telling, struct row *row, enum domain_word word)
{
    const struct domain_set *set = telling->set;
    for (size_t i = 0; row->source.domain && i < set->domain_count; i++)
        if (has(telling, i) && set->domains[i].said[word].value &&
            domain_closeness(&set->domains[i]) < domain_closeness(row->source.domain))
            row->replaced[row->replaced_count++] =
                (struct source){ &set->domains[i], set->domains[i].said[word].at, NULL };
}

static void say_time(int64_t ms, char *to, size_t n)
{
    static const struct option TIME = { .kind = OPTION_DURATION };
    option_format(&TIME, &ms, to, n);
}

static void tell_words(struct telling *telling)
{
    const int64_t times[] = { [DOMAIN_SESSION_GAP] = telling->has->session_gap_ms,
                              [DOMAIN_OUT_OF_ORDERNESS] = telling->has->out_of_orderness_ms };
    static const enum domain_word WORDS[] = { DOMAIN_SESSION_GAP, DOMAIN_SESSIONS_ENABLED, DOMAIN_OUT_OF_ORDERNESS };
    for (size_t i = 0; i < COUNT_OF(WORDS); i++) {
        const enum domain_word word = WORDS[i];
        const struct domain *domain = domain_that_says(telling->set, telling->has, word);
        char name[DOMAIN_WORD_BYTES];
        domain_word_name(word, name);
        struct row row = { .what = word == DOMAIN_OUT_OF_ORDERNESS ? "time" : "sessions", .name = slice_from(name) };
        if (domain)
            row.source = (struct source){ domain, domain->said[word].at, NULL };
        if (word == DOMAIN_SESSIONS_ENABLED)
            snprintf(row.is, sizeof row.is, "%s", telling->has->without_sessions ? "false" : "true");
        else
            say_time(times[word], row.is, sizeof row.is);
        add_replaced_words(telling, &row, word);
        tell(telling, &row);
    }
}

static void tell_transforms(struct telling *telling)
{
    const struct domain_set *set = telling->set;
    for (size_t i = 0; i < set->transform_count; i++) {
        const struct transform *transform = &set->transforms[i];
        struct row row = { .what = "transform",
                           .name = transform->name,
                           .source = { &set->domains[transform->domain_place], transform->at, NULL } };
        if (!has(telling, transform->domain_place))
            continue;
        if (transform->lua.n)
            snprintf(row.is, sizeof row.is, "a script");
        else
            snprintf(row.is, sizeof row.is, "sets %zu, removes %zu", transform->set_count, transform->remove_count);
        tell(telling, &row);
    }
}

static void say_window(const struct window *window, char *to, size_t n)
{
    char length[32], slide[32];
    say_time(window->kind == WINDOW_SESSION ? window->gap_ms : window->size_ms, length, sizeof length);
    say_time(window->slide_ms, slide, sizeof slide);
    snprintf(to, n, "%s, %s %s%s%s", window_kind_name(window->kind), window->kind == WINDOW_SESSION ? "gap" : "size",
             length, window->kind == WINDOW_SLIDING ? ", slide " : "", window->kind == WINDOW_SLIDING ? slide : "");
}

static void tell_windows(struct telling *telling)
{
    const struct domain_set *set = telling->set;
    for (size_t i = 0; i < set->window_count; i++) {
        const struct window *window = &set->windows[i];
        struct row row = { .what = "window",
                           .name = window->name,
                           .source = { &set->domains[window->domain_place], window->at, NULL } };
        if (!window_is_for(set, window, telling->tenant))
            continue;
        say_window(window, row.is, sizeof row.is);
        tell(telling, &row);
    }
}

static void tell_rollups(struct telling *telling)
{
    static const char *const ROLLUPS[][2] = { { "events_hourly", "events and visitors by type and hour" },
                                              { "events_daily", "events and visitors by type and day" } };
    for (size_t i = 0; i < COUNT_OF(ROLLUPS); i++) {
        struct row row = { .what = "rollup", .name = slice_from(ROLLUPS[i][0]) };
        snprintf(row.is, sizeof row.is, "%s", ROLLUPS[i][1]);
        tell(telling, &row);
    }
}

static void tell_tables(struct telling *telling)
{
    const struct domain_set *set = telling->set;
    for (size_t i = 0; i < set->domain_count; i++)
        for (size_t t = 0; has(telling, i) && t < set->table_count; t++) {
            const struct dimension_table *table = &set->tables[t];
            struct row row = { .what = "dimension table",
                               .name = table->name,
                               .source = { &set->domains[i], table->at, NULL } };
            if (!slice_equal(table->domain, set->domains[i].name))
                continue;
            if (table->sql.n)
                snprintf(row.is, sizeof row.is, "rows of a query");
            else
                snprintf(row.is, sizeof row.is, "%zu row%s", table->lookup->row_count,
                         table->lookup->row_count == 1 ? "" : "s");
            tell(telling, &row);
        }
}

/* What a domain says shortens alone, so all of it holds, and the shortest in effect. */
static void tell_retention(struct telling *telling)
{
    const struct domain_set *set = telling->set;
    struct row whole = { .what = "retention",
                         .name = SLICE("everything"),
                         .source.setting = origin_of(telling, "retention_days") };
    snprintf(whole.is, sizeof whole.is, "%lld days, unless the tenant has its own",
             (long long)telling->config->settings.retention_days);
    tell(telling, &whole);
    for (size_t i = 0; i < set->event_type_count; i++) {
        const struct event_type *type = &set->event_types[i];
        struct row row = { .what = "retention",
                           .name = type->name,
                           .source = { &set->domains[type->domain_place], type->retention_at, NULL } };
        snprintf(row.is, sizeof row.is, "of its events at most %d days", type->retention_days);
        if (type->retention_days && event_type_find(set, telling->has, type->name) == type)
            tell(telling, &row);
    }
    for (size_t i = 0; i < set->window_count; i++) {
        const struct window *window = &set->windows[i];
        struct row row = { .what = "retention",
                           .name = window->name,
                           .source = { &set->domains[window->domain_place], window->retention_at, NULL } };
        snprintf(row.is, sizeof row.is, "of its results at most %d days", window->retention_days);
        if (window->retention_days && window_is_for(set, window, telling->tenant))
            tell(telling, &row);
    }
}

/* type: empty for what no domain declares. */
static void tell_target(struct telling *telling, enum quality_ratio ratio, struct slice type)
{
    static const struct option SHARE = { .kind = OPTION_SHARE };
    const enum domain_word word = (enum domain_word)(DOMAIN_QUALITY_TARGET + ratio);
    const struct domain *domain = domain_with_quality_target(telling->set, telling->has, type, ratio);
    const int64_t target = domain ? domain->said[word].value - 1 : telling->config->settings.quality_targets[ratio];
    char name[CELL_BYTES_MAX], key[DOMAIN_WORD_BYTES], share[64];
    domain_word_name(word, key);
    snprintf(name, sizeof name, "%s%s%.*s", quality_ratio_name(ratio), type.n ? " of " : "", SLICE_ARG(type));
    struct row row = { .what = "quality", .name = slice_from(name) };
    if (domain)
        row.source = (struct source){ domain, domain->said[word].at, NULL };
    else
        row.source.setting = origin_of(telling, key);
    option_format(&SHARE, &target, share, sizeof share);
    snprintf(row.is, sizeof row.is, "%s", share);
    tell(telling, &row);
}

/* Each ratio of all events, then of the types for which another domain has the say. */
static void tell_quality(struct telling *telling)
{
    const struct domain_set *set = telling->set;
    for (int i = 0; i < QUALITY_RATIOS; i++) {
        const enum quality_ratio ratio = (enum quality_ratio)i;
        const struct domain *usual = domain_with_quality_target(set, telling->has, SLICE(""), ratio);
        tell_target(telling, ratio, SLICE(""));
        for (size_t t = 0; t < set->event_type_count; t++) {
            const struct event_type *type = &set->event_types[t];
            if (event_type_find(set, telling->has, type->name) == type &&
                domain_with_quality_target(set, telling->has, type->name, ratio) != usual)
                tell_target(telling, ratio, type->name);
        }
    }
}

static void tell_all(struct telling *telling)
{
    tell_domains(telling);
    tell_event_types(telling);
    tell_words(telling);
    tell_transforms(telling);
    tell_windows(telling);
    tell_rollups(telling);
    tell_tables(telling);
    tell_retention(telling);
    tell_quality(telling);
}

static bool is_named(const struct domain_set *set, struct slice tenant)
{
    for (size_t i = 0; i < set->named_count; i++)
        if (slice_equal(set->named[i], tenant))
            return true;
    return false;
}

bool check_tenant_print(const struct config *config, const struct domain_set *set, struct slice tenant)
{
    static const struct term_column HEAD[COLUMNS] = { { .name = { "what", 4 }, .whole = true },
                                                      { .name = { "name", 4 } },
                                                      { .name = { "is", 2 } },
                                                      { .name = { "from", 4 }, .whole = true } };
    struct telling telling = {
        .config = config, .set = set, .has = domain_set_of(set, tenant), .tenant = tenant, .first = true
    };
    AUTO(buf) struct buf table;
    buf_init(&table, TABLE_BYTES_MAX);
    arena_init(&telling.texts, TEXT_BYTES_MAX);
    tell_all(&telling);
    const size_t room = term_is_terminal(stdout) ? term_columns() : SIZE_MAX; /* for a program nothing is cut */
    term_add_table(&table, HEAD, COLUMNS, telling.cells, telling.cell_count / COLUMNS, room);
    const bool whole = !telling.full && !table.full;
    if (!is_named(set, tenant))
        printf("no domain names %.*s: it has what is for everybody and for others\n", SLICE_ARG(tenant));
    if (whole)
        fwrite(table.p, 1, table.n, stdout);
    arena_done(&telling.texts);
    free(telling.cells);
    return whole;
}

void check_tenant_json(const struct config *config, const struct domain_set *set, struct slice tenant, struct buf *out)
{
    struct telling telling = {
        .config = config, .set = set, .has = domain_set_of(set, tenant), .tenant = tenant, .json = out, .first = true
    };
    json_add_key(out, "tenant");
    buf_add_char(out, '{');
    json_add_field(out, "id", tenant);
    json_add_key(out, "named");
    buf_add_text(out, is_named(set, tenant) ? "true" : "false");
    json_add_key(out, "holds");
    buf_add_char(out, '[');
    tell_all(&telling);
    buf_add_text(out, "]}");
}
