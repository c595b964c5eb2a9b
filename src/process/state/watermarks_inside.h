/* What watermarks.c (tenants and their time) and watermarks_state.c (the same as a struct state) share. */
#pragma once
#include "process/state/kv_writer.h"
#include "process/state/watermarks.h"

struct watermarks {
    struct state state;
    struct watermarks_options options;
    struct watermark **slots; /* open addressing */
    size_t slot_count;
    struct watermark **all; /* in the order in which they were made */
    size_t count, capacity;
    struct watermark *changed;
    size_t changed_count;
    int64_t clock_ms; /* of windows in processing time; WATERMARK_NONE: nothing was decided by it */
    bool clock_changed;
    struct kv_writer writer;
    uint64_t settle_queued; /* the checkpoint waits for so many entries */
};
