/* A version in force may be met without its chunks, when compaction removes what a newer one has replaced while it is
 * being read: the newer one is behind it in the topic, so this one is passed over. */
#include "app/dimension_follower.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"

#define READ_BYTES (1u << 20)

struct dimension_follower {
    struct journal *journal;
    struct journal_reader *reader;
    struct bell *bell;
    dimension_version_hook *hook;
    void *hook_self;
    struct counter *refused;
    struct dimension_gather gather;
    atomic_bool current;
};

struct dimension_follower *dimension_follower_new(struct journal *journal, struct bell *bell, struct metrics *metrics,
                                                  dimension_version_hook *hook, void *self)
{
    struct dimension_follower *follower = calloc(1, sizeof *follower);
    if (!follower)
        abort();
    follower->journal = journal;
    follower->bell = bell;
    follower->hook = hook;
    follower->hook_self = self;
    follower->refused = metrics_counter(metrics, "dimension_records_refused_total",
                                        "Records of dimension tables that were passed over as malformed.", "");
    dimension_gather_init(&follower->gather);
    return follower;
}

void dimension_follower_begin_again(struct dimension_follower *follower)
{
    if (follower->reader)
        follower->journal->backend->reader_close(follower->reader);
    follower->reader = NULL;
    follower->gather.version = 0;
}

static void take(struct dimension_follower *follower, struct slice bytes, uint64_t position)
{
    struct dimension_record record;
    struct error err;
    if (dimension_record_decode(bytes, &record, &err) != OK) {
        counter_add(follower->refused, 1);
        log_warn("dimension.record_refused", "going on with the rows so far: %s", err.text);
        return;
    }
    if (dimension_gather_take(&follower->gather, &record))
        follower->hook(follower->hook_self, &record, buf_slice(&follower->gather.text), position);
}

enum status dimension_follower_step(struct dimension_follower *follower, bool *out_more, struct error *err)
{
    const struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_DIMENSIONS),
                                                  .position = JOURNAL_BEGIN,
                                                  .waker = bell_waker(follower->bell) };
    struct journal_batch batch = { 0 };
    enum status s = OK;
    if (!follower->reader)
        s = follower->journal->backend->reader_open(follower->journal, &options, &follower->reader, err);
    if (s == OK)
        s = journal_read(follower->reader, READ_BYTES, &batch, err);
    for (size_t i = 0; s == OK && i < batch.chunk_count; i++) {
        struct slice rest = batch.chunks[i].bytes, record;
        while (journal_next_record(&rest, &record))
            take(follower, record, batch.chunks[i].position);
    }
    if (s != OK)
        dimension_follower_begin_again(follower);
    else if (batch.chunk_count == 0)
        atomic_store(&follower->current, true);
    *out_more = s == OK && batch.chunk_count > 0;
    return s;
}

bool dimension_follower_is_current(const struct dimension_follower *follower)
{
    return atomic_load(&follower->current);
}

void dimension_follower_free(struct dimension_follower *follower)
{
    if (!follower)
        return;
    dimension_follower_begin_again(follower);
    dimension_gather_done(&follower->gather);
    free(follower);
}
