/* A table of the fields that must be there, and one comparison of times. ingested_us is our own clock at ingestion
 * (received_ms may be the client's word, of an import long ago); the task's clock is not asked, so that a replay
 * decides as the first run did. */
#include "process/stage_validate.h"

#define ID_BYTES_MAX 1024 /* a bound against nonsense; ingestion's is far lower */
#define TENANT_BYTES_MAX 255

static const struct required {
    const char *name;
    size_t at, bytes_max;
} REQUIRED[] = {
    { "customer_id", offsetof(struct event, customer_id), TENANT_BYTES_MAX },
    { "visitor_id", offsetof(struct event, visitor_id), ID_BYTES_MAX },
    { "event_id", offsetof(struct event, event_id), ID_BYTES_MAX },
    { "event_type", offsetof(struct event, event_type), ID_BYTES_MAX },
};

static bool check_ids(struct process_batch *batch, uint32_t index)
{
    const struct event *event = &batch->events[index];
    for (size_t i = 0; i < COUNT_OF(REQUIRED); i++) {
        const struct slice *field = (const struct slice *)(const void *)((const char *)event + REQUIRED[i].at);
        if (LIKELY(field->n - 1 < REQUIRED[i].bytes_max))
            continue;
        bool missing = field->n == 0;
        process_refuse(batch, index, "validate", missing ? "missing_field" : "bad_id", slice_from(REQUIRED[i].name),
                       missing ? SLICE("this field must not be empty")
                               : SLICE("longer than an id may be: 255 bytes of customer_id, 1024 of the others"));
        return false;
    }
    return true;
}

enum status stage_validate_run(void *self, struct process_batch *batch, struct error *err)
{
    const struct stage_validate *stage = self;
    (void)err;
    for (size_t n = 0; n < batch->live_count; n++) {
        uint32_t i = batch->live[n];
        if (!check_ids(batch, i))
            continue;
        const struct event *event = &batch->events[i];
        int64_t ahead_ms = event->timestamp_ms - event->ingested_us / 1000;
        if (ahead_ms > stage->future_skew_ms)
            process_refuse(batch, i, "validate", "too_far_in_future", SLICE("timestamp"),
                           SLICE("the event's time is further ahead of our clock than process.future_skew allows"));
    }
    return OK;
}
