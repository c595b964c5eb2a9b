/* What a file of cases may hold, looked at before anything runs: names that are not known, times and durations that are
 * none, windows that no domain declares. */
#pragma once
#include "config/domain.h"
#include "config/yaml.h"

#define TRIAL_WAIT_MAX_MS (400ll * 24 * 3600 * 1000)
#define TRIAL_CASES_MAX 10000   /* in one file */
#define TRIAL_EVENTS_MAX 200000 /* in one step */
#define TRIAL_NODES_MAX 1000000 /* of one file's tree, an alias counted as all that it stands for */
#define TRIAL_DEPTH_MAX 64

enum trial_step_kind { TRIAL_SEND, TRIAL_WAIT, TRIAL_RESTART, TRIAL_EXPECT, TRIAL_STEPS };

/* The step's one key; TRIAL_STEPS: none of them. *out_value: what stands behind it. */
enum trial_step_kind trial_step(struct fy_node *step, struct fy_node **out_value);
/* "250ms", "10m", "3d". */
MUST_CHECK bool trial_duration(struct fy_node *value, int64_t *out_ms, struct error *err);
/* Mistakes go to the file's problems; one of them is a tree beyond the bounds above, so that a walk over one without
 * mistakes ends. */
void trial_check(struct yaml_file *file, struct fy_node *top, const struct domain_set *domains);
