/* The part of `weir check` that is about settings: the list of them, and one of them explained. */
#pragma once
#include "config/config.h"

/* A line each: key, value, where it comes from. */
void check_settings_list(const struct config *config);
/* The setting with this key, or all whose key has the part in it, with all that is known. Returns how many. */
size_t check_settings_explain(const struct config *config, const char *key);
/* ,"settings":[…] */
void check_settings_json(const struct config *config, struct buf *out);
