/* libdeflate works on whole buffers and wants to be told how large the output is. gzip ends with that size (modulo
 * 2^32, of its last member): a hint, trusted only within the limits. Without a hint, or with a wrong one, the buffer
 * grows fourfold and the work starts again, so that at most a third is done in vain. The buffer is kept between
 * requests while it is small. */
#include "ingest/inflate.h"

#include <libdeflate.h>
#include <stdlib.h>

#define PADDING_BYTES 64
#define KEEP_BYTES_MAX (1u << 20)
#define FIRST_BYTES_MIN 4096
#define GZIP_BYTES_MIN 18

struct inflate {
    struct libdeflate_decompressor *decompressor;
    struct inflate_limits limits;
    char *buffer;
    size_t capacity;
};

struct inflate *inflate_new(const struct inflate_limits *limits)
{
    struct inflate *inflate = calloc(1, sizeof *inflate);
    if (!inflate)
        abort();
    inflate->limits = *limits;
    inflate->decompressor = libdeflate_alloc_decompressor();
    if (!inflate->decompressor)
        abort();
    return inflate;
}

void inflate_free(struct inflate *inflate)
{
    if (!inflate)
        return;
    libdeflate_free_decompressor(inflate->decompressor);
    free(inflate->buffer);
    free(inflate);
}

static bool has_room(struct inflate *inflate, size_t bytes)
{
    if (inflate->capacity >= bytes && (inflate->capacity <= KEEP_BYTES_MAX || bytes > KEEP_BYTES_MAX))
        return true;
    free(inflate->buffer);
    inflate->buffer = malloc(bytes + PADDING_BYTES);
    inflate->capacity = inflate->buffer ? bytes : 0;
    return inflate->buffer != NULL;
}

/* How much may come out of this input. */
static size_t output_bound(const struct inflate *inflate, size_t in_bytes)
{
    const struct inflate_limits *limits = &inflate->limits;
    size_t by_ratio = in_bytes > SIZE_MAX / limits->ratio_max ? SIZE_MAX : in_bytes * limits->ratio_max;
    if (by_ratio < limits->ratio_free_bytes)
        by_ratio = limits->ratio_free_bytes;
    return by_ratio < limits->output_bytes_max ? by_ratio : limits->output_bytes_max;
}

static size_t first_size(enum inflate_coding coding, struct slice in, size_t bound)
{
    size_t size = in.n * 8;
    if (coding == INFLATE_GZIP) {
        uint32_t hint;
        memcpy(&hint, in.p + in.n - sizeof hint, sizeof hint);
        if (hint <= bound && hint >= in.n)
            size = hint;
    }
    size = size < FIRST_BYTES_MIN ? FIRST_BYTES_MIN : size;
    return size < bound ? size : bound;
}

static bool is_zlib(struct slice in)
{
    unsigned first = (unsigned char)in.p[0], second = (unsigned char)in.p[1];
    return (first & 0x0f) == 8 && (first << 8 | second) % 31 == 0;
}

/* All members, one behind the other, into the buffer of `size` bytes. */
static enum libdeflate_result run_once(struct inflate *inflate, enum inflate_coding coding, struct slice in,
                                       size_t size, size_t *out_n)
{
    size_t out_n_all = 0;
    do {
        size_t used = 0, made = 0;
        void *to = inflate->buffer + out_n_all;
        size_t room = size - out_n_all;
        enum libdeflate_result result;
        if (coding == INFLATE_GZIP)
            result = libdeflate_gzip_decompress_ex(inflate->decompressor, in.p, in.n, to, room, &used, &made);
        else if (is_zlib(in))
            result = libdeflate_zlib_decompress_ex(inflate->decompressor, in.p, in.n, to, room, &used, &made);
        else
            result = libdeflate_deflate_decompress_ex(inflate->decompressor, in.p, in.n, to, room, &used, &made);
        if (result != LIBDEFLATE_SUCCESS)
            return result;
        out_n_all += made;
        in = slice_after(in, used);
    } while (coding == INFLATE_GZIP && in.n >= GZIP_BYTES_MIN && inflate_is_gzip(in));
    *out_n = out_n_all;
    return in.n == 0 ? LIBDEFLATE_SUCCESS : LIBDEFLATE_BAD_DATA;
}

enum status inflate_run(struct inflate *inflate, enum inflate_coding coding, struct slice in, struct slice *out,
                        struct error *err)
{
    const char *name = coding == INFLATE_GZIP ? "gzip" : "deflate";
    if (in.n < (coding == INFLATE_GZIP ? GZIP_BYTES_MIN : 2))
        return error_set(err, ERR_INVALID, "the %s body is truncated: send it whole", name);
    size_t bound = output_bound(inflate, in.n), size = first_size(coding, in, bound);
    for (;;) {
        if (!has_room(inflate, size))
            return error_set(err, ERR_FULL, "no memory for %zu bytes of unpacked body: send smaller requests", size);
        size_t n = 0;
        enum libdeflate_result result = run_once(inflate, coding, in, size, &n);
        if (result == LIBDEFLATE_SUCCESS) {
            memset(inflate->buffer + n, 0, PADDING_BYTES);
            *out = slice_of(inflate->buffer, n);
            return OK;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            return error_set(err, ERR_INVALID, "the %s body is truncated or corrupt: send it whole", name);
        if (size == bound)
            return error_set(err, ERR_FULL, "the %s body unpacks to more than %zu bytes: send smaller requests", name,
                             bound);
        size = size > bound / 4 ? bound : size * 4;
    }
}
