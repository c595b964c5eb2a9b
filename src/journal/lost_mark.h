/* A group of readers whose mark is gone though it had one: brokers forget offsets that nobody commits for
 * offsets.retention.minutes, and people delete groups. Nobody knows then up to where the group had come: to begin anew
 * does everything twice, to begin at the end leaves something out. So that is for a person to decide. */
#pragma once
#include "journal/journal.h"

enum lost_mark {
    LOST_MARK_REFUSE,
    LOST_MARK_BEGIN, /* go on with the oldest record that is kept */
    LOST_MARK_END,   /* go on with what comes from now on */
};

struct lost_mark_group {
    const char *group, *setting; /* the setting that decides; borrowed */
    uint16_t partition;          /* or JOURNAL_ALL_PARTITIONS */
    enum journal_topic topic;    /* one that its position counts in */
};

/* Of the settings' "refuse", "begin", "end". */
enum lost_mark lost_mark_from(const char *text);
/* Where to go on. ERR_CORRUPT: nobody has decided; the message names the ways out. ERR_RETRY: the end is not known now.
 */
MUST_CHECK enum status lost_mark_settle(struct journal *journal, const struct lost_mark_group *group,
                                        enum lost_mark decided, uint64_t *out_position, struct error *err);
