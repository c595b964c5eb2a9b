/* Request bodies that came compressed: gzip (also several members) and deflate (zlib or raw), whole buffers, with a
 * hard bound on what comes out. One owner, one thread. The output is valid until the next call and has 64 readable
 * bytes behind it, for the JSON parser. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

enum inflate_coding { INFLATE_GZIP, INFLATE_DEFLATE };

struct inflate_limits {
    size_t output_bytes_max; /* hard bound of the output */
    size_t ratio_max;        /* output : input beyond this is taken for a bomb … */
    size_t ratio_free_bytes; /* … once the output is larger than this */
};

struct inflate;

struct inflate *inflate_new(const struct inflate_limits *limits); /* aborts when out of memory (start-up only) */
void inflate_free(struct inflate *inflate);
/* ERR_INVALID: truncated or corrupt. ERR_FULL: more comes out than allowed. */
MUST_CHECK enum status inflate_run(struct inflate *inflate, enum inflate_coding coding, struct slice in,
                                   struct slice *out, struct error *err);
/* The first bytes say gzip, whatever the label. */
static inline bool inflate_is_gzip(struct slice body)
{
    return body.n >= 2 && (unsigned char)body.p[0] == 0x1f && (unsigned char)body.p[1] == 0x8b;
}
