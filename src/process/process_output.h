/* What one commit will write: for each topic and partition a growing chunk in the journal's format. Buffers keep their
 * memory from commit to commit. One owner, one thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "journal/journal.h"

#define PROCESS_STREAMS_MAX 1056 /* partials go to every partition, everything else to its own */

struct process_stream {
    uint16_t topic, partition;
    uint32_t records;
    struct buf bytes; /* full: something was left out, the commit may not be made */
};

struct process_outputs {
    struct process_stream streams[PROCESS_STREAMS_MAX];
    size_t stream_count;
};

/* The stream of the topic and partition, made when missing; stays valid. Aborts beyond PROCESS_STREAMS_MAX: which
 * outputs exist is decided when the stages are put together. */
struct process_stream *process_outputs_stream(struct process_outputs *outputs, enum journal_topic topic,
                                              uint16_t partition);
void process_outputs_reset(struct process_outputs *outputs); /* empty again, keeps memory */
void process_outputs_done(struct process_outputs *outputs);
size_t process_outputs_bytes(const struct process_outputs *outputs);
bool process_outputs_full(const struct process_outputs *outputs);
/* One chunk for each stream that has records; returns how many. chunks: PROCESS_STREAMS_MAX. They point into the
 * streams. */
size_t process_outputs_chunks(const struct process_outputs *outputs, struct journal_chunk *chunks);

/* Room for one record of n bytes, counted; NULL when the stream is full. */
char *process_stream_record(struct process_stream *stream, size_t n);
/* Records that stand in the journal's format already. */
void process_stream_copy(struct process_stream *stream, struct slice framed, uint32_t records);
