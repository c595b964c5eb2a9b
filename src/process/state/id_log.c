/* The file is nothing but ids, 16 bytes each, little-endian: lo, hi. Length and CRC32C of the valid part are in the
 * manifest, which is replaced atomically; so a torn or reordered tail cannot be taken for ids.
 *
 * Writes go out in pieces of 256 KiB and are synced every MiB, so that the sync of a checkpoint finds little to do. A
 * failed write is tried again at the same place. A failed sync is not: the kernel may have dropped the pages and would
 * report success the next time, so the log is broken for good and the generation is sealed from memory instead. */
#include "process/state/id_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "world/disk.h"

#define WRITE_BYTES (256u << 10)
#define SYNC_BYTES (1u << 20)

enum status id_log_open(struct id_log *log, struct disk *disk, const char *path, uint64_t bytes, uint32_t crc,
                        struct error *err)
{
    assert(bytes % sizeof(struct id128) == 0);
    *log = (struct id_log){ .bytes = bytes, .crc = crc };
    buf_init(&log->waiting, ID_LOG_BUFFER_BYTES);
    enum status s = disk->ops->open(disk, path, DISK_CREATE, &log->file, err);
    if (s == OK)
        s = log->file->ops->truncate(log->file, bytes, err);
    if (s != OK)
        id_log_close(log);
    return s;
}

void id_log_close(struct id_log *log)
{
    if (log->file)
        log->file->ops->close(log->file);
    buf_done(&log->waiting);
    *log = (struct id_log){ 0 };
}

void id_log_add(struct id_log *log, struct slice ids)
{
    assert(ids.n % sizeof(struct id128) == 0);
    if (log->broken)
        return;
    buf_add_slice(&log->waiting, ids);
    if (log->waiting.full)
        log->broken = true;
}

static enum status sync_file(struct id_log *log, struct error *err)
{
    enum status s = log->file->ops->sync(log->file, err);
    if (s == OK)
        log->unsynced = 0;
    else
        log->broken = true;
    return s;
}

enum status id_log_write(struct id_log *log, bool all, struct error *err)
{
    if (log->broken)
        return error_set(err, ERR_RETRY, "the log of ids is broken; they are being written to a new file");
    if (log->waiting.n && (all || log->waiting.n >= WRITE_BYTES)) {
        struct iovec part = { log->waiting.p, log->waiting.n };
        enum status s = log->file->ops->write(log->file, &part, 1, log->bytes, err);
        if (s != OK)
            return s;
        log->crc = crc32c(log->crc, log->waiting.p, log->waiting.n);
        log->bytes += log->waiting.n;
        log->unsynced += log->waiting.n;
        buf_reset(&log->waiting);
    }
    if (log->unsynced >= SYNC_BYTES || (all && log->unsynced))
        return sync_file(log, err);
    return OK;
}

static enum status load(struct disk_file *file, uint64_t bytes, uint32_t crc, struct id_table *table, char *piece,
                        struct error *err)
{
    uint32_t sum = 0;
    for (uint64_t at = 0; at < bytes;) {
        size_t want = bytes - at < WRITE_BYTES ? (size_t)(bytes - at) : WRITE_BYTES, n;
        enum status s = file->ops->read(file, piece, want, at, &n, err);
        if (s != OK)
            return s;
        if (n != want)
            return error_set(err, ERR_CORRUPT, "it has fewer bytes than the checkpoint says");
        sum = crc32c(sum, piece, n);
        for (size_t i = 0; i < n; i += sizeof(struct id128)) {
            struct id128 id;
            memcpy(&id, piece + i, sizeof id);
            if (!id_is_empty(id))
                (void)id_table_add(table, id);
        }
        at += n;
    }
    if (sum != crc)
        return error_set(err, ERR_CORRUPT, "it fails its checksum");
    return OK;
}

enum status id_log_load(struct disk *disk, const char *path, uint64_t bytes, uint32_t crc, struct id_table *table,
                        struct error *err)
{
    id_table_allow(table, bytes / sizeof(struct id128));
    if (bytes % sizeof(struct id128) || !id_table_reserve(table, bytes / sizeof(struct id128)))
        return error_set(err, ERR_FULL, "load %s: %llu bytes of ids do not fit into memory", path,
                         (unsigned long long)bytes);
    struct disk_file *file;
    enum status s = disk->ops->open(disk, path, DISK_READ, &file, err);
    if (s != OK)
        return error_wrap(err, s, "load %s", path);
    char *piece = malloc(WRITE_BYTES);
    s = piece ? load(file, bytes, crc, table, piece, err) : error_set(err, ERR_FULL, "out of memory");
    free(piece);
    file->ops->close(file);
    return s == OK ? OK : error_wrap(err, s, "load %s", path);
}
