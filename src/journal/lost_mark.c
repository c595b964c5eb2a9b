#include "journal/lost_mark.h"

#include "base/log.h"

enum lost_mark lost_mark_from(const char *text)
{
    if (strcmp(text, "begin") == 0)
        return LOST_MARK_BEGIN;
    return strcmp(text, "end") == 0 ? LOST_MARK_END : LOST_MARK_REFUSE;
}

static uint16_t order_of(const struct lost_mark_group *group)
{
    return group->partition == JOURNAL_ALL_PARTITIONS ? 0 : group->partition;
}

enum status lost_mark_settle(struct journal *journal, const struct lost_mark_group *group, enum lost_mark decided,
                             uint64_t *out_position, struct error *err)
{
    enum status s = OK;
    switch (decided) {
    case LOST_MARK_REFUSE:
        return error_set(err, ERR_CORRUPT,
                         "the mark of group %s in partition %u is gone, though there was one: where it stood, nobody "
                         "knows. Was weir stopped for longer than the brokers' offsets.retention.minutes, or the group "
                         "deleted? Decide by %s: begin (everything that the journal keeps comes again) or end (what "
                         "lies there now is left out)",
                         group->group, order_of(group), group->setting);
    case LOST_MARK_BEGIN:
        *out_position = JOURNAL_BEGIN;
        break;
    case LOST_MARK_END:
        s = journal->backend->end_position(journal, group->topic, order_of(group), out_position, err);
        break;
    }
    if (s == OK)
        log_warn("journal.mark_lost", "group=%s partition=%u from=%lu %s says so; take it out again", group->group,
                 order_of(group), *out_position, group->setting);
    return s;
}
