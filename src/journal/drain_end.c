#include "journal/drain_end.h"

bool drain_end_reached(struct drain_end *end, struct journal *journal, enum journal_topic topic, uint16_t partition,
                       uint64_t at)
{
    struct error err;
    const uint16_t asked = partition == JOURNAL_ALL_PARTITIONS ? 0 : partition;
    if (!end->known)
        end->known = journal->backend->end_position(journal, topic, asked, &end->position, &err) == OK;
    return end->known && at >= end->position;
}
