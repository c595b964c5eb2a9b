#include "cli/check_domains.h"

#include <stdio.h>

#include "base/json_text.h"
#include "base/options.h"
#include "cli/term.h"

#define REPLACED_BYTES_MAX (64u << 10) /* every name of a domain's event types */

static void print_time(const char *what, int64_t ms)
{
    static const struct option TIME = { .kind = OPTION_DURATION };
    char text[32];
    option_format(&TIME, &ms, text, sizeof text);
    printf(", %s %s", what, text);
}

static void print_window(const struct window *window)
{
    printf("  %s%.*s%s: %s", term_style(stdout, TERM_BOLD), SLICE_ARG(window->name), term_style(stdout, TERM_PLAIN),
           window_kind_name(window->kind));
    if (window->kind == WINDOW_SESSION)
        print_time("gap", window->gap_ms);
    else
        print_time("size", window->size_ms);
    if (window->kind == WINDOW_SLIDING)
        print_time("slide", window->slide_ms);
    if (window->lateness_ms)
        print_time("lateness", window->lateness_ms);
    printf(", by tenant");
    for (size_t i = 0; i < window->key_count; i++)
        printf(", %.*s", SLICE_ARG(window->keys[i].name));
    printf(":");
    for (size_t i = 0; i < window->measure_count; i++)
        printf("%s %.*s", i ? "," : "", SLICE_ARG(window->measures[i].name));
    printf("\n");
}

static void print_transform(const struct transform *transform)
{
    printf("  %s%.*s%s: ", term_style(stdout, TERM_BOLD), SLICE_ARG(transform->name), term_style(stdout, TERM_PLAIN));
    if (transform->lua.n)
        printf("script in %.*s\n", SLICE_ARG(transform->lua_name));
    else
        printf("sets %zu, removes %zu\n", transform->set_count, transform->remove_count);
}

static void print_table(const struct dimension_table *table)
{
    size_t rows = table->lookup->row_count;
    const struct lookup_table *lookup = table->lookup;
    printf("  %s%.*s%s: dimension table, ", term_style(stdout, TERM_BOLD), SLICE_ARG(table->name),
           term_style(stdout, TERM_PLAIN));
    if (table->sql.n)
        printf("rows of a query every %lld s, by ", (long long)(table->every_ms / 1000));
    else
        printf("%zu row%s, by ", rows, rows == 1 ? "" : "s");
    for (size_t i = 0; i < lookup->key_count; i++)
        printf("%s%.*s", i ? ", " : "", SLICE_ARG(lookup->columns[lookup->keys[i]].name));
    printf("%s%s\n", lookup->by_tenant ? ", of each tenant" : "", table->has_validity ? ", valid for a time" : "");
}

/* What a domain says in place of another one, for the tenants that have both. */
struct replacing {
    const struct domain_set *set;
    const struct domain *domain, *other;
    struct buf *out;
    size_t count;
    bool json;
};

static void add_replaced(struct replacing *replacing, struct slice what)
{
    struct buf *out = replacing->out;
    const bool first = replacing->count++ == 0;
    if (replacing->json) {
        buf_add_text(out, first ? "" : ",");
        json_add_string(out, what);
    } else {
        buf_add_format(out, "%s%.*s", first ? "" : ", ", SLICE_ARG(what));
    }
}

static void add_all_replaced(struct replacing *replacing)
{
    const struct domain_set *set = replacing->set;
    const struct domain *domain = replacing->domain, *other = replacing->other;
    if (domain_closeness(domain) <= domain_closeness(other) || !domain_shares_tenants(domain, other))
        return;
    for (size_t i = 0; i < set->event_type_count; i++) {
        const struct event_type *type = &set->event_types[i];
        if (slice_equal(type->domain, domain->name) && event_type_of_domain(set, other->name, type->name))
            add_replaced(replacing, type->name);
    }
    for (int word = 0; word < DOMAIN_QUALITY_TARGET; word++) {
        char name[DOMAIN_WORD_BYTES];
        domain_word_name((enum domain_word)word, name);
        if (domain->said[word].value && other->said[word].value)
            add_replaced(replacing, slice_from(name));
    }
}

static void print_replaced(const struct domain_set *set, const struct domain *domain)
{
    AUTO(buf) struct buf text;
    buf_init(&text, REPLACED_BYTES_MAX);
    for (size_t i = 0; i < set->domain_count; i++) {
        struct replacing replacing = { .set = set, .domain = domain, .other = &set->domains[i], .out = &text };
        buf_reset(&text);
        add_all_replaced(&replacing);
        if (replacing.count)
            printf("  in place of %.*s's: %s\n", SLICE_ARG(set->domains[i].name), buf_text(&text));
    }
}

static void add_in_place_of(const struct domain_set *set, const struct domain *domain, struct buf *out)
{
    bool first = true;
    json_add_key(out, "in_place_of");
    buf_add_char(out, '{');
    for (size_t i = 0; i < set->domain_count; i++) {
        AUTO(buf) struct buf list;
        struct replacing replacing = {
            .set = set, .domain = domain, .other = &set->domains[i], .out = &list, .json = true
        };
        buf_init(&list, REPLACED_BYTES_MAX);
        add_all_replaced(&replacing);
        if (!replacing.count)
            continue;
        buf_add_text(out, first ? "" : ",");
        json_add_string(out, set->domains[i].name);
        buf_add_format(out, ":[%s]", buf_text(&list));
        first = false;
    }
    buf_add_char(out, '}');
}

static void print_tenants(const struct domain *domain)
{
    if (domain->is_fallback)
        printf(", a fallback");
    if (domain->audience == DOMAIN_FOR_OTHERS)
        printf(", for whom no domain names");
    for (size_t i = 0; i < domain->tenant_count; i++)
        printf("%s%.*s", i ? ", " : ", for ", SLICE_ARG(domain->tenants[i]));
    putchar('\n');
}

static void add_tenants(const struct domain *domain, struct buf *out)
{
    if (domain->audience == DOMAIN_FOR_ALL)
        return;
    json_add_key(out, "tenants");
    if (domain->audience == DOMAIN_FOR_OTHERS) {
        json_add_string(out, SLICE("others"));
        return;
    }
    for (size_t i = 0; i < domain->tenant_count; i++) {
        buf_add_char(out, i ? ',' : '[');
        json_add_string(out, domain->tenants[i]);
    }
    buf_add_char(out, ']');
}

void check_domains_print(const struct domain_set *set)
{
    for (size_t i = 0; i < set->domain_count; i++) {
        const struct domain *domain = &set->domains[i];
        printf("domain %.*s (%.*s)", SLICE_ARG(domain->name), SLICE_ARG(domain->file));
        print_tenants(domain);
        print_replaced(set, domain);
        for (size_t w = 0; w < set->window_count; w++)
            if (slice_equal(set->windows[w].domain, domain->name))
                print_window(&set->windows[w]);
        for (size_t t = 0; t < set->transform_count; t++)
            if (slice_equal(set->transforms[t].domain, domain->name))
                print_transform(&set->transforms[t]);
        for (size_t t = 0; t < set->table_count; t++)
            if (slice_equal(set->tables[t].domain, domain->name))
                print_table(&set->tables[t]);
    }
}

static void add_windows(const struct domain_set *set, struct slice domain, struct buf *out)
{
    bool first = true;
    for (size_t i = 0; i < set->window_count; i++) {
        const struct window *window = &set->windows[i];
        char id[24];
        if (!slice_equal(window->domain, domain))
            continue;
        snprintf(id, sizeof id, "%016llx", (unsigned long long)window->id);
        buf_add_text(out, first ? "{" : ",{");
        json_add_field(out, "name", window->name);
        json_add_field(out, "kind", slice_from(window_kind_name(window->kind)));
        json_add_field(out, "id", slice_from(id));
        buf_add_text(out, "}");
        first = false;
    }
}

static void add_tables(const struct domain_set *set, struct slice domain, struct buf *out)
{
    bool first = true;
    for (size_t i = 0; i < set->table_count; i++) {
        if (!slice_equal(set->tables[i].domain, domain))
            continue;
        buf_add_text(out, first ? "{" : ",{");
        json_add_field(out, "name", set->tables[i].name);
        if (set->tables[i].sql.n) {
            json_add_field(out, "sql", set->tables[i].sql);
        } else {
            json_add_field(out, "file", set->tables[i].file);
            json_add_field_u64(out, "rows", set->tables[i].lookup->row_count);
        }
        buf_add_text(out, "}");
        first = false;
    }
}

void check_domains_json(const struct domain_set *set, struct buf *out)
{
    json_add_key(out, "domains");
    buf_add_text(out, "[");
    for (size_t i = 0; i < set->domain_count; i++) {
        buf_add_text(out, i ? ",{" : "{");
        json_add_field(out, "name", set->domains[i].name);
        json_add_field(out, "file", set->domains[i].file);
        add_tenants(&set->domains[i], out);
        if (set->domains[i].is_fallback)
            buf_add_text(out, ",\"fallback\":true");
        add_in_place_of(set, &set->domains[i], out);
        json_add_key(out, "windows");
        buf_add_text(out, "[");
        add_windows(set, set->domains[i].name, out);
        buf_add_text(out, "],\"transforms\":[");
        bool first = true;
        for (size_t t = 0; t < set->transform_count; t++)
            if (slice_equal(set->transforms[t].domain, set->domains[i].name)) {
                buf_add_text(out, first ? "" : ",");
                json_add_string(out, set->transforms[t].name);
                first = false;
            }
        buf_add_text(out, "],\"dimension_tables\":[");
        add_tables(set, set->domains[i].name, out);
        buf_add_text(out, "]}");
    }
    buf_add_text(out, "]");
}

static bool print_row(const char *part, const char *name, const char *form, const char *help)
{
    if (part && !strstr(name, part))
        return false;
    printf("%s%s%s%s%s%s%s\n    %s\n", term_style(stdout, TERM_BOLD), name, term_style(stdout, TERM_PLAIN),
           form[0] ? ": " : "", term_style(stdout, TERM_CYAN), form, term_style(stdout, TERM_PLAIN),
           help[0] ? help : "true or false");
    return true;
}

size_t check_domains_list(const char *part)
{
    struct domain_key_help key;
    struct expr_function_help function;
    size_t shown = 0;
    if (!part)
        printf("\nIn domains/NAME.yaml (docs/domains.md):\n");
    for (size_t i = 0; domain_key_at(i, &key); i++)
        shown += print_row(part, key.path, key.form, key.help);
    if (!part)
        printf("\nMeasures of windows:\n");
    for (size_t i = 0; domain_measure_at(i, &key); i++)
        shown += print_row(part, key.path, "", key.help);
    if (!part)
        printf("\nFunctions in expressions:\n");
    for (size_t i = 0; expr_function_at(i, &function); i++)
        shown += print_row(part, function.usage, "", function.help);
    return shown;
}
