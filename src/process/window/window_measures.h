/* The measures of a window definition: which accumulators they are, what is fed into them, and how they read as JSON.
 * Made once, then only read; any thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "config/domain.h"
#include "process/aggregate/aggregate.h"

/* ERR_INVALID: a parameter out of its range (the configuration was checked before: a mistake of ours). */
MUST_CHECK enum status window_measures_layout(const struct window *window, struct aggregate_layout *out,
                                              struct error *err);
/* What the window's expressions say of an event, one input per measure; texts are views as in expr_eval. */
void window_measures_inputs(const struct window *window, const struct value *fields, struct arena *arena,
                            struct aggregate_value inputs[WINDOW_MEASURES_MAX]);
/* {"views":3,"top_pages":[{"value":"/a","count":2}],"p95":12.5} */
void window_measures_add_json(const struct window *window, const struct aggregate_layout *layout, const void *row,
                              struct buf *out);
