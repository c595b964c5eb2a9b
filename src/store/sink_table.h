/* Which journal topic becomes which table, column by column. To store another topic: add a row to SINK_TABLES, with its
 * columns and the function that adds one record. Constant data, any thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"
#include "journal/journal.h"
#include "store/native.h"
#include "store/partition.h"

/* What the journal knows about a record beside its bytes. */
struct sink_source {
    uint16_t partition;
    uint64_t offset; /* of this record in its topic and partition */
};

struct sink_table {
    enum journal_topic topic;
    const char *table;
    const struct native_column *columns;
    size_t column_count;
    /* Adds one row, all from the record and its source, nothing from the clock or elsewhere: a replay must give the
     * same bytes. *out_ingested_us: when the event was acknowledged, 0 when unknown. ERR_CORRUPT: nothing was added. */
    enum status (*add)(struct native_block *block, struct partition_set *partitions, struct slice record,
                       const struct sink_source *source, int64_t *out_ingested_us, struct error *err);
};

#define SINK_TABLE_COUNT 6
extern const struct sink_table *const SINK_TABLES[SINK_TABLE_COUNT];
/* sink_table_stream.c */
extern const struct sink_table SINK_TABLE_SESSIONS, SINK_TABLE_WINDOWS, SINK_TABLE_LATE;
extern const struct sink_table SINK_TABLE_QUALITY; /* sink_table_quality.c */

uint32_t sink_topics(void);                     /* TOPIC_BIT()s of all tables */
size_t sink_table_of(enum journal_topic topic); /* its index; SINK_TABLE_COUNT: none */
