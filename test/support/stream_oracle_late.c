/* Which events are late: by the watermark that each met, of what its partition had taken by then. */
#include <inttypes.h>
#include <stdio.h>

#include "base/test.h"
#include "test/support/stream_oracle_inside.h"

int64_t oracle_start_of(int64_t time_ms, int64_t step_ms)
{
    int64_t rest = time_ms % step_ms;
    return time_ms - (rest < 0 ? rest + step_ms : rest);
}

bool oracle_passes(const struct oracle_window *window, const struct oracle_event *event)
{
    switch (window->filter) {
    case FILTER_NONE:
    case ORACLE_FILTERS:
        return true;
    case FILTER_PURCHASES:
        return event->type == 1;
    case FILTER_POSITIVE:
        return event->amount > 0;
    }
    return true;
}

/* The watermark that the event met: of its tenant's events that its partition had taken by then, itself included. */
static int64_t watermark_at(const struct oracle *oracle, const struct oracle_event *event)
{
    int64_t newest_ms = NO_TIME;
    for (size_t i = 0; i < oracle->event_count; i++) {
        const struct oracle_event *other = &oracle->events[i];
        if (other->times_enriched && other->tenant == event->tenant && other->partition == event->partition &&
            other->order <= event->order && other->time_ms > newest_ms)
            newest_ms = other->time_ms;
    }
    return newest_ms - oracle->disorder_ms;
}

int64_t oracle_watermark_most(const struct oracle *oracle, struct machine *rig, uint8_t tenant)
{
    const int64_t wall_ms = rig->time.world.wall_us(&rig->time.world) / 1000;
    int64_t most_ms = !oracle->live[tenant] ? NO_TIME : wall_ms > oracle->wall_most_ms ? wall_ms : oracle->wall_most_ms;
    for (size_t i = 0; i < oracle->event_count; i++)
        if (oracle->events[i].times_enriched && oracle->events[i].tenant == tenant &&
            oracle->events[i].time_ms > most_ms)
            most_ms = oracle->events[i].time_ms;
    return most_ms == NO_TIME ? NO_TIME : most_ms - oracle->disorder_ms;
}

/* Whether what was late would have been in the window's result that starts then. */
static bool covers(const struct oracle *oracle, const struct oracle_late *late, int64_t start_ms)
{
    const struct oracle_window *window = &oracle->windows[late->window];
    return window->session || (late->start_ms <= start_ms && start_ms + window->size_ms <= late->end_ms);
}

bool oracle_told_late(const struct oracle *oracle, size_t event, size_t window, int64_t start_ms)
{
    for (size_t i = 0; i < oracle->late_count; i++) {
        const struct oracle_late *late = &oracle->lates[i];
        if (late->event == (int)event && late->window == window && covers(oracle, late, start_ms))
            return true;
    }
    return false;
}

bool oracle_is_doubtful(const struct oracle *oracle, uint8_t tenant, size_t window, int64_t start_ms)
{
    for (size_t i = 0; i < oracle->late_count; i++) {
        const struct oracle_late *late = &oracle->lates[i];
        if (late->event < 0 && late->tenant == tenant && late->window == window && covers(oracle, late, start_ms))
            return true;
    }
    return false;
}

int oracle_by_time(const void *a, const void *b)
{
    const struct oracle_event *x = *(struct oracle_event *const *)a, *y = *(struct oracle_event *const *)b;
    return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

void oracle_check_lates(const struct oracle *oracle, struct machine *rig, const char *when)
{
    for (size_t i = 0; i < oracle->late_count; i++) {
        const struct oracle_late *late = &oracle->lates[i];
        const struct oracle_window *window = &oracle->windows[late->window];
        if (window->processing_time)
            fail_msg("%s: an event is late for %s, which goes by the clock", when, window->name);
        if (late->watermark_ms < late->end_ms + window->lateness_ms ||
            late->watermark_ms > oracle_watermark_most(oracle, rig, late->tenant))
            fail_msg("%s: e%d is told late for %s until %" PRId64 " by a watermark of %" PRId64, when, late->event,
                     window->name, late->end_ms, late->watermark_ms);
        for (size_t j = 0; j < i; j++)
            if (late->event >= 0 && oracle->lates[j].event == late->event && oracle->lates[j].window == late->window)
                fail_msg("%s: e%d is told late for %s twice", when, late->event, window->name);
    }
    for (size_t e = 0; e < oracle->event_count; e++) {
        const struct oracle_event *event = &oracle->events[e];
        if (!event->times_enriched)
            continue;
        const int64_t watermark_ms = watermark_at(oracle, event);
        const bool exact = rig->journal_options.partitions == 1 && !oracle->live[event->tenant];
        for (size_t w = 0; w < oracle->window_count; w++) {
            const struct oracle_window *window = &oracle->windows[w];
            const int64_t slice_ms =
                              window->session ? event->time_ms : oracle_start_of(event->time_ms, window->slide_ms),
                          last_end_ms = slice_ms + window->size_ms;
            if (!oracle_passes(window, event) || window->processing_time)
                continue;
            bool late = last_end_ms + window->lateness_ms <= watermark_ms,
                 told = oracle_told_late(oracle, e, w, slice_ms);
            if ((late && !told) || (exact && !late && told))
                fail_msg("%s: e%zu, at %" PRId64 " with the watermark at %" PRId64 ", is %stold late for %s", when, e,
                         event->time_ms, watermark_ms, told ? "" : "not ", window->name);
        }
    }
}
