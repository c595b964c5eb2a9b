/* How it works: read(2) into a small buffer, through the decoder that the first bytes ask for, into a text buffer that
 * is cut at line ends. The three libraries have the same shape (a next_in and a next_out), so one function each is all
 * that differs. */
#include "cli/line_source.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define INPUT_BYTES (64u << 10)
#define TEXT_BYTES (LINE_BYTES_MAX + INPUT_BYTES)

enum coding { CODING_UNKNOWN, CODING_PLAIN, CODING_GZIP, CODING_ZSTD, CODING_XZ };

struct line_source {
    int fd;
    const char *path;
    enum coding coding;
    uint64_t total, done, lines;
    bool ended;
    z_stream gzip;
    ZSTD_DStream *zstd;
    lzma_stream xz;
    size_t in_used, in_n;     /* input[in_used … in_n) is not decoded yet */
    size_t text_used, text_n; /* text[text_used … text_n) is not handed out yet */
    unsigned char input[INPUT_BYTES];
    char text[TEXT_BYTES];
};

enum status line_source_open(const char *path, struct line_source **out, struct error *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, status_from_errno(errno), errno, "open %s", path);
    struct line_source *source = calloc(1, sizeof *source);
    if (!source)
        abort();
    struct stat about;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode))
        source->total = (uint64_t)about.st_size;
    source->fd = fd;
    source->path = standard ? "standard input" : path;
    *out = source;
    return OK;
}

void line_source_close(struct line_source *source)
{
    if (!source)
        return;
    if (source->coding == CODING_GZIP)
        inflateEnd(&source->gzip);
    ZSTD_freeDStream(source->zstd);
    lzma_end(&source->xz);
    if (source->fd != STDIN_FILENO)
        close(source->fd);
    free(source);
}

static enum status find_coding(struct line_source *source, struct error *err)
{
    const unsigned char *p = source->input;
    if (source->in_n >= 2 && p[0] == 0x1f && p[1] == 0x8b) {
        source->coding = CODING_GZIP;
        if (inflateInit2(&source->gzip, 15 + 32) != Z_OK)
            return error_set(err, ERR_FULL, "out of memory");
    } else if (source->in_n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0) {
        source->coding = CODING_ZSTD;
        source->zstd = ZSTD_createDStream();
    } else if (source->in_n >= 6 && memcmp(p,
                                           "\xfd"
                                           "7zXZ",
                                           6) == 0) {
        source->coding = CODING_XZ;
        if (lzma_stream_decoder(&source->xz, 256u << 20, LZMA_CONCATENATED) != LZMA_OK)
            return error_set(err, ERR_FULL, "out of memory");
    } else {
        source->coding = CODING_PLAIN;
    }
    return OK;
}

static const char *decode_gzip(struct line_source *source, size_t room, size_t *out_n)
{
    z_stream *z = &source->gzip;
    z->next_in = source->input + source->in_used;
    z->avail_in = (unsigned)(source->in_n - source->in_used);
    z->next_out = (unsigned char *)source->text + source->text_n;
    z->avail_out = (unsigned)room;
    int result = inflate(z, Z_NO_FLUSH);
    source->in_used = source->in_n - z->avail_in;
    *out_n = room - z->avail_out;
    if (result == Z_STREAM_END)
        inflateReset(z); /* several members may follow each other */
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR ? NULL : "damaged gzip";
}

static const char *decode_zstd(struct line_source *source, size_t room, size_t *out_n)
{
    ZSTD_inBuffer in = { source->input, source->in_n, source->in_used };
    ZSTD_outBuffer out = { source->text + source->text_n, room, 0 };
    size_t result = ZSTD_decompressStream(source->zstd, &out, &in);
    source->in_used = in.pos;
    *out_n = out.pos;
    return ZSTD_isError(result) ? "damaged zstd" : NULL;
}

static const char *decode_xz(struct line_source *source, size_t room, size_t *out_n)
{
    lzma_stream *xz = &source->xz;
    xz->next_in = source->input + source->in_used;
    xz->avail_in = source->in_n - source->in_used;
    xz->next_out = (unsigned char *)source->text + source->text_n;
    xz->avail_out = room;
    lzma_ret result = lzma_code(xz, source->ended ? LZMA_FINISH : LZMA_RUN);
    source->in_used = source->in_n - xz->avail_in;
    *out_n = room - xz->avail_out;
    return result == LZMA_OK || result == LZMA_STREAM_END || result == LZMA_BUF_ERROR ? NULL : "damaged xz";
}

/* Moves what can be decoded into the text. False: *err is set. */
static bool decode(struct line_source *source, struct error *err)
{
    if (source->text_used) {
        memmove(source->text, source->text + source->text_used, source->text_n - source->text_used);
        source->text_n -= source->text_used;
        source->text_used = 0;
    }
    if (source->coding == CODING_UNKNOWN && find_coding(source, err) != OK)
        return false;
    size_t room = TEXT_BYTES - source->text_n, n = 0;
    const char *failure = NULL;
    switch (source->coding) {
    case CODING_GZIP:
        failure = decode_gzip(source, room, &n);
        break;
    case CODING_ZSTD:
        failure = decode_zstd(source, room, &n);
        break;
    case CODING_XZ:
        failure = decode_xz(source, room, &n);
        break;
    case CODING_PLAIN:
    case CODING_UNKNOWN:
        n = source->in_n - source->in_used < room ? source->in_n - source->in_used : room;
        memcpy(source->text + source->text_n, source->input + source->in_used, n);
        source->in_used += n;
        break;
    }
    source->text_n += n;
    if (failure)
        (void)error_set(err, ERR_CORRUPT, "%s: %s near byte %lu", source->path, failure, source->done);
    return !failure;
}

static bool fill(struct line_source *source, int wait_ms, struct error *err)
{
    struct pollfd waiting = { source->fd, POLLIN, 0 };
    int ready = poll(&waiting, 1, wait_ms);
    if (ready <= 0)
        return true; /* nothing yet, or a signal */
    ssize_t n = read(source->fd, source->input, INPUT_BYTES);
    if (n < 0) {
        (void)error_errno(err, ERR_IO, errno, "read %s", source->path);
        return false;
    }
    source->in_used = 0;
    source->in_n = (size_t)n;
    source->done += (size_t)n;
    source->ended = n == 0;
    return true;
}

static bool take_line(struct line_source *source, struct slice *out_line)
{
    struct slice rest = slice_of(source->text + source->text_used, source->text_n - source->text_used);
    const char *end = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
    if (!end && !(source->ended && source->in_used == source->in_n && rest.n))
        return false;
    *out_line = end ? slice_of(rest.p, (size_t)(end - rest.p)) : rest;
    source->text_used += out_line->n + (end != NULL);
    source->lines++;
    return true;
}

enum line_result line_source_next(struct line_source *source, int wait_ms, struct slice *out_line, struct error *err)
{
    for (;;) {
        if (take_line(source, out_line))
            return LINE_ONE;
        size_t before = source->text_n - source->text_used;
        if (before >= LINE_BYTES_MAX) {
            (void)error_set(err, ERR_INVALID, "%s: line %lu is longer than 1 MiB", source->path, source->lines + 1);
            return LINE_ERROR;
        }
        bool drained = source->in_used == source->in_n;
        if (drained && !source->ended) {
            uint64_t done = source->done;
            if (!fill(source, wait_ms, err))
                return LINE_ERROR;
            if (!source->ended && source->done == done)
                return LINE_NONE;
        }
        if (!decode(source, err))
            return LINE_ERROR;
        if (source->ended && source->in_used == source->in_n && source->text_n - source->text_used == before)
            return take_line(source, out_line) ? LINE_ONE : LINE_END;
    }
}

void line_source_progress(const struct line_source *source, uint64_t *out_done, uint64_t *out_total)
{
    *out_done = source->done;
    *out_total = source->total;
}
