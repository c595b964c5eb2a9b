/* Keyed state as a struct state. Its section of a manifest: 0 u32 version 1  4 u32 0  8 u64 next pane number; the rest
 * is in the map. */
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"
#include "process/process_output.h"
#include "process/state/keyed_inside.h"

#define CLEAR_AT_ONCE 4096
#define EVICT_AT_ONCE 16384
#define PIECE_BYTES_MAX (64u << 20)

struct __attribute__((packed)) section {
    uint32_t version, zero;
    uint64_t next_number;
};

/* Beyond the bound nothing is processed until upkeep has made room, if there is any to be made. */
static enum status keyed_prepare(struct state *state, size_t records, struct error *err)
{
    struct keyed *keyed = keyed_of(state);
    (void)records;
    if (keyed_memory_bytes(keyed) <= keyed->memory_bytes_max)
        return OK;
    if (base_evict(keyed, EVICT_AT_ONCE) && keyed_memory_bytes(keyed) <= keyed->memory_bytes_max)
        return OK;
    if (keyed->room_tried) {
        keyed->room_tried = false;
        return OK;
    }
    return error_set(err, ERR_FULL, "keyed state is beyond its %llu bytes of memory",
                     (unsigned long long)keyed->memory_bytes_max);
}

static enum status keyed_maintain(struct state *state, bool *out_more, struct error *err)
{
    struct keyed *keyed = keyed_of(state);
    bool writes = false, loads = false, evicts = false;
    bool is_short = keyed_memory_bytes(keyed) > keyed->memory_bytes_max / 10 * 8;
    base_clear_dead(keyed, CLEAR_AT_ONCE);
    enum status s = base_write_piece(keyed, false, &writes, err);
    if (s == OK && is_short)
        evicts = base_evict(keyed, EVICT_AT_ONCE);
    if (s == OK)
        s = base_load_some(keyed, &loads, err);
    keyed->room_tried = is_short && !writes && !evicts;
    *out_more = writes || loads || evicts || (keyed->dead && !(keyed->dead->flags & PANE_IN_BASE));
    return s;
}

static uint64_t keyed_pending_bytes(struct state *state)
{
    return keyed_of(state)->dirty_bytes;
}

static enum status keyed_checkpoint(struct state *state, struct buf *to, struct error *err)
{
    struct keyed *keyed = keyed_of(state);
    struct section section = { 1, 0, keyed->next_number };
    (void)err;
    buf_add(to, &section, sizeof section);
    base_begin_settling(keyed);
    return OK;
}

static enum status keyed_settle(struct state *state, bool *out_done, struct error *err)
{
    struct keyed *keyed = keyed_of(state);
    bool more;
    *out_done = false;
    enum status s = base_write_piece(keyed, false, &more, err);
    base_clear_dead(keyed, CLEAR_AT_ONCE);
    if (s == OK && base_is_settled(keyed))
        *out_done = true;
    keyed->settling = s == OK && !*out_done;
    return s;
}

static enum status keyed_restore(struct state *state, struct slice bytes, struct error *err)
{
    struct keyed *keyed = keyed_of(state);
    struct section section;
    if (bytes.n != sizeof section)
        return error_set(err, ERR_CORRUPT, "the section of keyed state has %zu bytes", bytes.n);
    memcpy(&section, bytes.p, sizeof section);
    if (section.version != 1)
        return error_set(err, ERR_CORRUPT, "the section of keyed state has version %u, this weir reads version 1",
                         section.version);
    enum status s = base_read_panes(keyed, err);
    if (section.next_number > keyed->next_number)
        keyed->next_number = section.next_number;
    return s;
}

static void keyed_empty(struct state *state)
{
    struct keyed *keyed = keyed_of(state);
    keyed_panes_done(keyed);
    keyed->owned_bytes = keyed->row_count = 0;
    keyed->next_number = 1;
    keyed->open_commit = 1;
    keyed->durable_commit = 0;
    keyed->linked = NULL;
    keyed->linked_end = &keyed->linked;
    keyed->dirty_bytes = keyed->drop_count = 0;
    keyed->drops_made = keyed->drops_durable = 0;
    keyed->write_hand = keyed->clock_hand = keyed->load_hand = (struct keyed_hand){ 0 };
    keyed->settling = keyed->hand_done = keyed->room_tried = false;
    keyed->wanted = keyed->late_count = 0;
    if (keyed->record.max_bytes == 0) {
        buf_init(&keyed->record, JOURNAL_COMMIT_BYTES_MAX);
        buf_init(&keyed->late_bytes, 4 * JOURNAL_COMMIT_BYTES_MAX);
        buf_init(&keyed->batch.bytes, PIECE_BYTES_MAX);
    }
    buf_reset(&keyed->late_bytes);
}

static bool keyed_uses_file(struct state *state, const char *name)
{
    (void)state;
    (void)name;
    return true; /* it has no files of its own */
}

static bool keyed_section_uses(struct slice section, const char *name)
{
    (void)section;
    (void)name;
    return true;
}

/* A rebuild needs the first record of the oldest pane: panes stand in the order of their first records. */
static uint64_t keyed_replay_from(struct state *state, uint64_t next)
{
    const struct pane *oldest = keyed_of(state)->first;
    return oldest && oldest->first_offset < next ? oldest->first_offset : next;
}

static uint64_t keyed_state_memory_bytes(struct state *state)
{
    return keyed_memory_bytes(keyed_of(state));
}

static uint64_t keyed_disk_bytes(struct state *state)
{
    (void)state;
    return 0; /* the map's owner counts it */
}

const struct state_ops keyed_ops = {
    .name = "keyed",
    .id = STATE_KEYED,
    .prepare = keyed_prepare,
    .collect = keyed_collect,
    .durable = keyed_durable,
    .apply = keyed_apply,
    .maintain = keyed_maintain,
    .pending_bytes = keyed_pending_bytes,
    .checkpoint = keyed_checkpoint,
    .settle = keyed_settle,
    .restore = keyed_restore,
    .empty = keyed_empty,
    .uses_file = keyed_uses_file,
    .section_uses = keyed_section_uses,
    .replay_from = keyed_replay_from,
    .memory_bytes = keyed_state_memory_bytes,
    .disk_bytes = keyed_disk_bytes,
};
