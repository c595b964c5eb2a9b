/* The stage that changes events as the domains' transforms say: by expressions (set, remove) or by a script. One after
 * the other in the set's order, each seeing what the ones before left. What a transform cannot do to an event makes the
 * event a dead letter of stage "transform"; nothing is half changed. Owner: one pipeline; one thread. The bytes that it
 * builds live in the batch's arena; nothing else is kept from event to event. */
#pragma once
#include "base/metrics.h"
#include "config/domain.h"
#include "process/process_stage.h"

struct stage_transform;

/* The counter of the events that a transform was for and did not refuse, by its labels. */
#define STAGE_TRANSFORM_EVENTS "transform_events_total"
#define STAGE_TRANSFORM_LABELS_MAX 160
void stage_transform_labels(const struct transform *transform, char to[STAGE_TRANSFORM_LABELS_MAX]);

/* domains outlives the stage. NULL when they have no transforms. Aborts when out of memory. */
struct stage_transform *stage_transform_new(const struct domain_set *domains, struct metrics *metrics);
void stage_transform_free(struct stage_transform *stage);
enum status stage_transform_run(void *self, struct process_batch *batch, struct error *err);
