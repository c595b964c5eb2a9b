/* Counts of quality: rows of the same tenant, type and hour are added up by the table, with those that its views make
 * of events_raw and of what ingestion refused (schema.c). */
#include "event/quality_record.h"
#include "store/sink_table.h"

enum { QUALITY_CUSTOMER, QUALITY_PLACEMENT, QUALITY_TYPE, QUALITY_HOUR, QUALITY_FIRST };
#define QUALITY_COLUMNS (QUALITY_FIRST + QUALITY_COUNTS)

static const struct native_column QUALITY[QUALITY_COLUMNS] = {
    [QUALITY_CUSTOMER] = { "customer_id", NATIVE_STRING },
    [QUALITY_PLACEMENT] = { "placement", NATIVE_STRING },
    [QUALITY_TYPE] = { "event_type", NATIVE_STRING },
    [QUALITY_HOUR] = { "hour", NATIVE_DATETIME_MS },
    [QUALITY_FIRST + QUALITY_EVENTS] = { "events", NATIVE_UINT64 },
    [QUALITY_FIRST + QUALITY_INVALID] = { "invalid", NATIVE_UINT64 },
    [QUALITY_FIRST + QUALITY_DUPLICATES] = { "duplicates", NATIVE_UINT64 },
    [QUALITY_FIRST + QUALITY_TAGGED] = { "tagged", NATIVE_UINT64 },
    [QUALITY_FIRST + QUALITY_LATE] = { "late", NATIVE_UINT64 },
    [QUALITY_FIRST + QUALITY_REQUIRED] = { "required_values", NATIVE_UINT64 },
    [QUALITY_FIRST + QUALITY_REQUIRED_MISSING] = { "required_missing", NATIVE_UINT64 },
    [QUALITY_FIRST + QUALITY_OPTIONAL] = { "optional_values", NATIVE_UINT64 },
    [QUALITY_FIRST + QUALITY_OPTIONAL_MISSING] = { "optional_missing", NATIVE_UINT64 },
};

static enum status add_quality(struct native_block *block, struct partition_set *partitions, struct slice bytes,
                               const struct sink_source *source, int64_t *out_ingested_us, struct error *err)
{
    struct quality_record record;
    (void)source;
    enum status s = quality_record_decode(bytes, &record, err);
    if (s != OK)
        return s;
    native_add_string(block, QUALITY_CUSTOMER, record.customer_id);
    native_add_string(block, QUALITY_PLACEMENT, record.placement);
    native_add_string(block, QUALITY_TYPE, record.event_type);
    native_add_i64(block, QUALITY_HOUR, record.hour_ms);
    for (size_t i = 0; i < QUALITY_COUNTS; i++)
        native_add_u64(block, QUALITY_FIRST + i, record.counts[i]);
    native_row_done(block);
    partition_set_add(partitions, record.placement, 0);
    *out_ingested_us = 0;
    return OK;
}

const struct sink_table SINK_TABLE_QUALITY = { TOPIC_QUALITY, "data_quality", QUALITY, QUALITY_COLUMNS, add_quality };
