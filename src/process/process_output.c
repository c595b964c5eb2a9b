/* A stream is bounded by the largest commit; the task closes a commit long before (process_task.c), so `full` means a
 * stage wrote without measure. */
#include "process/process_output.h"

#include <stdlib.h>

struct process_stream *process_outputs_stream(struct process_outputs *outputs, enum journal_topic topic,
                                              uint16_t partition)
{
    for (size_t i = 0; i < outputs->stream_count; i++) {
        struct process_stream *stream = &outputs->streams[i];
        if (stream->topic == topic && stream->partition == partition)
            return stream;
    }
    if (outputs->stream_count == PROCESS_STREAMS_MAX)
        abort();
    struct process_stream *stream = &outputs->streams[outputs->stream_count++];
    *stream = (struct process_stream){ .topic = (uint16_t)topic, .partition = partition };
    buf_init(&stream->bytes, JOURNAL_COMMIT_BYTES_MAX);
    return stream;
}

void process_outputs_reset(struct process_outputs *outputs)
{
    for (size_t i = 0; i < outputs->stream_count; i++) {
        outputs->streams[i].records = 0;
        buf_reset(&outputs->streams[i].bytes);
    }
}

void process_outputs_done(struct process_outputs *outputs)
{
    for (size_t i = 0; i < outputs->stream_count; i++)
        buf_done(&outputs->streams[i].bytes);
    outputs->stream_count = 0;
}

size_t process_outputs_bytes(const struct process_outputs *outputs)
{
    size_t n = 0;
    for (size_t i = 0; i < outputs->stream_count; i++)
        n += outputs->streams[i].bytes.n;
    return n;
}

bool process_outputs_full(const struct process_outputs *outputs)
{
    for (size_t i = 0; i < outputs->stream_count; i++)
        if (outputs->streams[i].bytes.full)
            return true;
    return false;
}

size_t process_outputs_chunks(const struct process_outputs *outputs, struct journal_chunk *chunks)
{
    size_t n = 0;
    for (size_t i = 0; i < outputs->stream_count; i++) {
        const struct process_stream *stream = &outputs->streams[i];
        if (stream->records == 0)
            continue;
        chunks[n++] = (struct journal_chunk){ .topic = stream->topic,
                                              .partition = stream->partition,
                                              .records = stream->records,
                                              .bytes = buf_slice(&stream->bytes) };
    }
    return n;
}

char *process_stream_record(struct process_stream *stream, size_t n)
{
    uint32_t length = (uint32_t)n;
    assert(n <= UINT32_MAX);
    char *p = buf_reserve(&stream->bytes, sizeof length + n);
    if (!p)
        return NULL;
    memcpy(p, &length, sizeof length);
    stream->bytes.n += sizeof length + n;
    stream->records++;
    return p + sizeof length;
}

void process_stream_copy(struct process_stream *stream, struct slice framed, uint32_t records)
{
    buf_add_slice(&stream->bytes, framed);
    stream->records += records;
}
