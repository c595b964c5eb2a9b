/* What the file journal writes.
 *
 *   DIR/lock                           held by the process that has the journal open; its number is in it
 *   DIR/00000000000000000000.seg       segments, named by the position of their first byte (decimal, 20 digits)
 *   DIR/prepare.tmp                    a segment while it is filled with zeros; a left-over is removed at the next open
 *   DIR/….seg.damaged                  what options.cut_damaged put aside
 *
 * A position is a byte's address in the log that all segments make together. A segment:
 *
 *   0      segment_head, then zeros to 4096
 *   4096   a snapshot frame: the next offset of each topic and partition, and every mark, as of here
 *   …      commit and tide frames without gaps, each at a multiple of 8
 *   …      zeros to the end of the block of 4096 in which the last group ended (the next group begins in their place)
 *   …      dead bytes: zeros, or what the file held when it was an older segment (it is recycled without zeroing)
 *
 * segment_head:  0 magic u64 · 8 version u32 · 12 crc u32 (of 16…80) · 16 first u64 · 24 bytes u64 · 32 directory[16] ·
 *                48 partitions u16 · 50 0 u16 · 52 prev_crc u32 · 56 prev_end u64 · 64 session u64 · 72 created_us i64
 * frame:         frame_head (64) · chunk heads (24 each) · marks (64 + note, filled up to 8) · chunk bytes · 0 to 7
 * zeros frame_head:    0 magic u32 · 4 crc u32 (of 8…head_bytes) · 8 frame_bytes u32 · 12 head_bytes u32 · 16 position
 * u64 · 24 session u64 · 32 durable_before u64 · 40 written_us i64 · 48 prev_crc u32 · 52 kind u16 · 54 flags u16 · 56
 * chunk_count u32 · 60 mark_count u32 chunk head:    0 topic u16 · 2 partition u16 · 4 records u32 · 8 bytes u32 · 12
 * crc u32 · 16 first offset u64 mark:          0 position u64 · 8 partition u16 · 10 note_bytes u16 · 12 0 u32 · 16
 * group, 48 bytes, 0-terminated
 *
 * A frame is valid when its head's crc is right, it stands where its position says, each chunk's bytes have the crc
 * that the head gives, and it continues the chain: prev_crc is the crc of the frame before, and either the session is
 * the same or the frame says that it starts one. So after a torn frame nothing older can come back to life behind a new
 * frame that happens to fill the gap exactly: its prev_crc is of a frame with another session. Bytes of a recycled file
 * fail by their position. Checksums are seeded with the directory's random number, so that a record that looks like a
 * frame is not taken for one by the search for damage (file_recover.c).
 *
 * The head's crc covers the chunks' crcs, so a reader checks the bytes that it hands out and no others, and still knows
 * that they belong to this frame. */
#include "journal/frame.h"

#include "base/crc32c.h"

#define SEGMENT_MAGIC 0x3167657372696577ull /* "weirseg1" */
#define FRAME_MAGIC 0x6d726677u             /* "wfrm" */
_Static_assert(sizeof(struct segment_head) == 80, "the layout above");

void segment_head_write(struct segment_head *head, char *to)
{
    head->magic = SEGMENT_MAGIC;
    head->version = SEGMENT_VERSION;
    head->unused = 0;
    head->crc = crc32c(0, (char *)head + 16, sizeof *head - 16);
    memset(to, 0, SEGMENT_HEADER_BYTES);
    memcpy(to, head, sizeof *head);
}

bool segment_head_read(const char *from, struct segment_head *out, uint32_t *out_version)
{
    struct segment_head head;
    memcpy(&head, from, sizeof head);
    *out_version = head.magic == SEGMENT_MAGIC ? head.version : 0;
    if (head.magic != SEGMENT_MAGIC || head.version != SEGMENT_VERSION ||
        head.crc != crc32c(0, from + 16, sizeof head - 16))
        return false;
    if (head.bytes < SEGMENT_BYTES_MIN || head.bytes > SEGMENT_BYTES_MAX || head.bytes % SEGMENT_HEADER_BYTES ||
        head.first % SEGMENT_HEADER_BYTES || head.prev_end > head.first || head.partitions == 0 ||
        head.first > UINT64_MAX / 4)
        return false;
    *out = head;
    return true;
}

uint32_t directory_seed(const uint8_t directory[16])
{
    return crc32c(0, directory, 16);
}

static size_t filled_up(size_t n)
{
    return (n + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
}

size_t frame_head_bytes(const struct journal_commit *commit)
{
    size_t n = sizeof(struct frame_head) + commit->chunk_count * sizeof(struct frame_chunk);
    for (size_t i = 0; i < commit->mark_count; i++)
        n += sizeof(struct frame_mark) + filled_up(commit->marks[i].note.n);
    return n;
}

size_t frame_bytes(const struct journal_commit *commit)
{
    size_t n = frame_head_bytes(commit);
    for (size_t i = 0; i < commit->chunk_count; i++)
        n += commit->chunks[i].bytes.n;
    return filled_up(n);
}

size_t frame_begin(struct buf *to)
{
    static const char ZEROS[sizeof(struct frame_head)];
    assert(to->n % FRAME_ALIGN == 0);
    buf_add(to, ZEROS, sizeof ZEROS);
    return to->n - sizeof ZEROS;
}

void frame_add_chunk(struct buf *to, const struct journal_chunk *chunk, uint64_t offset, uint32_t seed)
{
    struct frame_chunk head = { .topic = chunk->topic,
                                .partition = chunk->partition,
                                .records = chunk->records,
                                .bytes = (uint32_t)chunk->bytes.n,
                                .crc = crc32c(seed, chunk->bytes.p, chunk->bytes.n),
                                .offset = offset };
    buf_add(to, &head, sizeof head);
}

void frame_add_mark(struct buf *to, const struct journal_mark *mark)
{
    static const char ZEROS[FRAME_ALIGN];
    struct frame_mark out = { .position = mark->position,
                              .partition = mark->partition,
                              .note_bytes = (uint16_t)mark->note.n };
    memcpy(out.group, mark->group, strnlen(mark->group, JOURNAL_GROUP_MAX));
    buf_add(to, &out, sizeof out);
    buf_add_slice(to, mark->note);
    buf_add(to, ZEROS, filled_up(mark->note.n) - mark->note.n);
}

void frame_finish(struct buf *to, size_t head_at, struct frame_head *head, uint32_t seed)
{
    assert(!to->full && to->n % FRAME_ALIGN == 0);
    head->magic = FRAME_MAGIC;
    head->head_bytes = (uint32_t)(to->n - head_at);
    if (head->frame_bytes == 0)
        head->frame_bytes = head->head_bytes;
    assert(head->frame_bytes >= head->head_bytes && head->frame_bytes % FRAME_ALIGN == 0);
    memcpy(to->p + head_at, head, sizeof *head);
    head->crc = crc32c(seed, to->p + head_at + 8, head->head_bytes - 8);
    memcpy(to->p + head_at + 4, &head->crc, sizeof head->crc);
}

/* The sizes that the head claims, against each other: afterwards chunk heads and marks lie within head_bytes, and the
 * chunks' bytes within frame_bytes. */
static bool sizes_agree(const char *frame, const struct frame_head *head)
{
    size_t at = sizeof *head + (size_t)head->chunk_count * sizeof(struct frame_chunk);
    uint64_t bytes = head->head_bytes;
    for (uint32_t i = 0; i < head->chunk_count; i++) {
        struct frame_chunk chunk;
        frame_chunk_at(frame, i, &chunk);
        bytes += chunk.bytes;
    }
    for (uint32_t i = 0; i < head->mark_count; i++) {
        struct frame_mark mark;
        if (at + sizeof mark > head->head_bytes)
            return false;
        memcpy(&mark, frame + at, sizeof mark);
        if (mark.note_bytes > JOURNAL_NOTE_MAX || mark.group[0] == 0 || mark.group[JOURNAL_GROUP_MAX] != 0)
            return false;
        at += sizeof mark + filled_up(mark.note_bytes);
    }
    return at == head->head_bytes && filled_up(bytes) == head->frame_bytes;
}

bool frame_plausible(const struct frame_head *head)
{
    return head->magic == FRAME_MAGIC && head->frame_bytes % FRAME_ALIGN == 0 &&
           head->frame_bytes >= head->head_bytes && head->frame_bytes <= SEGMENT_BYTES_MAX &&
           head->head_bytes >= sizeof *head &&
           (uint64_t)head->chunk_count * sizeof(struct frame_chunk) <= head->head_bytes - sizeof *head;
}

bool frame_check_head(const char *from, size_t n, uint64_t position, uint32_t seed, struct frame_head *out,
                      size_t *out_needed)
{
    *out_needed = 0;
    struct frame_head head;
    if (n < sizeof head) {
        *out_needed = sizeof head;
        return false;
    }
    memcpy(&head, from, sizeof head);
    if (head.position != position || head.durable_before > position || !frame_plausible(&head))
        return false;
    if (n < head.head_bytes) {
        *out_needed = head.head_bytes;
        return false;
    }
    if (head.crc != crc32c(seed, from + 8, head.head_bytes - 8) || !sizes_agree(from, &head))
        return false;
    *out = head;
    return true;
}

void frame_chunk_at(const char *frame, uint32_t i, struct frame_chunk *out)
{
    memcpy(out, frame + sizeof(struct frame_head) + i * sizeof *out, sizeof *out);
}

bool frame_each_mark(const char *frame, const struct frame_head *head,
                     bool (*visit)(void *self, const struct journal_mark *mark), void *self)
{
    const char *p = frame + sizeof *head + head->chunk_count * sizeof(struct frame_chunk);
    for (uint32_t i = 0; i < head->mark_count; i++) {
        struct frame_mark stored;
        struct journal_mark mark = { 0 };
        memcpy(&stored, p, sizeof stored);
        memcpy(mark.group, stored.group, sizeof mark.group);
        mark.partition = stored.partition;
        mark.position = stored.position;
        mark.note = slice_of(p + sizeof stored, stored.note_bytes);
        if (!visit(self, &mark))
            return false;
        p += sizeof stored + filled_up(stored.note_bytes);
    }
    return true;
}

bool frame_check_bytes(const struct frame_chunk *chunk, const char *bytes, uint32_t seed)
{
    return chunk->crc == crc32c(seed, bytes, chunk->bytes);
}

bool frame_check_all(const char *frame, const struct frame_head *head, uint32_t seed)
{
    const char *bytes = frame + head->head_bytes;
    for (uint32_t i = 0; i < head->chunk_count; i++) {
        struct frame_chunk chunk;
        frame_chunk_at(frame, i, &chunk);
        if (!frame_check_bytes(&chunk, bytes, seed))
            return false;
        bytes += chunk.bytes;
    }
    return true;
}
