/* Which results a sink wants. Plain data, const once made; names are borrowed texts, separated by commas. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

struct selection {
    const char *results; /* of windows, sessions, late_events, dead_letters, events */
    const char *windows; /* names; "": all */
    const char *tenants; /* ids; "": all */
    bool only_final;     /* of results of windows */
};

/* The journal's topics that these are in, as TOPIC_BIT()s. ERR_INVALID: there are no such results. */
MUST_CHECK enum status selection_topics(const struct selection *selection, uint32_t *out_topics, struct error *err);
/* The name stands in the list, or the list is empty. */
bool selection_names(const char *list, struct slice name);
/* Takes the list's first name off *io_rest; false at its end. Blanks around names do not count. */
bool selection_next(struct slice *io_rest, struct slice *out_name);
