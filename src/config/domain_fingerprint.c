/* A window's id names its state. It is made of what the state means, so that a change which would mix two meanings
 * begins anew, while one that only concerns results (emit, lateness, tenants) goes on. Texts are the canonical ones:
 * blanks and quotes do not matter. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "config/domain_reader.h"

static void add_expr(struct buf *text, const struct expr *expr, const struct field_plan *plan)
{
    if (expr)
        expr_add_canonical(expr, plan, text);
    buf_add_char(text, '\n');
}

uint64_t domain_window_id(const struct window *window, const struct field_plan *plan)
{
    struct buf text;
    buf_init(&text, DOMAIN_SET_BYTES_MAX);
    buf_add_format(&text, "weir window 1\n%.*s\n%.*s\n%d %lld %lld %lld %d\n", SLICE_ARG(window->domain),
                   SLICE_ARG(window->name), (int)window->kind, (long long)window->size_ms, (long long)window->slide_ms,
                   (long long)window->gap_ms, window->processing_time);
    add_expr(&text, window->where, plan);
    for (size_t i = 0; i < window->key_count; i++) {
        buf_add_format(&text, "by %.*s ", SLICE_ARG(window->keys[i].name));
        add_expr(&text, window->keys[i].value, plan);
    }
    for (size_t i = 0; i < window->measure_count; i++) {
        const struct window_measure *measure = &window->measures[i];
        buf_add_format(&text, "%.*s %d %.17g %u ", SLICE_ARG(measure->name), (int)measure->kind, measure->quantile,
                       measure->top);
        add_expr(&text, measure->value, plan);
    }
    assert(!text.full);
    uint64_t id = XXH3_64bits(text.p, text.n);
    buf_done(&text);
    return id;
}
