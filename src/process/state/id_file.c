/* A file of ids, little-endian:
 *
 *   page 0           header: 0 magic "WEIRIDS1"  8 u32 version 1  12 u32 generation  16 u64 ids  24 u64 home pages
 *                            32 u64 all pages  40 u64 filter blocks  48 u32 CRC32C of the filter
 *                            52 u32 CRC32C of bytes 0–51, which is the file's stamp; zeros to the end of the page
 *   page 1 … all     ids:    0 u32 CRC32C of bytes 4–4095  4 u16 count (≤ 255)  6 u16 flags: 1 = goes on in the next
 *                            8 u32 generation  12 u32 page number  16 count × 16 bytes of ids; zeros
 *   behind the pages the filter: 64 bytes a block
 *
 * An id belongs to home page 1 + (hi × home pages >> 64); pages are 180/255 full on average, so that one in some ten
 * million runs over into the next (flag 1; past the last home page into extra ones). The filter is a blocked Bloom
 * filter: all six bits of an id are in one cache line.
 *
 * The header is written last, so a file that was not finished has none; besides, a file counts only once a checkpoint's
 * manifest names it with its stamp. Every page carries generation and number, so a page that was written to the wrong
 * place is found like one that rotted. Sequential writes in bounded steps: the task that calls them has events to
 * process in between. */
#include "process/state/id_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "process/state/pages.h"
#include "world/disk.h"

#define PAGE_IDS 255
#define PAGE_IDS_AIM 180
#define PAGES_AT_ONCE 64
#define PAGE_GOES_ON 1u
#define SYNC_BYTES (4u << 20)

static const char MAGIC[8] = { 'W', 'E', 'I', 'R', 'I', 'D', 'S', '1' };

struct __attribute__((packed)) header {
    char magic[8];
    uint32_t version, generation;
    uint64_t ids, home_pages, all_pages, filter_blocks;
    uint32_t filter_crc, crc;
};

struct page {
    uint32_t crc;
    uint16_t count, flags;
    uint32_t generation, number;
    struct id128 ids[PAGE_IDS];
};
_Static_assert(sizeof(struct header) == 56, "drawn above");
_Static_assert(sizeof(struct page) == ID_FILE_PAGE_BYTES, "drawn above");

struct id_file_writer {
    const struct id_table *table;
    struct id_file *file; /* what it becomes */
    struct page *pages;   /* PAGES_AT_ONCE */
    struct id128 *over;   /* ids that did not fit into their page, for the next ones */
    size_t over_count, over_capacity;
    uint64_t next_page; /* from 0: the page after the header */
    uint64_t filter_written;
    uint64_t ids_written, unsynced;
};

static size_t filter_blocks_for(uint64_t ids)
{
    return (size_t)((ids * ID_FILTER_BITS + 511) / 512) + 1;
}

size_t id_file_filter_bytes(uint64_t ids)
{
    return filter_blocks_for(ids) * 64;
}

enum status id_file_writer_open(struct disk *disk, const char *path, uint32_t generation, const struct id_table *table,
                                struct id_file_writer **out, struct error *err)
{
    struct id_file_writer *writer = calloc(1, sizeof *writer);
    struct id_file *file = calloc(1, sizeof *file);
    if (!writer || !file) {
        free(writer);
        free(file);
        return error_set(err, ERR_FULL, "write %s: out of memory", path);
    }
    writer->table = table;
    writer->file = file;
    writer->pages = malloc(PAGES_AT_ONCE * sizeof *writer->pages);
    file->generation = generation;
    file->ids = table->count;
    file->home_pages = table->count / PAGE_IDS_AIM + 1;
    file->filter_blocks = filter_blocks_for(table->count);
    file->filter = pages_new(file->filter_blocks * 64);
    enum status s = OK;
    if (!writer->pages || !file->filter)
        s = error_set(err, ERR_FULL, "write %s: out of memory", path);
    if (s == OK)
        s = disk->ops->open(disk, path, DISK_CREATE, &file->file, err);
    if (s == OK)
        s = file->file->ops->truncate(file->file, 0, err); /* of an attempt that did not finish */
    if (s != OK) {
        id_file_writer_free(writer);
        return s;
    }
    *out = writer;
    return OK;
}

void id_file_writer_free(struct id_file_writer *writer)
{
    if (!writer)
        return;
    id_file_close(writer->file);
    free(writer->pages);
    free(writer->over);
    free(writer);
}

static bool keep_over(struct id_file_writer *writer, struct id128 id)
{
    if (writer->over_count == writer->over_capacity) {
        size_t capacity = writer->over_capacity ? writer->over_capacity * 2 : 64;
        struct id128 *over = realloc(writer->over, capacity * sizeof *over);
        if (!over)
            return false;
        writer->over = over;
        writer->over_capacity = capacity;
    }
    writer->over[writer->over_count++] = id;
    return true;
}

static void filter_add(struct id_file *file, struct id128 id)
{
    uint64_t *block = file->filter[id_range(id, file->filter_blocks)];
    struct id_probe probe = id_probe_of(id);
    for (int i = 0; i < 6; i++)
        block[probe.words[i]] |= probe.bits[i];
}

/* The first slot that can hold an id of the page. */
static size_t first_slot_of(const struct id_table *table, uint64_t page, uint64_t pages)
{
    unsigned __int128 lowest = (((unsigned __int128)page << 64) + pages - 1) / pages;
    return (size_t)((lowest * table->home_slots) >> 64);
}

static bool page_put(struct id_file_writer *writer, struct page *page, struct id128 id)
{
    if (page->count == PAGE_IDS)
        return keep_over(writer, id);
    page->ids[page->count++] = id;
    return true;
}

/* The ids of a page stand between its first slot and the first empty slot at or behind the next page's first one. */
static bool page_fill(struct id_file_writer *writer, struct page *page, uint64_t number)
{
    const struct id_table *table = writer->table;
    struct id_file *file = writer->file;
    memset(page, 0, sizeof *page);
    while (writer->over_count && page->count < PAGE_IDS)
        page->ids[page->count++] = writer->over[--writer->over_count];
    bool fits = true;
    if (number < file->home_pages && table->slots) {
        size_t at = first_slot_of(table, number, file->home_pages);
        size_t next =
            number + 1 < file->home_pages ? first_slot_of(table, number + 1, file->home_pages) : table->home_slots;
        size_t end = table->home_slots + ID_TABLE_TAIL;
        for (; at < end && (at < next || at == next || !id_is_empty(table->slots[at])); at++) {
            struct id128 id = table->slots[at];
            if (id_is_empty(id)) {
                if (at >= next)
                    break;
                continue;
            }
            if (id_range(id, file->home_pages) != number)
                continue;
            filter_add(file, id);
            fits = fits && page_put(writer, page, id);
        }
    }
    writer->ids_written += page->count;
    page->flags = writer->over_count ? PAGE_GOES_ON : 0;
    page->generation = file->generation;
    page->number = (uint32_t)number;
    page->crc = crc32c(0, (char *)page + 4, sizeof *page - 4);
    return fits;
}

static enum status put(struct id_file_writer *writer, const void *bytes, size_t n, uint64_t offset, struct error *err)
{
    struct disk_file *file = writer->file->file;
    struct iovec part = { (void *)(uintptr_t)bytes, n };
    enum status s = file->ops->write(file, &part, 1, offset, err);
    writer->unsynced += n;
    if (s == OK && writer->unsynced >= SYNC_BYTES) {
        s = file->ops->sync(file, err); /* a little now and then: one large flush at the end would stall the task */
        writer->unsynced = 0;
    }
    return s;
}

static enum status write_pages(struct id_file_writer *writer, struct error *err)
{
    uint64_t first = writer->next_page;
    size_t n = 0;
    while (n < PAGES_AT_ONCE && (writer->next_page < writer->file->home_pages || writer->over_count)) {
        if (!page_fill(writer, &writer->pages[n++], writer->next_page))
            return error_set(err, ERR_FULL, "seal generation %u: out of memory", writer->file->generation);
        writer->next_page++;
    }
    return put(writer, writer->pages, n * sizeof(struct page), (1 + first) * sizeof(struct page), err);
}

static enum status write_filter(struct id_file_writer *writer, struct error *err)
{
    struct id_file *file = writer->file;
    uint64_t all = (uint64_t)file->filter_blocks * 64, n = all - writer->filter_written;
    if (n > PAGES_AT_ONCE * sizeof(struct page))
        n = PAGES_AT_ONCE * sizeof(struct page);
    uint64_t offset = (1 + writer->next_page) * sizeof(struct page) + writer->filter_written;
    enum status s = put(writer, (char *)file->filter + writer->filter_written, n, offset, err);
    writer->filter_written += n;
    return s;
}

static enum status write_header(struct id_file_writer *writer, struct error *err)
{
    struct id_file *file = writer->file;
    assert(writer->ids_written == file->ids);
    file->all_pages = writer->next_page;
    struct header *header = memset(writer->pages, 0, sizeof(struct page));
    *header = (struct header){
        .version = 1,
        .generation = file->generation,
        .ids = file->ids,
        .home_pages = file->home_pages,
        .all_pages = file->all_pages,
        .filter_blocks = file->filter_blocks,
        .filter_crc = crc32c(0, file->filter, file->filter_blocks * 64),
    };
    memcpy(header->magic, MAGIC, sizeof MAGIC);
    file->stamp = header->crc = crc32c(0, header, sizeof *header - 4);
    enum status s = file->file->ops->sync(file->file, err);
    if (s == OK)
        s = put(writer, writer->pages, sizeof(struct page), 0, err);
    return s == OK ? file->file->ops->sync(file->file, err) : s;
}

enum status id_file_writer_step(struct id_file_writer *writer, size_t bytes_max, struct id_file **out,
                                struct error *err)
{
    struct id_file *file = writer->file;
    *out = NULL;
    for (size_t bytes = 0; bytes < bytes_max; bytes += PAGES_AT_ONCE * sizeof(struct page)) {
        enum status s;
        if (writer->next_page < file->home_pages || writer->over_count) {
            s = write_pages(writer, err);
        } else if (writer->filter_written < file->filter_blocks * 64) {
            s = write_filter(writer, err);
        } else {
            s = write_header(writer, err);
            if (s == OK)
                *out = GIVE(writer->file);
            return s;
        }
        if (s != OK)
            return s;
    }
    return OK;
}

static enum status open_checked(struct id_file *file, uint32_t generation, uint32_t stamp, struct error *err)
{
    struct header header;
    size_t n;
    enum status s = file->file->ops->read(file->file, &header, sizeof header, 0, &n, err);
    if (s != OK)
        return s;
    if (n != sizeof header || memcmp(header.magic, MAGIC, sizeof MAGIC) != 0 || header.version != 1 ||
        crc32c(0, &header, sizeof header - 4) != header.crc)
        return error_set(err, ERR_CORRUPT, "the header fails its checksum");
    if (header.crc != stamp || header.generation != generation || header.filter_blocks != filter_blocks_for(header.ids))
        return error_set(err, ERR_CORRUPT, "it is another file than the checkpoint names");
    file->generation = generation;
    file->stamp = stamp;
    file->ids = header.ids;
    file->home_pages = header.home_pages;
    file->all_pages = header.all_pages;
    file->filter_blocks = header.filter_blocks;
    size_t bytes = file->filter_blocks * 64;
    file->filter = pages_new(bytes);
    if (!file->filter)
        return error_set(err, ERR_FULL, "out of memory for a filter of %zu bytes", bytes);
    s = file->file->ops->read(file->file, file->filter, bytes, (1 + file->all_pages) * ID_FILE_PAGE_BYTES, &n, err);
    if (s != OK)
        return s;
    if (n != bytes || crc32c(0, file->filter, bytes) != header.filter_crc)
        return error_set(err, ERR_CORRUPT, "the filter fails its checksum");
    return OK;
}

enum status id_file_open(struct disk *disk, const char *path, uint32_t generation, uint32_t stamp, struct id_file **out,
                         struct error *err)
{
    struct id_file *file = calloc(1, sizeof *file);
    if (!file)
        return error_set(err, ERR_FULL, "open %s: out of memory", path);
    enum status s = disk->ops->open(disk, path, DISK_READ, &file->file, err);
    if (s == OK)
        s = open_checked(file, generation, stamp, err);
    if (s != OK) {
        id_file_close(file);
        return error_wrap(err, s, "open %s", path);
    }
    *out = file;
    return OK;
}

void id_file_close(struct id_file *file)
{
    if (!file)
        return;
    if (file->file)
        file->file->ops->close(file->file);
    pages_free(file->filter, file->filter_blocks * 64);
    free(file);
}

enum status id_file_find(const struct id_file *file, struct id128 id, bool *out_found, struct error *err)
{
    struct page page;
    uint64_t number = id_range(id, file->home_pages);
    for (;; number++) {
        size_t n;
        enum status s = file->file->ops->read(file->file, &page, sizeof page, (1 + number) * sizeof page, &n, err);
        if (s != OK)
            return error_wrap(err, s, "read page %llu of generation %u", (unsigned long long)number, file->generation);
        if (n != sizeof page || page.crc != crc32c(0, (char *)&page + 4, sizeof page - 4) ||
            page.generation != file->generation || page.number != (uint32_t)number || page.count > PAGE_IDS)
            return error_set(err, ERR_CORRUPT, "page %llu of the ids of generation %u fails its checksum",
                             (unsigned long long)number, file->generation);
        for (size_t i = 0; i < page.count; i++) {
            if (id_equal(page.ids[i], id)) {
                *out_found = true;
                return OK;
            }
        }
        if (!(page.flags & PAGE_GOES_ON) || number + 1 >= file->all_pages)
            break;
    }
    *out_found = false;
    return OK;
}

uint64_t id_file_disk_bytes(const struct id_file *file)
{
    return (1 + file->all_pages) * ID_FILE_PAGE_BYTES + (uint64_t)file->filter_blocks * 64;
}

size_t id_file_memory_bytes(const struct id_file *file)
{
    return file->filter_blocks * 64 + sizeof *file;
}
