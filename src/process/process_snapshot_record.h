/* A snapshot is the base of a partition's state (state_base.h) as records of its changelog, between the records of
 * changes, so that whoever has no base of his own needs no record before it. Each record, little-endian:
 *
 *   0 u8 STATE_SNAPSHOT  1 u8 version 1  2 u8 kind  3 u8 0  4 u32 number in the snapshot, from 0  8 u64 place
 *   begin   the manifest of the checkpoint that is copied
 *   file    place: in the file; u16 bytes of its name, the name, bytes of the file; one file after the other
 *   rows    rows of the map, ascending over all records: u32 bytes of the key, u32 of the value, key, value
 *   end     place: bytes of all records before it
 *
 * Which one is whole and the newest is not found by looking: the note beside the mark says it, since the commit that
 * carries the end carries that note, too. One that was begun and not ended is passed over like any that is older. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"
#include "process/state/state.h"

#define SNAPSHOT_VERSION 1

enum snapshot_kind { SNAPSHOT_BEGIN = 1, SNAPSHOT_FILE = 2, SNAPSHOT_ROWS = 3, SNAPSHOT_END = 4 };

struct __attribute__((packed)) snapshot_head {
    uint8_t state, version, kind, zero;
    uint32_t number;
    uint64_t place;
};
_Static_assert(sizeof(struct snapshot_head) == 16, "drawn above");

/* Before each row. */
struct __attribute__((packed)) snapshot_row {
    uint32_t key_n, value_n;
};

static inline bool is_snapshot_record(struct slice record)
{
    return record.n && (uint8_t)record.p[0] == STATE_SNAPSHOT;
}

/* The newest whole snapshot, as the note beside the mark tells of it. */
struct snapshot_place {
    uint64_t position; /* of the journal: read from here, for the snapshot and for the changes behind its checkpoint */
    uint64_t record;   /* number of its first record in the changelog */
    uint64_t bytes;    /* of its records; 0: there is none */
    uint64_t changes;  /* bytes of changes since it began (without any: since ever); what the next one waits for */
};
