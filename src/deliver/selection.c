#include "deliver/selection.h"

#include "journal/journal.h"

static const struct kind {
    const char *name;
    enum journal_topic topic;
} KINDS[] = {
    { "windows", TOPIC_WINDOWS },           { "sessions", TOPIC_SESSIONS }, { "late_events", TOPIC_LATE },
    { "dead_letters", TOPIC_DEAD_LETTERS }, { "events", TOPIC_ENRICHED },
};

bool selection_next(struct slice *io_rest, struct slice *out_name)
{
    while (io_rest->n) {
        const char *comma = memchr(io_rest->p, ',', io_rest->n);
        size_t n = comma ? (size_t)(comma - io_rest->p) : io_rest->n;
        struct slice name = slice_trim(slice_of(io_rest->p, n));
        *io_rest = slice_after(*io_rest, comma ? n + 1 : n);
        if (name.n) {
            *out_name = name;
            return true;
        }
    }
    return false;
}

enum status selection_topics(const struct selection *selection, uint32_t *out_topics, struct error *err)
{
    struct slice rest = slice_from(selection->results), name;
    uint32_t topics = 0;
    while (selection_next(&rest, &name)) {
        size_t i = 0;
        while (i < COUNT_OF(KINDS) && !slice_equal(name, slice_from(KINDS[i].name)))
            i++;
        if (i == COUNT_OF(KINDS))
            return error_set(err, ERR_INVALID,
                             "there are no results '%.*s': results is a list of windows, sessions, late_events, "
                             "dead_letters and events",
                             SLICE_ARG(name));
        topics |= TOPIC_BIT(KINDS[i].topic);
    }
    if (!topics)
        return error_set(err, ERR_INVALID,
                         "results is empty: it is a list of windows, sessions, late_events, dead_letters and events");
    *out_topics = topics;
    return OK;
}

bool selection_names(const char *list, struct slice name)
{
    struct slice rest = slice_from(list), one;
    if (!rest.n)
        return true;
    while (selection_next(&rest, &one))
        if (slice_equal(one, name))
            return true;
    return false;
}
