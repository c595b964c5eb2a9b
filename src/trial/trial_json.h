/* A YAML tree that trial_check took as JSON: what is unquoted and is a number in JSON, true, false or null is one. */
#pragma once
#include "config/yaml.h"

void trial_add_json(struct fy_node *node, struct buf *json);
