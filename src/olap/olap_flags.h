/* What ext4 shall know about the directories of the engine's tables: makes inserts fast, and their notes as durable as
 * their rows (olap_flags.c says how). */
#pragma once

/* Marks the tables under engine_dir/store. Best effort: on other file systems it does nothing. Cheap: call it often. */
void olap_flags_set(const char *engine_dir);
