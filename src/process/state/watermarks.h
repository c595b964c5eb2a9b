/* How far event time has come: a watermark per tenant within the partition, so that one tenant's back-fill or broken
 * clock makes nobody else's events late. A watermark is the newest event time seen less the allowed disorder, and never
 * goes back. (Events from too far in the future never get here: stage_validate.c.)
 *
 * A tenant whose events come as they happen and then cease has a clock that goes on: after the disorder has passed in
 * wall time the watermark follows the wall clock at that distance, so that its last windows close (watermarks_tick). A
 * tenant that loads history does not: its next event may be a minute behind the last, whenever it comes.
 *
 * A `struct state`: watermarks are in the changelog with the outputs that were decided by them, so that a restart
 * decides the same. Owner: the task of one partition; one thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"
#include "process/state/state.h"

struct domain_set;
struct state_kv;

struct watermarks;

#define WATERMARK_NONE INT64_MIN

/* What another partition said of its watermark for the tenant. */
struct watermark_other {
    int64_t value_ms;   /* WATERMARK_NONE: nothing yet */
    int64_t arrived_ms; /* wall clock, or when this life of the task began to look; 0: not yet */
};

struct watermark {
    struct slice customer_id, placement; /* the watermarks' own copies */
    uint64_t hash;                       /* of customer_id */
    int64_t disorder_ms;                 /* how far behind the newest an event of it may be and still be in time */
    int64_t newest_ms;                   /* latest event time seen here; WATERMARK_NONE: none */
    int64_t value_ms;    /* no event of this partition before it is waited for; WATERMARK_NONE: none yet */
    int64_t complete_ms; /* windows are closed up to here: watermarks_reached when they were */
    int64_t arrived_ms;  /* wall clock at the last event, or when this life of the task began to look; 0: not yet */
    bool live;           /* its last event was about as old as it was expected to be */
    bool changed;        /* since the changes were last collected */
    uint32_t tenant;     /* for the windows' use: their number of it + 1; 0: none yet */
    int64_t sent_ms, sent_at_ms; /* for the windows' use: what other partitions were told, and when */
    struct watermark *next_changed;
    struct watermark_other *others; /* one per partition */
};

struct watermarks_options {
    int64_t disorder_ms;              /* how far behind the newest an event may be and still be in time; 10 min */
    const struct domain_set *domains; /* say that for each tenant; NULL: disorder_ms holds for all */
    int64_t idle_ms;                  /* who says nothing for so long holds nothing back; 60 s */
    uint16_t partition, partitions;
    bool has_others;     /* other partitions have sums for windows of this one: they are waited for */
    struct state_kv *kv; /* stands before it in the task's list of states */
};

/* Aborts when out of memory (start-up only). */
struct watermarks *watermarks_new(const struct watermarks_options *options);
void watermarks_free(struct watermarks *watermarks);
struct state *watermarks_state(struct watermarks *watermarks);

/* The tenant's, made when missing, with its placement, which never changes; stays where it is until the state is
 * emptied. NULL: out of memory. */
struct watermark *watermarks_of(struct watermarks *watermarks, struct slice customer_id, struct slice placement);
/* An event of the tenant has come, by the wall clock at now_ms. */
void watermarks_event(struct watermarks *watermarks, struct watermark *watermark, int64_t time_ms, int64_t now_ms);
/* Another partition's watermark. */
void watermarks_hear(struct watermarks *watermarks, struct watermark *watermark, uint16_t from, int64_t value_ms,
                     int64_t now_ms);
/* No event before this is waited for, of this partition nor of any other that has something to say. It may go back,
 * when one that was silent speaks again. */
int64_t watermarks_reached(struct watermarks *watermarks, struct watermark *watermark, int64_t now_ms);
/* Sets complete_ms, which never goes back. */
void watermarks_complete(struct watermarks *watermarks, struct watermark *watermark, int64_t complete_ms);
/* Lets the clocks of tenants go on who were live, have nothing to say, and for whom something waits: due_ms says how
 * far the watermark must come for that (INT64_MAX: nothing waits). */
void watermarks_tick(struct watermarks *watermarks, int64_t now_ms,
                     int64_t (*due_ms)(void *self, const struct watermark *watermark), void *self);
/* How far the clock of windows in processing time has come, as their stage said; INT64_MIN: it never did. It is kept
 * with the watermarks: a restart while the wall clock is set back must not open windows again that gave their result.
 */
int64_t watermarks_clock_ms(const struct watermarks *watermarks);
/* Something was decided by that clock. */
void watermarks_clock_used(struct watermarks *watermarks, int64_t clock_ms);
/* It was a mistake, and is this from here on. */
void watermarks_clock_set(struct watermarks *watermarks, int64_t clock_ms);
/* Those whose value moved since the changes were last collected, linked by next_changed. */
struct watermark *watermarks_changed(const struct watermarks *watermarks);

/* In the order in which they were made; NULL behind the last. */
struct watermark *watermarks_at(const struct watermarks *watermarks, size_t index);
size_t watermarks_count(const struct watermarks *watermarks);
