/* Up to where a reader that is to end has still to come: what was durable when it was told so, so that who goes on
 * writing does not make it longer. That a read gave nothing does not say that all is read: a far journal's messages may
 * be on their way. Owner: the reader's role; begins as zeroes. */
#pragma once
#include "journal/journal.h"

struct drain_end {
    bool known;
    uint64_t position;
};

/* Only once it is to end. at: behind what was read. topic: one that its position counts in; partition: or
 * JOURNAL_ALL_PARTITIONS. False also while the journal does not say where its end is: ask again. */
bool drain_end_reached(struct drain_end *end, struct journal *journal, enum journal_topic topic, uint16_t partition,
                       uint64_t at);
