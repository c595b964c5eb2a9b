/* The inside of kv_disk, shared by kv_disk.c (the port, reading and writing) and kv_disk_file.c (the file: loading,
 * rewriting). One owner, one thread. */
#pragma once
#include "process/state/kv.h"
#include "world/disk.h"

struct kv_entry {
    uint64_t offset;    /* of the value in the file */
    uint32_t value_n;   /* ENTRY_DEAD: deleted, about to go */
    uint32_t value_crc; /* so that rot between writing and reading is found */
    uint32_t key_n;
    char key[];
};
#define ENTRY_DEAD UINT32_MAX

struct kv_disk {
    struct kv kv;
    char path[DISK_PATH_MAX];
    struct disk *disk;
    struct disk_file *file;
    uint64_t end;              /* of the last whole record */
    uint32_t chain;            /* its checksum: the next record's begins with it */
    struct kv_entry **entries; /* ascending by key */
    size_t count, capacity;
    struct kv_entry **fresh; /* new keys of the batch that is being applied, ascending */
    size_t fresh_count, fresh_capacity;
    uint64_t live_bytes, index_bytes; /* of keys and values; of memory */
    struct kv_stamp stamp;
    enum status sync_status;
    struct error sync_error;
    bool must_rewrite;   /* a sync failed: what the file holds is unknown */
    bool names_unsynced; /* a rename that may not be durable yet */
    struct buf record;
};

enum kv_op { OP_PUT = 0, OP_DELETE = 1, OP_DELETE_RANGE = 2, OP_STAMP = 3 };

/* One operation in a record; its key and value follow. */
struct __attribute__((packed)) kv_op_head {
    uint8_t op;
    uint32_t key_n, value_n;
};

static inline struct slice kv_entry_key(const struct kv_entry *entry)
{
    return slice_of(entry->key, entry->key_n);
}

/* kv_disk.c: the index. value_offset: where the value will stand. */
void kv_disk_apply(struct kv_disk *map, enum kv_op op, struct slice key, struct slice value, uint64_t value_offset);
void kv_disk_apply_done(struct kv_disk *map); /* after the operations of a record */
MUST_CHECK enum status kv_disk_value(const struct kv_disk *map, const struct kv_entry *entry, struct buf *value,
                                     struct error *err);

/* kv_disk_file.c */
void kv_record_begin(struct buf *record);
void kv_record_add(struct buf *record, enum kv_op op, struct slice key, struct slice value);
/* Completes the record and writes it at the end. */
MUST_CHECK enum status kv_record_write(struct disk_file *file, struct buf *record, uint64_t *end, uint32_t *chain,
                                       struct error *err);
MUST_CHECK enum status kv_file_load(struct kv_disk *map, struct error *err);
/* A new file with everything that is alive (nothing, for a fresh map) takes the place of the old one, durable. */
MUST_CHECK enum status kv_file_rewrite(struct kv_disk *map, uint64_t number, struct error *err);
