/* A write to the disk takes whole blocks from aligned memory, so the block in which the last group ended is written
 * once more by the next one, with the same bytes in front: they are still here. Behind a group's end its last block is
 * filled with zeros, which the next group overwrites. A group larger than a piece is written in pieces; only the flush
 * behind all of them makes it durable, so that changes nothing.
 *
 * Order, writer: `begin` moves up, then pins are looked at, then bytes change. Reader: pin, then `begin` is looked at,
 * then bytes are copied. Both are sequentially consistent, so at least one of the two sees the other. */
#include "journal/recent.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(RECENT_PIECE_BYTES % DISK_ALIGN == 0, "pieces are whole blocks");

static uint64_t block_of(uint64_t position)
{
    return position / DISK_ALIGN * DISK_ALIGN;
}

static uint64_t block_end(uint64_t position)
{
    return block_of(position + DISK_ALIGN - 1);
}

struct recent *recent_new(struct wakers *wakers)
{
    struct recent *recent = calloc(1, sizeof *recent);
    if (!recent || posix_memalign((void **)&recent->bytes, DISK_ALIGN, RECENT_BYTES) != 0)
        abort();
    recent->wakers = wakers;
    return recent;
}

void recent_free(struct recent *recent)
{
    if (!recent)
        return;
    free(recent->bytes);
    free(recent);
}

/* Afterwards everything up to `end` may be written over what lay there. */
static void make_room(struct recent *recent, uint64_t end)
{
    uint64_t begin = end > RECENT_BYTES ? end - RECENT_BYTES : 0;
    if (begin <= atomic_load_explicit(&recent->begin, memory_order_relaxed))
        return;
    atomic_store(&recent->begin, begin);
    uint32_t used = atomic_load(&recent->wakers->used);
    for (uint32_t i = 0; i < used; i++) {
        uint64_t pin;
        while ((pin = atomic_load(&recent->pins[i])) && pin - 1 < begin)
            sched_yield();
    }
}

/* Copies in, round the end of the memory. */
static void put(struct recent *recent, uint64_t position, const char *from, size_t n)
{
    size_t at = position % RECENT_BYTES, first = RECENT_BYTES - at < n ? RECENT_BYTES - at : n;
    memcpy(recent->bytes + at, from, first);
    memcpy(recent->bytes, from + first, n - first);
}

void recent_start(struct recent *recent, uint64_t position, const char *block)
{
    uint64_t from = block_of(position);
    assert(atomic_load(&recent->begin) == 0 && recent->end == 0);
    atomic_store(&recent->begin, position);
    put(recent, from, block, position - from);
    recent->end = position;
}

static enum status write_blocks(struct recent *recent, struct disk_file *file, uint64_t first, uint64_t from,
                                uint64_t end, struct error *err)
{
    static const char ZEROS[DISK_ALIGN];
    uint64_t to = block_end(end);
    put(recent, end, ZEROS, to - end);
    size_t at = from % RECENT_BYTES, n = (size_t)(to - from), whole = RECENT_BYTES - at < n ? RECENT_BYTES - at : n;
    struct iovec blocks[2] = { { recent->bytes + at, whole }, { recent->bytes, n - whole } };
    return file->ops->write(file, blocks, n > whole ? 2 : 1, from - first, err);
}

enum status recent_write(struct recent *recent, struct disk_file *file, uint64_t first, uint64_t position,
                         const struct iovec *parts, int count, struct error *err)
{
    uint64_t written = block_of(position), end = position; /* of the piece that is put together */
    assert(position == recent->end || position % DISK_ALIGN == 0);
    enum status s = OK;
    for (int i = 0; i < count; i++) {
        const char *p = parts[i].iov_base;
        for (size_t left = parts[i].iov_len; left && s == OK;) {
            size_t room = (size_t)(written + RECENT_PIECE_BYTES - end), n = left < room ? left : room;
            make_room(recent, block_end(end + n));
            put(recent, end, p, n);
            p += n;
            left -= n;
            end += n;
            if (n == room) {
                s = write_blocks(recent, file, first, written, end, err);
                written = end;
            }
        }
        if (s != OK)
            return s;
    }
    if (written != end)
        s = write_blocks(recent, file, first, written, end, err);
    if (s == OK)
        recent->end = end;
    return s;
}

bool recent_copy(struct recent *recent, size_t slot, uint64_t position, char *to, size_t n)
{
    size_t at = position % RECENT_BYTES, first = RECENT_BYTES - at < n ? RECENT_BYTES - at : n;
    if (n > RECENT_BYTES)
        return false;
    atomic_store(&recent->pins[slot], position + 1);
    bool here = position >= atomic_load(&recent->begin);
    if (here) {
        memcpy(to, recent->bytes + at, first);
        memcpy(to + first, recent->bytes, n - first);
    }
    atomic_store_explicit(&recent->pins[slot], 0, memory_order_release);
    return here;
}
