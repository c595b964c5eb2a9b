/* Keeps inserts fast on ext4 (olap_spread.c says how). */
#pragma once

/* Marks the tables under engine_dir/store. Best effort: on other file systems it does nothing. Cheap: call it often. */
void olap_spread(const char *engine_dir);
