#include "cli/catalog_print.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_layout.h"
#include "base/timestamp.h"
#include "cli/term.h"

#define BYTES_MAX (256u << 20)
#define COLUMNS_MAX 7

static const struct listed {
    const char *name, *none; /* none: what to say where there is nothing */
    struct term_column columns[COLUMNS_MAX];
    size_t count;
} LISTED[] = {
    [CATALOG_LIST_TYPES] = { "types",
                             "no event types are deployed: domains declare them (docs/domains.md)",
                             { { SLICE("event type"), false },
                               { SLICE("domain"), false },
                               { SLICE("version"), true },
                               { SLICE("since"), false },
                               { SLICE("in use"), false },
                               { SLICE("description"), false } },
                             6 },
    [CATALOG_LIST_RULES] = { "rules",
                             "no rules are deployed: domains declare windows, transforms, and rules of event types",
                             { { SLICE("rule"), false },
                               { SLICE("type"), false },
                               { SLICE("domain"), false },
                               { SLICE("event type"), false },
                               { SLICE("version"), true },
                               { SLICE("since"), false },
                               { SLICE("in use"), false } },
                             7 },
    [CATALOG_LIST_SOURCES] = { "sources",
                               "no sources are known yet: weir up writes them down when it starts",
                               { { SLICE("source"), false },
                                 { SLICE("type"), false },
                                 { SLICE("version"), true },
                                 { SLICE("since"), false },
                                 { SLICE("in use"), false },
                                 { SLICE("description"), false } },
                               6 },
    [CATALOG_LIST_AUDIT] = { "audit",
                             "nothing that was changed is like this",
                             { { SLICE("at"), false },
                               { SLICE("who"), false },
                               { SLICE("did"), false },
                               { SLICE("to"), false },
                               { SLICE("name"), false } },
                             5 },
};

bool catalog_listing_init(struct catalog_listing *listing, const char *what)
{
    *listing = (struct catalog_listing){ 0 };
    buf_init(&listing->text, BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(LISTED); i++)
        if (strcmp(LISTED[i].name, what) == 0) {
            listing->what = (enum catalog_list)i;
            return true;
        }
    return false;
}

void catalog_listing_done(struct catalog_listing *listing)
{
    buf_done(&listing->text);
    free(listing->ends);
}

enum catalog_kind catalog_listing_kind(const struct catalog_listing *listing)
{
    return listing->what == CATALOG_LIST_TYPES   ? CATALOG_EVENT_TYPE
           : listing->what == CATALOG_LIST_RULES ? CATALOG_RULE
                                                 : CATALOG_SOURCE;
}

static void end_cell(struct catalog_listing *listing)
{
    if (listing->cell_count == listing->cell_capacity) {
        listing->cell_capacity = listing->cell_capacity ? 2 * listing->cell_capacity : 256;
        void *more = realloc(listing->ends, listing->cell_capacity * sizeof *listing->ends);
        if (!more)
            abort();
        listing->ends = more;
    }
    listing->ends[listing->cell_count++] = listing->text.n;
}

static void add_cell(struct catalog_listing *listing, struct slice text)
{
    buf_add_slice(&listing->text, text);
    end_cell(listing);
}

static void add_time(struct catalog_listing *listing, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    timestamp_format(ms, text);
    add_cell(listing, slice_of(text, sizeof text));
}

static void add_state(struct catalog_listing *listing, const struct catalog_item *item)
{
    buf_add_format(&listing->text, "%u", item->version);
    end_cell(listing);
    add_time(listing, item->changed_ms);
    add_cell(listing, item->active ? SLICE("yes") : SLICE("no"));
}

void catalog_listing_add(struct catalog_listing *listing, const struct catalog_item *item)
{
    if (listing->json) {
        buf_add_text(&listing->text, listing->text.n ? "," : "");
        catalog_item_add_json(&listing->text, item);
        return;
    }
    add_cell(listing, item->name);
    if (item->kind != CATALOG_EVENT_TYPE)
        add_cell(listing, item->type);
    if (item->kind != CATALOG_SOURCE)
        add_cell(listing, item->domain);
    if (item->kind == CATALOG_RULE)
        add_cell(listing, item->event_type);
    add_state(listing, item);
    if (item->kind != CATALOG_RULE)
        add_cell(listing, item->description);
}

/* Text from outside, all of it. */
static void add_harmless(struct buf *out, const char *before, struct slice text)
{
    buf_add_text(out, before);
    term_add_cut(out, text, text.n);
}

static void add_value(struct buf *out, enum term_style style, const char *sign, struct slice value)
{
    if (!value.n)
        return;
    buf_add_format(out, "  %s%s%s", term_style(stdout, style), sign, term_style(stdout, TERM_PLAIN));
    add_harmless(out, " ", value);
    buf_add_char(out, '\n');
}

static void add_whole(struct catalog_listing *listing, const struct audit_line *line)
{
    struct buf *out = &listing->text;
    char at[TIMESTAMP_TEXT_BYTES];
    timestamp_format(line->at_ms, at);
    buf_add_format(out, "%s%.*s%s", term_style(stdout, TERM_BOLD), (int)sizeof at, at, term_style(stdout, TERM_PLAIN));
    add_harmless(out, "  ", line->actor);
    add_harmless(out, "  ", line->action);
    add_harmless(out, " ", line->entity_type);
    add_harmless(out, " ", line->entity_id);
    buf_add_char(out, '\n');
    add_value(out, TERM_RED, "-", line->old_value);
    add_value(out, TERM_GREEN, "+", line->new_value);
}

void catalog_listing_add_audit(struct catalog_listing *listing, const struct audit_line *line)
{
    if (listing->json) {
        buf_add_text(&listing->text, listing->text.n ? "," : "");
        audit_line_add_json(&listing->text, line);
        return;
    }
    if (listing->whole) {
        add_whole(listing, line);
        return;
    }
    add_time(listing, line->at_ms);
    add_cell(listing, line->actor);
    add_cell(listing, line->action);
    add_cell(listing, line->entity_type);
    add_cell(listing, line->entity_id);
}

static bool print(const struct buf *text)
{
    return !text->full && fwrite(text->p, 1, text->n, stdout) == text->n && fflush(stdout) == 0;
}

static bool print_json(const struct catalog_listing *listing)
{
    AUTO(buf) struct buf json, text;
    buf_init(&json, BYTES_MAX);
    buf_init(&text, BYTES_MAX);
    buf_add_format(&json, "{\"%s\":[", LISTED[listing->what].name);
    buf_add_slice(&json, buf_slice(&listing->text));
    buf_add_text(&json, "]}");
    json_add_laid_out(&text, buf_slice(&json));
    return !json.full && print(&text);
}

static bool print_table(const struct catalog_listing *listing)
{
    const struct listed *listed = &LISTED[listing->what];
    AUTO(buf) struct buf table;
    struct slice *cells = calloc(listing->cell_count, sizeof *cells);
    if (!cells)
        abort();
    for (size_t i = 0; i < listing->cell_count; i++) {
        size_t from = i ? listing->ends[i - 1] : 0;
        cells[i] = slice_of(listing->text.p + from, listing->ends[i] - from);
    }
    buf_init(&table, BYTES_MAX);
    /* For a program nothing is cut. */
    const size_t room = term_is_terminal(stdout) ? term_columns() : SIZE_MAX;
    term_add_table(&table, listed->columns, listed->count, cells, listing->cell_count / listed->count, room);
    free(cells);
    return print(&table);
}

bool catalog_listing_print(struct catalog_listing *listing)
{
    if (listing->text.full)
        return false;
    if (listing->json)
        return print_json(listing);
    if (!listing->text.n)
        buf_add_format(&listing->text, "%s\n", LISTED[listing->what].none);
    else if (!listing->whole)
        return print_table(listing);
    return print(&listing->text);
}
