/* A YAML tree as JSON: what is unquoted and looks like a number, true, false or null is one. */
#pragma once
#include "config/yaml.h"

void trial_add_json(struct fy_node *node, struct buf *json);
