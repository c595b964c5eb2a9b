/* A stored row: u64 events, then what aggregate_encode writes. Of a session window between the two, as LEB128 (zigzag
 * where it may be below 0): first, last - first, 0 untold or 1 told or 3 told as final, and when told the start less
 * first. */
#include "process/window/window_def.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/aggregate/wire.h"
#include "process/window/window_measures.h"

static const struct window_def *def_of(const struct keyed_kind *kind)
{
    return (const struct window_def *)kind;
}

static void session_encode(const struct window_session *session, struct buf *to)
{
    char bytes[4 * WIRE_U64_MAX], *end = bytes;
    const bool told = session->told_ms != WINDOW_UNTOLD;
    end = wire_put_i64(end, session->first_ms);
    end = wire_put_u64(end, (uint64_t)(session->last_ms - session->first_ms));
    end = wire_put_u64(end, told ? 1u + 2u * session->final : 0);
    if (told)
        end = wire_put_i64(end, session->told_ms - session->first_ms);
    buf_add(to, bytes, (size_t)(end - bytes));
}

static bool session_decode(struct wire *from, struct window_session *out)
{
    out->first_ms = wire_get_i64(from);
    out->last_ms = (int64_t)((uint64_t)out->first_ms + wire_get_u64(from));
    uint64_t told = wire_get_u64(from);
    out->told_ms = told ? (int64_t)((uint64_t)out->first_ms + (uint64_t)wire_get_i64(from)) : WINDOW_UNTOLD;
    out->final = told == 3;
    return !from->bad && out->last_ms >= out->first_ms && told != 2 && told <= 3;
}

static void row_encode(const struct keyed_kind *kind, const void *data, struct buf *to)
{
    const struct window_def *def = def_of(kind);
    const struct window_row *row = data;
    buf_add(to, &row->events, sizeof row->events);
    if (def->session)
        session_encode(window_row_session(def, (struct window_row *)data), to);
    aggregate_encode(&def->layout, row + 1, to);
}

static enum status row_decode(const struct keyed_kind *kind, struct slice bytes, void *data, struct error *err)
{
    const struct window_def *def = def_of(kind);
    struct window_row *row = data;
    if (bytes.n < sizeof row->events)
        return error_set(err, ERR_CORRUPT, "a window's row has %zu bytes", bytes.n);
    memcpy(&row->events, bytes.p, sizeof row->events);
    struct wire rest = wire_from(slice_after(bytes, sizeof row->events));
    if (def->session && !session_decode(&rest, window_row_session(def, row)))
        return error_set(err, ERR_CORRUPT, "the times of a session in a window's row are malformed");
    return aggregate_decode(&def->layout, slice_of((const char *)rest.at, wire_left(&rest)), row + 1, err);
}

static void row_release(const struct keyed_kind *kind, void *data)
{
    aggregate_release(&def_of(kind)->layout, (struct window_row *)data + 1);
}

static uint64_t row_memory(const struct keyed_kind *kind, const void *data)
{
    const struct aggregate_layout *layout = &def_of(kind)->layout;
    return aggregate_bytes(layout, (const struct window_row *)data + 1) - layout->row_bytes;
}

static bool has_visitor(const struct domain_set *domains, const struct window *window)
{
    for (size_t i = 0; i < window->key_count; i++) {
        int field = expr_field(window->keys[i].value);
        if (field >= 0 && domains->fields->paths[field].source == FIELD_VISITOR_ID)
            return true;
    }
    return false;
}

static struct counter *outcome(struct metrics *metrics, const struct window *window, const char *what)
{
    char labels[160];
    snprintf(labels, sizeof labels, "window=\"%.*s\",outcome=\"%s\"", SLICE_ARG(window->name), what);
    return metrics_counter(metrics, "window_events_total",
                           "Events by what became of them in a window: counted + late + filtered = accepted.", labels);
}

static struct counter *results(struct metrics *metrics, const struct window *window)
{
    char labels[160];
    snprintf(labels, sizeof labels, "window=\"%.*s\"", SLICE_ARG(window->name));
    return metrics_counter(metrics, "window_results_total", "Results of windows written, amendments included.", labels);
}

static enum status make_one(struct window_def *def, const struct domain_set *domains, const struct window *window,
                            bool one_partition, struct metrics *metrics, struct error *err)
{
    def->window = window;
    def->session = window->kind == WINDOW_SESSION;
    def->step_ms = def->session ? window->gap_ms : window->kind == WINDOW_SLIDING ? window->slide_ms : window->size_ms;
    def->reach_ms = def->session ? 3 * window->gap_ms : window->size_ms;
    def->local = one_partition || has_visitor(domains, window);
    def->updates = window->emit & WINDOW_EMIT_UPDATE;
    def->closes = window->emit & WINDOW_EMIT_CLOSE;
    def->counted = outcome(metrics, window, "counted");
    def->late = outcome(metrics, window, "late");
    def->filtered = outcome(metrics, window, "filtered");
    def->results = results(metrics, window);
    enum status s = window_measures_layout(window, &def->layout, err);
    if (s != OK)
        return s;
    def->kind = (struct keyed_kind){ .id = window->id,
                                     .row_bytes = (uint32_t)sizeof(struct window_row) + def->layout.row_bytes +
                                                  (def->session ? (uint32_t)sizeof(struct window_session) : 0),
                                     .encode = row_encode,
                                     .decode = row_decode,
                                     .release = def->layout.has_pointers ? row_release : NULL,
                                     .memory_bytes = def->layout.has_pointers ? row_memory : NULL };
    return OK;
}

enum status window_defs_make(const struct domain_set *domains, bool one_partition, struct metrics *metrics,
                             struct window_defs *out, struct error *err)
{
    struct window_defs defs = { .domains = domains };
    size_t count = domains ? domains->window_count : 0;
    enum status s = OK;
    defs.defs = calloc(count ? count : 1, sizeof *defs.defs);
    defs.kinds = calloc(count ? count : 1, sizeof *defs.kinds);
    if (!defs.defs || !defs.kinds)
        abort();
    for (; defs.count < count && s == OK; defs.count++) {
        defs.kinds[defs.count] = &defs.defs[defs.count].kind;
        s = make_one(&defs.defs[defs.count], domains, &domains->windows[defs.count], one_partition, metrics, err);
    }
    if (s != OK)
        window_defs_done(&defs);
    else
        *out = defs;
    return s;
}

void window_defs_done(struct window_defs *defs)
{
    free(defs->defs);
    free(defs->kinds);
    *defs = (struct window_defs){ 0 };
}

struct window_def *window_defs_find(const struct window_defs *defs, uint64_t id)
{
    for (size_t i = 0; i < defs->count; i++)
        if (defs->defs[i].window->id == id)
            return &defs->defs[i];
    return NULL;
}

bool window_def_wants(const struct window_def *def, struct slice customer_id)
{
    const struct window *window = def->window;
    for (size_t i = 0; i < window->tenant_count; i++)
        if (slice_equal(window->tenants[i], customer_id))
            return true;
    return window->tenant_count == 0;
}

size_t window_defs_foreign(const struct window_defs *defs)
{
    size_t count = 0;
    for (size_t i = 0; i < defs->count; i++)
        count += !defs->defs[i].local;
    return count;
}
