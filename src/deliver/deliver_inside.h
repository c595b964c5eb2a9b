/* The inside of a delivery: deliver.c (the machine), deliver_away.c (a target that stays away), deliver_schemas.c
 * (event types that change). Nobody else includes this. */
#pragma once
#include "base/log.h"
#include "base/retry.h"
#include "deliver/batch.h"
#include "deliver/deliver.h"
#include "deliver/figures.h"
#include "deliver/place.h"
#include "journal/drain_end.h"
#include "journal/journal.h"

enum phase { RESUME, FIRST_MARK, GATHER, WRITE, PASS_OVER };

/* Owner: the sink's role. */
struct delivery {
    struct delivery_options options;
    uint32_t topics;
    struct journal *journal;
    struct world *world;
    struct target *target;
    struct bell *bell;
    struct journal_reader *reader;
    struct figures figures;
    enum phase phase;
    struct delivery_batch batch;
    char note[TARGET_NOTE_MAX]; /* of the last write */
    uint64_t marked;            /* position of the last mark that was submitted, or read */
    int64_t marked_us;          /* when that was; monotonic */
    uint64_t first;             /* of a sink without a mark: where it begins, since it was opened */
    bool has_first;
    struct place_mark place;
    int64_t first_us;            /* when the batch got its first record; monotonic */
    int64_t idle_since_us;       /* INT64_MAX: not idle, or shrunk already */
    uint64_t pass_until, passed; /* of PASS_OVER: where to, and how many results so far */
    bool passing;                /* the reader is on its way there */
    bool mark_due;               /* something was written behind the mark */
    struct retry retry;
    int64_t not_before_us;
    struct log_limit log_retry, log_refused;
    struct drain_end end;
    const struct target_schemas *_Atomic schemas; /* that are to be used from the next write on; NULL: none new */
    _Atomic bool has_mark, draining, drained, stopping;
};

/* deliver.c: a target by the options as they are; reads on from there; puts a mark behind the batch; what is told of
 * the oldest result that waits. */
MUST_CHECK enum status delivery_make_target(struct delivery *delivery, struct target **out, struct error *err);
MUST_CHECK enum status delivery_reopen(struct delivery *delivery, uint64_t position, struct error *err);
MUST_CHECK enum status delivery_submit_mark(struct delivery *delivery, struct error *err);
void delivery_note_waiting(struct delivery *delivery, int64_t since_us);
/* After a failure: false, for the step to return. */
bool delivery_wait_after(struct delivery *delivery, const struct error *why, int64_t *wake_us);

/* deliver_away.c */
bool delivery_holds_too_much(struct delivery *delivery, uint64_t *out_until);
bool delivery_positions_lost(struct delivery *delivery, const struct error *why, int64_t *wake_us);
/* A step of PASS_OVER. */
bool delivery_pass_over(struct delivery *delivery, int64_t *wake_us);

/* deliver_schemas.c: before a step. False: it cannot be yet, and the step is to return. */
bool delivery_change_schemas(struct delivery *delivery, int64_t *wake_us);
