/* Commits on their way to the writer, for the backends alone. */
#pragma once
#include <stdatomic.h>

#include "journal/journal.h"

#define JOURNAL_TOPICS 32 /* topic numbers are below this */

/* ERR_INVALID with the reason when the commit must not be queued. Reads every record's length. Any thread. */
MUST_CHECK enum status commit_check(const struct journal_commit *commit, uint16_t partitions, size_t bytes_max,
                                    struct error *err);
/* The share of backends that nobody shares: everything is here. */
MUST_CHECK enum status journal_share_whole(struct journal *journal, const struct journal_share_options *options,
                                           struct journal_share **out, struct error *err);
/* What the commit counts against the queue's bound. */
size_t commit_bytes(const struct journal_commit *commit);

/* Many threads push, one takes all: a stack of commits chained by commit->next, turned round when taken, so that there
 * is no lock and no allocation. */
struct commit_list {
    struct journal_commit *_Atomic newest;
};

/* *out_was_empty: the taker may be asleep and wants a ring. */
void commit_list_push(struct commit_list *list, struct journal_commit *commit, bool *out_was_empty);
/* Everything, oldest first, chained by next. */
struct journal_commit *commit_list_take(struct commit_list *list);
