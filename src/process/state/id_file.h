/* A sealed generation of ids: an immutable file of 4 KiB pages with a checksum each, and in memory a filter that says
 * which ids cannot be in it (about 12 bits an id, 0.5 % false alarms). A look-up that the filter lets through is one
 * read of one page. One owner, one thread. The layout is drawn in id_file.c. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "process/state/id_table.h"

struct disk;
struct disk_file;

#define ID_FILE_PAGE_BYTES 4096
#define ID_FILTER_BITS 12 /* per id */

struct id_file {
    struct disk_file *file;
    uint32_t generation;
    uint32_t stamp; /* the header's checksum: tells this file from another of the same name */
    uint64_t ids, home_pages, all_pages;
    uint64_t (*filter)[8]; /* blocks of 64 bytes: one cache line an id */
    size_t filter_blocks;
};

struct id_file_writer;

/* Begins to write the table's ids to `path`. The table must not change until the writer is freed. */
MUST_CHECK enum status id_file_writer_open(struct disk *disk, const char *path, uint32_t generation,
                                           const struct id_table *table, struct id_file_writer **out,
                                           struct error *err);
/* Writes up to about `bytes_max` more. *out: the finished, synced file (the directory is not synced), or NULL. After an
 * error the writer must be freed and the file begun anew. */
MUST_CHECK enum status id_file_writer_step(struct id_file_writer *writer, size_t bytes_max, struct id_file **out,
                                           struct error *err);
void id_file_writer_free(struct id_file_writer *writer);

/* ERR_CORRUPT: header or filter fail their checksums, or it is another file than `stamp` says. */
MUST_CHECK enum status id_file_open(struct disk *disk, const char *path, uint32_t generation, uint32_t stamp,
                                    struct id_file **out, struct error *err);
void id_file_close(struct id_file *file);
/* Reads pages. ERR_CORRUPT: a page fails its checksum: nothing may be concluded from it. */
MUST_CHECK enum status id_file_find(const struct id_file *file, struct id128 id, bool *out_found, struct error *err);
uint64_t id_file_disk_bytes(const struct id_file *file);
size_t id_file_memory_bytes(const struct id_file *file);
/* Of a file that would hold so many ids. */
size_t id_file_filter_bytes(uint64_t ids);

static inline void id_file_prefetch(const struct id_file *file, struct id128 id)
{
    __builtin_prefetch(file->filter[id_range(id, file->filter_blocks)]);
}

/* The six bits of a block that an id stands for, from its lower half. They are the same in every file, so that they
 * are worked out once for a look at many. */
struct id_probe {
    uint8_t words[6];
    uint64_t bits[6];
};

static inline struct id_probe id_probe_of(struct id128 id)
{
    struct id_probe probe;
    uint64_t rest = id.lo;
    for (int i = 0; i < 6; i++, rest >>= 9) {
        probe.words[i] = (rest >> 6) & 7;
        probe.bits[i] = 1ull << (rest & 63);
    }
    return probe;
}

/* False: it is certainly not in the file. */
static inline bool id_file_may_have(const struct id_file *file, struct id128 id, const struct id_probe *probe)
{
    const uint64_t *block = file->filter[id_range(id, file->filter_blocks)];
    uint64_t missing = 0;
    for (int i = 0; i < 3; i++) /* ends the look nineteen times of twenty */
        missing |= ~block[probe->words[i]] & probe->bits[i];
    if (missing)
        return false;
    for (int i = 3; i < 6; i++)
        missing |= ~block[probe->words[i]] & probe->bits[i];
    return missing == 0;
}
