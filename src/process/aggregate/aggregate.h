/* What a window remembers of its events: the accumulators of all measures of one window definition, together in one row
 * of fixed size. The row's memory is the caller's (a slot of a state table, 8-aligned); it may be moved as bytes. What
 * cannot be of fixed size (sketches, texts) hangs on a pointer in the row: release gives it back.
 *
 * A row says the same about the same multiset of events, however the events were ordered, split over rows and merged;
 * README.md says for each kind how far that goes and how large the error may be. Adding never fails and adding to the
 * fixed part takes no memory. Bounds: AGGREGATE_MEASURES_MAX measures, the sketches as said below. One owner, one
 * thread at a time. Out of memory aborts. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define AGGREGATE_MEASURES_MAX 32
#define AGGREGATE_TOP_MAX 100  /* the largest k */
#define AGGREGATE_TEXT_MAX 255 /* bytes of a text that first, last and top keep; longer ones are cut at a character */

/* These numbers are stored: never change or reuse one. */
enum aggregate_kind {
    AGGREGATE_COUNT = 1,    /* of events; looks at no input */
    AGGREGATE_SUM = 2,      /* integers exactly; see aggregate_result */
    AGGREGATE_MIN = 3,      /* of numbers */
    AGGREGATE_MAX = 4,      /* of numbers */
    AGGREGATE_MEAN = 5,     /* of numbers */
    AGGREGATE_VARIANCE = 6, /* of the population (divided by n) */
    AGGREGATE_DISTINCT = 7, /* how many different values: exact to about 1,500, then ±0.8 % (HyperLogLog) */
    AGGREGATE_QUANTILE = 8, /* parameter: 0 to 1; within 1 % of the value at that rank (DDSketch) */
    AGGREGATE_TOP = 9,      /* parameter: k; the most frequent values (Misra-Gries) */
    AGGREGATE_FIRST = 10,   /* by event time */
    AGGREGATE_LAST = 11,    /* by event time */
};

struct aggregate_def {
    enum aggregate_kind kind;
    double parameter;
};

enum aggregate_value_kind {
    AGGREGATE_NULL = 0,
    AGGREGATE_INT = 1,
    AGGREGATE_NUMBER = 2,
    AGGREGATE_TEXT = 3,
};

struct aggregate_value {
    enum aggregate_value_kind kind;
    union {
        int64_t integer;
        double number;
        struct slice text; /* of a result: in the row, until it changes */
    };
};

struct aggregate_slot {
    uint8_t kind;      /* enum aggregate_kind */
    bool shared;       /* the part is an earlier measure's, which sees to it */
    uint16_t offset;   /* of the measure's part of the row */
    uint16_t capacity; /* top: values that it keeps count of */
    uint32_t input;
    double parameter;
};

/* Of one window definition: made once, then only read. */
struct aggregate_layout {
    uint32_t row_bytes; /* a multiple of 8 */
    uint16_t measures;
    bool only_count;   /* every measure is a count: the rest of the event need not be looked at */
    bool has_pointers; /* rows must be released */
    struct aggregate_slot slots[AGGREGATE_MEASURES_MAX];
};

/* ERR_INVALID: no measure, too many, or a parameter out of its range; the text names the measure by its index. */
MUST_CHECK enum status aggregate_layout_make(const struct aggregate_def *defs, size_t count,
                                             struct aggregate_layout *out_layout, struct error *err);

/* As above; inputs: a number for each measure. Measures with the same number, not 0, always get the same input: several
 * quantiles of it share one sketch, sum and mean one sum. */
MUST_CHECK enum status aggregate_layout_make_sharing(const struct aggregate_def *defs, const uint32_t *inputs,
                                                     size_t count, struct aggregate_layout *out_layout,
                                                     struct error *err);

/* An empty row: 8-aligned, row_bytes long. */
void aggregate_init(const struct aggregate_layout *layout, void *row);
/* The part of aggregate_add that is not inline. */
void aggregate_add_values(const struct aggregate_layout *layout, void *row, const struct aggregate_value *inputs,
                          int64_t time_ms, uint64_t tie_breaker);
/* One event. inputs: one per measure, in their order (those of counts are not looked at; NULL when only_count); texts
 * are borrowed. tie_breaker: decides between events of the same time (first, last), so something that is the event's
 * own, such as a hash of its id. NULL inputs count for nothing but a count; those of a wrong type, NaN and infinities
 * count in the measure's `skipped`. */
static inline void aggregate_add(const struct aggregate_layout *layout, void *row, const struct aggregate_value *inputs,
                                 int64_t time_ms, uint64_t tie_breaker)
{
    if (layout->only_count) {
        for (uint16_t i = 0; i < layout->measures; i++)
            ((uint64_t *)row)[i]++;
        return;
    }
    aggregate_add_values(layout, row, inputs, time_ms, tie_breaker);
}
/* `into` becomes what it would be had it seen the events of `from` too. `from` is unchanged and not `into`. */
void aggregate_merge(const struct aggregate_layout *layout, void *into, const void *from);
/* Gives back what hangs on the row and leaves it empty. */
void aggregate_release(const struct aggregate_layout *layout, void *row);
/* Memory of the row, row_bytes and what hangs on it. */
size_t aggregate_bytes(const struct aggregate_layout *layout, const void *row);

struct aggregate_top {
    struct aggregate_value value;
    uint64_t count; /* at least so often; at most top_error more */
};

struct aggregate_result {
    /* NULL: no value was seen (also for a top). Sum: INT when only integers were seen and it fits, else NUMBER. */
    struct aggregate_value value;
    uint64_t skipped; /* inputs of a wrong type, stops at UINT32_MAX */
    /* Sum and mean: whether integers alone were seen; then the sum of them is exactly sum_high × 2^64 + sum_low. */
    bool exact;
    int64_t sum_high;
    uint64_t sum_low;
    /* Top: the most frequent first; value is the first one's. */
    uint64_t top_error;
    size_t top_count;
    struct aggregate_top top[AGGREGATE_TOP_MAX];
};

/* Of the measure at index. Views into the row. Fields that do not concern its kind are 0. */
void aggregate_result(const struct aggregate_layout *layout, const void *row, size_t index,
                      struct aggregate_result *out);

/* Appends the row's bytes (drawn in aggregate_encode.c); a buf that becomes full says so itself. The same content gives
 * the same bytes. */
void aggregate_encode(const struct aggregate_layout *layout, const void *row, struct buf *buf);
/* Fills a row (uninitialised or empty: what it holds is not released). ERR_CORRUPT: not the bytes of a row of this
 * layout; the row is empty then. Total on any bytes, takes no more memory than a row may. */
MUST_CHECK enum status aggregate_decode(const struct aggregate_layout *layout, struct slice bytes, void *row,
                                        struct error *err);
