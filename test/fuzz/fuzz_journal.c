/* Bytes of a segment → open, read, append, open again: nothing crashes, and no chunk is served whose frame in the file
 * does not have the right checksums. The first byte says how much is repaired before: with checksums put right, the
 * bytes reach the code behind them (sizes, counts, offsets, marks). */
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/role.h"
#include "journal/frame.h"
#include "journal/journal.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define SEGMENT SEGMENT_BYTES_MIN
#define FIRST_FILE "j/00000000000000000000.seg"
enum { RAW = 1, NO_CHAIN = 2 };

static char segment[SEGMENT];
static uint32_t seed;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_header(void)
{
    struct segment_head head = { .bytes = SEGMENT, .directory = "fuzz", .partitions = 2, .session = 1 };
    seed = directory_seed(head.directory);
    segment_head_write(&head, segment);
}

/* Puts magic, position, session, chain and checksums of the frames right, as far as their sizes lead. */
static void repair(bool chain)
{
    uint32_t prev_crc = 0;
    for (size_t at = SEGMENT_HEADER_BYTES; at + sizeof(struct frame_head) <= SEGMENT;) {
        struct frame_head head;
        memcpy(&head, segment + at, sizeof head);
        if (head.frame_bytes == 0 || head.frame_bytes > SEGMENT - at || head.head_bytes > head.frame_bytes ||
            head.head_bytes < sizeof head || head.frame_bytes % 8)
            return;
        head.magic = 0x6d726677u;
        head.position = at;
        head.kind = at == SEGMENT_HEADER_BYTES ? FRAME_SNAPSHOT : head.kind;
        if (chain) {
            head.session = 1;
            head.prev_crc = prev_crc;
            head.durable_before = 0;
        }
        memcpy(segment + at, &head, sizeof head);
        size_t bytes_at = at + head.head_bytes;
        for (uint32_t i = 0; i < head.chunk_count; i++) {
            size_t chunk_at = at + sizeof head + i * sizeof(struct frame_chunk);
            struct frame_chunk chunk;
            if (chunk_at + sizeof chunk > at + head.head_bytes)
                break;
            memcpy(&chunk, segment + chunk_at, sizeof chunk);
            if (chunk.bytes > at + head.frame_bytes - bytes_at)
                break;
            chunk.crc = crc32c(seed, segment + bytes_at, chunk.bytes);
            memcpy(segment + chunk_at, &chunk, sizeof chunk);
            bytes_at += chunk.bytes;
        }
        head.crc = prev_crc = crc32c(seed, segment + at + 8, head.head_bytes - 8);
        memcpy(segment + at + 4, &head.crc, sizeof head.crc);
        at += head.frame_bytes;
    }
}

static void put_file(struct disk *disk, const char *path, const char *bytes, size_t n)
{
    struct disk_file *file;
    if (disk->ops->open(disk, path, DISK_CREATE, &file, NULL) != OK)
        abort();
    struct iovec part = { (void *)(uintptr_t)bytes, n };
    if (file->ops->write(file, &part, 1, 0, NULL) != OK)
        abort();
    file->ops->close(file);
}

/* By the file's bytes as they were: the frame and this chunk of it are right. */
static void check_served(const struct journal_chunk *served)
{
    struct frame_head head;
    size_t needed;
    if (served->position + sizeof head > SEGMENT ||
        !frame_check_head(segment + served->position, SEGMENT - served->position, served->position, seed, &head,
                          &needed))
        abort();
    const char *bytes = segment + served->position + head.head_bytes;
    for (uint32_t i = 0; i < head.chunk_count; i++) {
        struct frame_chunk chunk;
        frame_chunk_at(segment + served->position, i, &chunk);
        if (chunk.topic == served->topic && chunk.partition == served->partition && chunk.offset == served->offset &&
            chunk.bytes == served->bytes.n && frame_check_bytes(&chunk, bytes, seed) &&
            memcmp(bytes, served->bytes.p, chunk.bytes) == 0)
            return;
        bytes += chunk.bytes;
    }
    abort();
}

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)reason;
    *(enum status *)commit->context = status;
}

static void append(struct journal *journal, struct world *world)
{
    struct journal_chunk chunk = { .topic = TOPIC_EVENTS, .records = 1, .bytes = SLICE("\1\0\0\0x") };
    enum status answer = ERR_RETRY;
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = on_done, .context = &answer };
    struct role roles[2];
    int64_t wake_us;
    journal->backend->roles(journal, roles);
    if (journal_submit(journal, &commit, NULL) == OK)
        while (roles[0].step(roles[0].self, world, &wake_us))
            ;
    if (answer != OK)
        abort();
}

static bool open_and_read(struct world *world, bool check)
{
    struct journal_options options = { .path = "j", .partitions = 2, .segment_bytes = SEGMENT, .queue_bytes_max = 1 };
    struct journal *journal;
    struct journal_reader *reader;
    struct journal_read_options read_options = { UINT32_MAX, JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN, { 0 } };
    if (journal_file.open(&options, world, NULL, &journal, NULL) != OK)
        return false;
    if (journal_file.reader_open(journal, &read_options, &reader, NULL) != OK)
        abort();
    struct journal_batch batch;
    while (journal_read(reader, 1000, &batch, NULL) == OK && batch.chunk_count)
        for (size_t i = 0; check && i < batch.chunk_count; i++)
            check_served(&batch.chunks[i]);
    journal_file.reader_close(reader);
    append(journal, world);
    journal_file.close(journal);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world_sim world;
    log_set_level((enum log_level)(LOG_ERROR + 1));
    if (size < 1 || size > SEGMENT - SEGMENT_HEADER_BYTES)
        return 0;
    memset(segment, 0, sizeof segment);
    write_header();
    memcpy(segment + ((data[0] & RAW) ? 0 : SEGMENT_HEADER_BYTES), data + 1, size - 1);
    if (!(data[0] & RAW))
        repair(!(data[0] & NO_CHAIN));
    world_sim_init(&world, 1, NULL);
    struct disk_sim *disk = disk_sim_new(1, &world);
    world.world.disk = disk_sim_disk(disk);
    put_file(world.world.disk, FIRST_FILE, segment, sizeof segment);
    /* What was appended must be found again. */
    if (open_and_read(&world.world, true) && !open_and_read(&world.world, false))
        abort();
    disk_sim_free(disk);
    return 0;
}
