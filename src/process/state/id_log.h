/* The ids of a generation that still grows, in the order of their commits: a file that is only appended to, so that a
 * checkpoint has nothing to do but to sync its end. Its valid length and checksum are in the checkpoint's manifest;
 * what stands behind that length is overwritten. One owner, one thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "process/state/id_table.h"

struct disk;
struct disk_file;

#define ID_LOG_BUFFER_BYTES (4u << 20) /* what a disk that refuses writes may keep waiting */

struct id_log {
    struct disk_file *file;
    struct buf waiting; /* ids not yet written */
    uint64_t bytes;     /* written */
    uint32_t crc;       /* CRC32C of the written bytes */
    uint64_t unsynced;
    bool broken; /* a sync failed or too much waited: what the file holds is unknown, write the ids elsewhere */
};

/* Goes on behind the first `bytes`, whose checksum is crc; 0 and 0 for a new file. */
MUST_CHECK enum status id_log_open(struct id_log *log, struct disk *disk, const char *path, uint64_t bytes,
                                   uint32_t crc, struct error *err);
void id_log_close(struct id_log *log);
/* Keeps the ids for the next write; takes no system call. When too much waits already, the log breaks. */
void id_log_add(struct id_log *log, struct slice ids);
/* Writes what waits when it is worth it (or always), and syncs when that is due (or always). */
MUST_CHECK enum status id_log_write(struct id_log *log, bool all, struct error *err);

/* Reads the first `bytes` of the file into the table, in which there must be room. ERR_CORRUPT: another checksum. */
MUST_CHECK enum status id_log_load(struct disk *disk, const char *path, uint64_t bytes, uint32_t crc,
                                   struct id_table *table, struct error *err);
