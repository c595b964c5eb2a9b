/* The contract of a stage: it sees a batch of events, may change, drop or answer each of them, and remembers things
 * only through a struct state (state/state.h). Stages run in order, on the task's thread, over the same batch; nothing
 * is allocated, locked or asked of the kernel per event.
 *
 * To add one: write `enum status run(void *self, struct process_batch *, struct error *)`, keep its memory in a struct
 * state if it has any, and put it into process_pipeline.c. */
#pragma once
#include "base/arena.h"
#include "base/compiler.h"
#include "base/error.h"
#include "config/domain.h"
#include "event/event.h"
#include "process/process_output.h"

#define PROCESS_BATCH_MAX 512 /* events that stages see at a time: what fits into the second-level cache */
#define PROCESS_ARENA_BYTES (16u << 20)

enum process_verdict {
    PROCESS_ACCEPTED,  /* goes on, and to TOPIC_ENRICHED at the end */
    PROCESS_DUPLICATE, /* was counted before: nothing comes out */
    PROCESS_DEAD,      /* goes to TOPIC_DEAD_LETTERS */
};

/* Why an event is dead: the texts are literals or in the batch's arena. */
struct process_refusal {
    const char *stage, *reason; /* literals: they are labels of metrics */
    struct slice field, message;
    struct slice context; /* stands in the letter's original in place of what came; p NULL: what came */
};

/* How many values of declared fields an event was asked for, and how many it did not have; see enum quality_count. All
 * 0: nobody declared its type, or it was dead before anybody looked. */
struct process_values {
    uint8_t required, required_missing, optional, optional_missing;
    bool tagged; /* it is stored with faults */
};

struct process_batch {
    struct slice records[PROCESS_BATCH_MAX]; /* as they stand in the journal */
    struct event events[PROCESS_BATCH_MAX];  /* views into the records, or into the arena where a stage changed them */
    const struct tenant_domains *domains[PROCESS_BATCH_MAX]; /* what holds for the event's tenant */
    uint8_t verdicts[PROCESS_BATCH_MAX];                     /* enum process_verdict */
    struct process_values values[PROCESS_BATCH_MAX];
    bool changed[PROCESS_BATCH_MAX];                    /* the event differs from its record and is encoded anew */
    struct process_refusal refusals[PROCESS_BATCH_MAX]; /* of the dead */
    size_t count;
    uint32_t live[PROCESS_BATCH_MAX]; /* indexes of the events that are still accepted, ascending */
    size_t live_count;
    struct arena *arena;             /* until the batch is written */
    struct process_outputs *outputs; /* of the commit that the batch becomes part of */
    int64_t now_ms;                  /* wall clock */
};

struct process_stage {
    const char *name; /* also the stage of its dead letters */
    void *self;
    /* Works on batch->live and nothing else. Any error ends the task: what is wrong with an event is not an error but
     * a verdict. */
    enum status (*run)(void *self, struct process_batch *batch, struct error *err);
    /* Once a commit, before the states are collected: writes what the commit's batches have changed. NULL: the stage
     * answers event by event only. */
    enum status (*flush)(void *self, struct process_outputs *outputs, struct error *err);
};

/* The event at index is refused. reason: a literal, stable. message may be in the arena. */
static inline void process_refuse(struct process_batch *batch, uint32_t index, const char *stage, const char *reason,
                                  struct slice field, struct slice message)
{
    batch->verdicts[index] = PROCESS_DEAD;
    batch->refusals[index] =
        (struct process_refusal){ .stage = stage, .reason = reason, .field = field, .message = message };
}
