/* How the task of a partition is doing, as the process that has it says about once a second: a record of TOPIC_TASKS,
 * for processes that answer for all (decision 0029). What it tells is what GET /metrics of that process has, by the
 * names that stand in docs for everybody.
 *
 * Encoded (little-endian), version 1:
 *   0 u8 version  1 u8 state  2 u16 partition  4 u16 how many numbers  6 u16 how many series
 *   8 u16 lengths of instance, host, version (3 × 2)  14 u16 0  16 u64 generation  24 i64 since_ms  32 i64 at_ms
 *  40 f64 numbers, in the order of TASK_NUMBERS; not-a-number: nobody has measured it
 *     then the bytes of the three texts, then the series, each: u16 kind  u16 length of its labels  f64 value  labels
 * A reader passes over numbers and kinds of series that it does not know. Any thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define TASK_STATUS_HEADER_BYTES 40
#define TASK_STATUS_BYTES_MAX 16384 /* of a record */
#define TASK_STATUS_EVERY_US 1000000
#define TASK_STATUS_SILENT_US 10000000 /* of whom nothing was heard for so long: nobody works on the partition */
#define TASK_STATUS_TEXT_MAX 255       /* of each text */
#define TASK_NUMBER_COUNT 20

/* The numbers are in the records: never change or reuse one. */
enum task_state {
    TASK_LEFT = 0, /* the process has it no more */
    TASK_RESTORING = 1,
    TASK_RUNNING = 2,
    TASK_STOPPING = 3, /* last commit and checkpoint */
    TASK_FAILED = 4,   /* is begun anew after a pause */
    TASK_STATES
};
const char *task_state_name(enum task_state state);

/* Gauges and counters with the label partition. The order is in the records: append only. */
struct task_number {
    const char *json, *metric;
};
extern const struct task_number TASK_NUMBERS[TASK_NUMBER_COUNT];

/* The numbers are in the records: never change or reuse one. */
enum task_series {
    TASK_WATERMARKS = 0, /* of the partition's tenants */
    /* Of the whole process since its start: with one of its partitions alone. */
    TASK_WINDOWS = 1,
    TASK_WINDOW_RESULTS = 2,
    TASK_DEAD_LETTERS = 3,
    TASK_SERIES
};
extern const char *const TASK_SERIES_METRICS[TASK_SERIES];

struct task_status {
    uint16_t partition;
    enum task_state state;
    struct slice instance; /* the name of the process's data directory */
    struct slice host, version;
    /* Where TOPIC_TASKS ended when the process took the partition over: of two that believe to have it, the one with
     * the greater number has. 0: not known. */
    uint64_t generation;
    int64_t since_ms, at_ms; /* wall clock: has it since; said it */
    double numbers[TASK_NUMBER_COUNT];
    struct slice series; /* encoded */
    uint16_t series_count;
};

/* Appends one; labels as in metrics.h. */
void task_series_add(struct buf *series, enum task_series kind, struct slice labels, double value);
/* Series that the record has no room for are left out; texts are cut. */
void task_status_encode(const struct task_status *status, struct buf *out);
/* Views into the bytes. ERR_CORRUPT: they are no record, or of a newer version. */
MUST_CHECK enum status task_status_decode(struct slice bytes, struct task_status *out, struct error *err);

struct task_series_item {
    unsigned kind; /* TASK_SERIES and above: of a newer weir */
    struct slice labels;
    double value;
};
/* Walks status.series, from a copy of it. False at the end. */
MUST_CHECK bool task_series_next(struct slice *rest, struct task_series_item *out);
