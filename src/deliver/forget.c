/* One mark after the other, each owned, then dropped by a commit of its own; a mark that is not there is forgotten. */
#include "deliver/forget.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/retry.h"
#include "deliver/deliver.h"
#include "deliver/place.h"
#include "journal/journal.h"
#include "world/world.h"

#define WAIT_US 10000000 /* for an answer of the journal, before it is told */

/* Owner: the role. */
struct forgetting {
    struct journal *journal;
    struct world *world;
    struct bell *bell;
    struct place_mark place;
    struct retry retry;
    int64_t not_before_us, asked_us;
    bool told; /* that this sink has to wait */
    size_t count, at;
    uint16_t order; /* of the sink `at` */
    struct gone {
        char name[SINK_NAME_MAX + 1];
        _Atomic bool forgotten;
    } * gone;
};

struct forgetting *forgetting_new(struct journal *journal, struct world *world)
{
    struct forgetting *forgetting = calloc(1, sizeof *forgetting);
    if (!forgetting)
        abort();
    forgetting->journal = journal;
    forgetting->world = world;
    forgetting->bell = forgetting->place.bell = bell_new();
    forgetting->retry = (struct retry){ .first_ms = 500, .most_ms = 10000 };
    return forgetting;
}

void forgetting_add(struct forgetting *forgetting, const char *sink)
{
    const size_t count = forgetting->count + 1;
    forgetting->gone = realloc(forgetting->gone, count * sizeof *forgetting->gone);
    if (!forgetting->gone)
        abort();
    struct gone *gone = &forgetting->gone[forgetting->count++];
    snprintf(gone->name, sizeof gone->name, "%s", sink);
    atomic_init(&gone->forgotten, false);
}

size_t forgetting_count(const struct forgetting *forgetting)
{
    return forgetting->count;
}

const char *forgetting_name(const struct forgetting *forgetting, size_t index)
{
    assert(index < forgetting->count);
    return forgetting->gone[index].name;
}

bool forgetting_is_forgotten(const struct forgetting *forgetting, size_t index)
{
    assert(index < forgetting->count);
    return atomic_load(&forgetting->gone[index].forgotten);
}

static void tell(struct forgetting *forgetting, const char *why)
{
    if (!forgetting->told)
        log_warn("sink.forget_waits",
                 "sink=%s it is no longer configured, and its mark still holds the journal; tried again until it is "
                 "gone: %s",
                 forgetting->gone[forgetting->at].name, why);
    forgetting->told = true;
}

static bool wait_after(struct forgetting *forgetting, const struct error *why, int64_t *wake_us)
{
    tell(forgetting, why->text);
    forgetting->not_before_us = *wake_us = retry_next_us(&forgetting->retry, forgetting->world);
    return false;
}

static bool next(struct forgetting *forgetting)
{
    struct gone *gone = &forgetting->gone[forgetting->at];
    retry_reset(&forgetting->retry);
    if (++forgetting->order < forgetting->journal->orders)
        return true;
    log_info("sink.forgotten", "sink=%s it is no longer configured, and holds the journal no more", gone->name);
    atomic_store(&gone->forgotten, true);
    forgetting->at++;
    forgetting->order = 0;
    forgetting->told = false;
    return true;
}

static bool drop(struct forgetting *forgetting, int64_t *wake_us)
{
    struct error err;
    char note[TARGET_NOTE_MAX];
    uint64_t position;
    const char *sink = forgetting->gone[forgetting->at].name;
    const uint16_t partition = forgetting->journal->orders > 1 ? forgetting->order : JOURNAL_ALL_PARTITIONS;
    enum status s = place_read(forgetting->journal, sink, partition, &position, note, &err);
    if (s == ERR_NOT_FOUND)
        return next(forgetting);
    if (s == OK)
        s = place_submit(&forgetting->place, forgetting->journal, sink, partition, JOURNAL_MARK_DROP, "", &err);
    if (s != OK)
        return wait_after(forgetting, &err, wake_us);
    forgetting->asked_us = world_mono_us(forgetting->world);
    *wake_us = forgetting->asked_us + WAIT_US;
    return false;
}

static bool forgetting_step(void *self, struct world *world, int64_t *wake_us)
{
    struct forgetting *forgetting = self;
    struct error err;
    const int64_t now_us = world_mono_us(world);
    if (forgetting->at == forgetting->count)
        return false;
    switch (place_state(&forgetting->place)) {
    case PLACE_PENDING:
        if (now_us - forgetting->asked_us >= WAIT_US)
            tell(forgetting, "the journal has not answered in 10 s");
        else
            *wake_us = forgetting->asked_us + WAIT_US;
        return false; /* its answer rings */
    case PLACE_DONE:
        return place_take(&forgetting->place, &err) == OK ? next(forgetting) : wait_after(forgetting, &err, wake_us);
    case PLACE_IDLE:
        break;
    }
    if (now_us >= forgetting->not_before_us)
        return drop(forgetting, wake_us);
    *wake_us = forgetting->not_before_us;
    return false;
}

struct role forgetting_role(struct forgetting *forgetting)
{
    return (struct role){ "sink-forget", forgetting, forgetting_step, forgetting->bell, 0 };
}

void forgetting_free(struct forgetting *forgetting)
{
    if (!forgetting)
        return;
    assert(place_state(&forgetting->place) != PLACE_PENDING);
    bell_free(forgetting->bell);
    free(forgetting->gone);
    free(forgetting);
}
