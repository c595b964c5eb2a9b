/* Lines out of a file or standard input, plain or compressed with gzip, zstd or xz (told by its first bytes, whatever
 * its name). Owned by one thread. Bounds: LINE_BYTES_MAX a line; 64 KiB of input in memory. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define LINE_BYTES_MAX (1u << 20)

struct line_source;

enum line_result {
    LINE_ONE,   /* *out_line is a line, without its end; valid until the next call */
    LINE_NONE,  /* nothing came within the wait */
    LINE_END,   /* the end of the input */
    LINE_ERROR, /* *err says where and what; the source is finished */
};

/* "-": standard input. ERR_NOT_FOUND, ERR_IO. */
MUST_CHECK enum status line_source_open(const char *path, struct line_source **out, struct error *err);
enum line_result line_source_next(struct line_source *source, int wait_ms, struct slice *out_line, struct error *err);
/* Compressed bytes read and in all (0: unknown): for a progress bar. */
void line_source_progress(const struct line_source *source, uint64_t *out_done, uint64_t *out_total);
void line_source_close(struct line_source *source); /* NULL is fine */
