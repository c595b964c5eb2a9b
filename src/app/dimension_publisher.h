/* Tells the rows of dimension tables to processes without an engine, through TOPIC_DIMENSIONS: a version of a table as
 * chunks, then, in one commit, what closes it and what has the chunks of older versions forgotten. One process alone
 * writes (the mark "dimensions", decision 0102): a later one ends what this one was writing, and finds what it left
 * without an end. Of the role that asks the queries; it waits for the brokers. */
#pragma once
#include "base/compiler.h"
#include "config/domain.h"
#include "journal/journal.h"

struct dimension_publisher;

/* Aborts when out of memory (start-up only). */
struct dimension_publisher *dimension_publisher_new(struct journal *journal, struct metrics *metrics,
                                                    struct world *world);
/* Returns when the others can read the text as the table's newest version; at once when they could before. Versions of
 * tables that the domains do not have are forgotten. ERR_CLOSED: stopped. Else it is to be tried again. */
MUST_CHECK enum status dimension_publisher_tell(struct dimension_publisher *publisher, const struct domain_set *domains,
                                                const struct dimension_table *table, struct slice text,
                                                struct error *err);
/* What is under way ends with the commit that it waits for. Any thread. */
void dimension_publisher_stop(struct dimension_publisher *publisher);
void dimension_publisher_free(struct dimension_publisher *publisher); /* after the role ended; NULL is fine */
