/* The marks of all groups of readers: one writer (the journal's role), any number of threads that look.
 * Bounds: MARKS_MAX groups × partitions. Entries are never moved or freed before marks_free, so that a reader needs no
 * lock: it copies the words of an entry and takes the copy only if the entry's version did not change meanwhile. */
#pragma once
#include "journal/journal.h"

#define MARKS_MAX 16384

struct marks;

struct marks *marks_new(void); /* aborts when out of memory (start-up only) */
void marks_free(struct marks *marks);

/* Writer only. False: the table is full (the caller refuses the commit; see marks_room). */
MUST_CHECK bool marks_set(struct marks *marks, const struct journal_mark *mark);
/* Writer only. True when all of these could be set. */
bool marks_room(const struct marks *marks, const struct journal_mark *list, size_t count);

/* Any thread. */
MUST_CHECK enum status marks_get(const struct marks *marks, const char *group, uint16_t partition,
                                 struct journal_mark *out, char *note_buffer);
/* The smallest position of all; UINT64_MAX when there is none. */
uint64_t marks_smallest(const struct marks *marks);

/* How many entries there are, dropped ones included: marks_at(0 … count-1). Any thread. */
size_t marks_count(const struct marks *marks);
/* False: the entry was dropped. */
bool marks_at(const struct marks *marks, size_t i, struct journal_mark *out, char *note_buffer);
