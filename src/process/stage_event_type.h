/* The stage that holds events against what the domains declare of their type: schema (kinds, formats, values, fields
 * that nobody declared), then nullability, then range, then rules. Of the faults that `reject`, the first makes the
 * event a dead letter of stage "validate"; else the first that says `quarantine` one of stage "quarantine"; those that
 * say `tag` are named in `context.weir_faults`. An event that passes gets its defaults, its money in cents, and loses
 * what is of persons. Events of types that nobody declares cost the look for their type. docs/domains.md is for people.
 *
 * A letter in quarantine carries `context.weir_released`, a proof that is made for its event_id alone: sent again as it
 * is, the event passes what says `quarantine`, and its faults are named as if they said `tag`.
 *
 * Owner: one pipeline; one thread. What it builds lives in the batch's arena. */
#pragma once
#include "config/domain.h"
#include "process/process_metrics.h"
#include "process/process_stage.h"

struct stage_event_type;

struct stage_event_type_options {
    const struct domain_set *domains; /* outlives the stage; NULL: none */
    struct slice secret;              /* of the keys for what is of persons (validate/pii.h); copied */
    struct process_metrics *metrics;
};

/* NULL when no type is declared. Aborts when out of memory. */
struct stage_event_type *stage_event_type_new(const struct stage_event_type_options *options);
void stage_event_type_free(struct stage_event_type *stage);
/* self: struct stage_event_type. Reasons: those of enum fault; "event_too_large", "no_room". */
MUST_CHECK enum status stage_event_type_run(void *self, struct process_batch *batch, struct error *err);
