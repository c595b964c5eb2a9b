/* What becomes of results whose target stays away: the sink holds back the journal for so long, then they are read on
 * over, without being delivered, counted and told. Of what the journal has deleted nobody can say more than where. */
#include "base/log.h"
#include "base/metrics.h"
#include "deliver/deliver_inside.h"
#include "world/world.h"

/* Whether the sink holds back more of the journal than it may, and from where on it may. */
bool delivery_holds_too_much(struct delivery *delivery, uint64_t *out_until)
{
    const struct delivery_options *options = &delivery->options;
    struct journal *journal = delivery->journal;
    struct journal_status status;
    struct journal_mark other;
    char note[JOURNAL_NOTE_MAX];
    if (!options->hold_bytes || journal->orders > 1)
        return false;
    journal->backend->status(journal, &status);
    uint64_t from = delivery->marked > status.begin_position ? delivery->marked : status.begin_position;
    *out_until = 0;
    if (status.end_position - from > options->hold_bytes)
        *out_until = status.end_position - options->hold_bytes / 4 * 3;
    else if (status.full && options->not_behind &&
             journal->backend->mark(journal, options->not_behind, options->partition, &other, note) == OK)
        *out_until = other.position;
    return *out_until > from;
}

/* The mark's place was deleted, though the mark should have kept it: say so and go on with what there is. */
bool delivery_positions_lost(struct delivery *delivery, const struct error *why, int64_t *wake_us)
{
    struct journal_status status;
    struct error err;
    delivery->journal->backend->status(delivery->journal, &status);
    log_error("sink.positions_lost",
              "sink=%s from=%lu to=%lu these results were deleted before they were delivered: %s",
              delivery->options.sink, delivery->batch.from, status.begin_position, why->text);
    delivery_batch_reset(&delivery->batch, status.begin_position);
    delivery->marked = status.begin_position;
    return delivery_reopen(delivery, status.begin_position, &err) == OK ? true
                                                                        : delivery_wait_after(delivery, &err, wake_us);
}

static bool passed_over(struct delivery *delivery, int64_t *wake_us)
{
    struct error err;
    const uint64_t from = delivery->marked;
    if (delivery_submit_mark(delivery, &err) != OK)
        return delivery_wait_after(delivery, &err, wake_us);
    log_error("sink.passed_over",
              "sink=%s results=%lu from=%lu to=%lu the target has been away for too long: they are in the tables alone",
              delivery->options.sink, delivery->passed, from, delivery->batch.to);
    counter_add(delivery->figures.skipped, delivery->passed);
    delivery->phase = RESUME;
    delivery_note_waiting(delivery, world_wall_us(delivery->world));
    return true;
}

/* Reads on without delivering, from the mark to where the journal may be held back from: counted, a piece a step. */
bool delivery_pass_over(struct delivery *delivery, int64_t *wake_us)
{
    struct journal_batch read;
    struct error err;
    enum status s = OK;
    if (place_state(&delivery->place) == PLACE_PENDING)
        return false;
    if (!delivery->passing) { /* also again, after a read that failed on the way */
        delivery->passed = 0;
        s = delivery_reopen(delivery, delivery->marked, &err);
    }
    delivery->passing = s == OK;
    if (s == OK)
        s = journal_read(delivery->reader, DELIVERY_READ_BYTES, &read, &err);
    if (s != OK) {
        delivery->passing = false;
        return s == ERR_NOT_FOUND ? delivery_positions_lost(delivery, &err, wake_us)
                                  : delivery_wait_after(delivery, &err, wake_us);
    }
    delivery_batch_reset(&delivery->batch, read.next_position);
    delivery_batch_add(&delivery->batch, &delivery->options.selection, &read, delivery->options.record_bytes_max);
    delivery->passed += delivery->batch.count + delivery->batch.unreadable + delivery->batch.too_large;
    if (read.chunk_count && read.next_position < delivery->pass_until)
        return true;
    delivery->passing = false;
    return passed_over(delivery, wake_us);
}
