/* Reads what dimension_publisher.h tells, from the beginning of the topic: each version that is whole is handed on, in
 * the order of the topic. Of one role, but for dimension_follower_is_current. */
#pragma once
#include "base/bell.h"
#include "base/compiler.h"
#include "event/dimension_record.h"
#include "journal/journal.h"

struct dimension_follower;

/* closing says of which table, and when it was asked for; text is borrowed for the call. position: of closing in the
 * journal; after a beginning anew versions come again. */
typedef void dimension_version_hook(void *self, const struct dimension_record *closing, struct slice text,
                                    uint64_t position);

/* Aborts when out of memory (start-up only). The bell is rung when there is something to read. */
struct dimension_follower *dimension_follower_new(struct journal *journal, struct bell *bell, struct metrics *metrics,
                                                  dimension_version_hook *hook, void *self);
/* Reads some. *out_more: call again at once. After a failure it begins again at the beginning. */
MUST_CHECK enum status dimension_follower_step(struct dimension_follower *follower, bool *out_more, struct error *err);
/* The next step begins at the beginning. */
void dimension_follower_begin_again(struct dimension_follower *follower);
/* All that was in the topic when the reading began was read. Any thread. */
bool dimension_follower_is_current(const struct dimension_follower *follower);
void dimension_follower_free(struct dimension_follower *follower); /* after the role ended; NULL is fine */
