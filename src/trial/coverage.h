/* Which rules of the domains no case has hit: windows that counted nothing, columns of windows that never had a value
 * (as when a property's name is misspelt), transforms that changed no event, event types of which none was stored,
 * rules that no event broke. One thread. */
#pragma once
#include "trial/outcome.h"

enum coverage_kind {
    COVERAGE_WINDOW,
    COVERAGE_COLUMN,
    COVERAGE_TRANSFORM,
    COVERAGE_EVENT_TYPE,
    COVERAGE_RULE,
    COVERAGE_KINDS
};

struct coverage;

/* domains outlives it. Aborts when out of memory. */
struct coverage *coverage_new(const struct domain_set *domains);
void coverage_free(struct coverage *coverage);
/* The rows at the end of a case; an event that is late for a window hits it, too. */
void coverage_add_rows(struct coverage *coverage, struct slice tenant, const struct outcome *outcome);
/* What the transforms did in one life of a machine: before its metrics begin anew. */
void coverage_add_life(struct coverage *coverage, struct metrics *metrics);
/* Every rule that was never hit, as "window", "window.column", "transform", "event type" or "event type.rule". name:
 * until visit returns. */
typedef void coverage_visit(void *self, enum coverage_kind kind, struct slice name);
void coverage_never(const struct coverage *coverage, coverage_visit *visit, void *self);
