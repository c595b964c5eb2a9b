/* A record of the journal's outputs as a result for others: id, key and value as JSON. docs/sinks.md shows them for
 * people; names and meaning are those of the tables' columns. No allocation beyond the buffer; one thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "deliver/selection.h"

struct render_source {
    uint16_t topic, partition;
    uint64_t offset; /* of the record: journal_position of the table */
};

/* Behind one another in the buffer: id, key, value. */
struct render_sizes {
    size_t id_n, key_n, value_n;
};

/* Adds the record to out; *out_wanted false: the selection leaves it out, nothing was added. ERR_CORRUPT: it cannot be
 * read. ERR_FULL: no room, and out is as it was. */
MUST_CHECK enum status render_record(const struct selection *selection, const struct render_source *source,
                                     struct slice record, struct buf *out, struct render_sizes *out_sizes,
                                     bool *out_wanted, struct error *err);
