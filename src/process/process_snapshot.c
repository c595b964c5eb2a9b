/* Begun when as many bytes of changes have been written since the last one as it had itself (and at least after_bytes):
 * so snapshots at most double what is written, and what is kept of the changelog is a small multiple of the state.
 *
 * Why what is copied is a base like any other (state_kv.h): the files are those of checkpoint K; the view of the map is
 * younger than K's stamp, holds durable changes alone and is a prefix of what was written. So it is what a crash at the
 * moment of the view could have left, and replaying the changelog from K's point ends with the right state. */
#include "process/process_snapshot.h"

#include <stdio.h>
#include <string.h>

#include "world/disk.h"
#include "world/world.h"

#define RECORD_BYTES_MAX SNAPSHOT_COMMIT_BYTES
#define CHECKPOINT_WAIT_US 1000000 /* there is none yet */
#define READ_BYTES (256u << 10)    /* of a file at a time */
#define LOG_INTERVAL_US 60000000

void process_snapshot_init(struct process_snapshot *snapshot, const struct process_snapshot_options *options)
{
    memset(snapshot, 0, sizeof *snapshot);
    snapshot->options = *options;
    assert(options->piece_bytes <= SNAPSHOT_PIECE_MAX);
    snapshot->retry = (struct retry){ .first_ms = 1000, .most_ms = 60000 };
    buf_init(&snapshot->key, KV_KEY_MAX + 1);
    buf_init(&snapshot->record, RECORD_BYTES_MAX);
}

static void close_file(struct process_snapshot *snapshot)
{
    if (snapshot->file)
        snapshot->file->ops->close(snapshot->file);
    snapshot->file = NULL;
    snapshot->file_at = 0;
}

void process_snapshot_give_up(struct process_snapshot *snapshot)
{
    if (!snapshot->kind)
        return;
    close_file(snapshot);
    state_kv_view_close(snapshot->options.kv);
    state_base_unpin(snapshot->options.base);
    snapshot->kind = 0;
}

void process_snapshot_done(struct process_snapshot *snapshot)
{
    process_snapshot_give_up(snapshot);
    buf_done(&snapshot->key);
    buf_done(&snapshot->record);
}

void process_snapshot_changed(struct process_snapshot *snapshot, uint64_t bytes)
{
    snapshot->whole.changes += bytes;
}

bool process_snapshot_wants(const struct process_snapshot *snapshot, struct world *world)
{
    const struct snapshot_place *whole = &snapshot->whole;
    if (snapshot->kind)
        return true;
    return whole->changes >= snapshot->options.after_bytes && whole->changes >= whole->bytes &&
           world_mono_us(world) >= snapshot->retry_at_us;
}

static void failed(struct process_snapshot *snapshot, struct world *world, enum status s, const struct error *err)
{
    uint64_t skipped;
    process_snapshot_give_up(snapshot);
    if (s == ERR_NOT_FOUND && snapshot->number == 0) {
        snapshot->retry_at_us = world_mono_us(world) + CHECKPOINT_WAIT_US;
        return;
    }
    snapshot->failed++;
    snapshot->retry_at_us = retry_next_us(&snapshot->retry, world);
    if (log_limit_pass(&snapshot->log, world_mono_us(world), LOG_INTERVAL_US, &skipped))
        log_warn("process.snapshot_failed", "partition=%u skipped=%llu coped=\"tried again\" error=\"%s\"",
                 snapshot->options.partition, (unsigned long long)skipped, err->text);
}

static void visit_name(void *self, const char *name)
{
    struct process_snapshot *snapshot = self;
    if (snapshot->name_count == SNAPSHOT_FILES_MAX)
        snapshot->name_at = SIZE_MAX; /* too many: seen by begin */
    else
        memcpy(snapshot->names[snapshot->name_count++], name, strlen(name) + 1);
}

/* ERR_NOT_FOUND: no checkpoint to copy yet. */
static enum status begin(struct process_snapshot *snapshot, struct world *world, struct error *err)
{
    const struct process_snapshot_options *options = &snapshot->options;
    snapshot->name_count = snapshot->name_at = 0;
    snapshot->number = 0;
    snapshot->bytes = 0;
    enum status s = state_base_pin(options->base, &snapshot->manifest, &snapshot->point, err);
    if (s != OK)
        return s;
    snapshot->kind = SNAPSHOT_BEGIN;
    snapshot->changes_before = snapshot->whole.changes;
    snapshot->began_us = world_mono_us(world);
    buf_reset(&snapshot->key);
    s = state_base_pinned_files(options->base, visit_name, snapshot, err);
    if (s == OK && snapshot->name_at)
        s = error_set(err, ERR_FULL, "more than %d files", SNAPSHOT_FILES_MAX);
    return s == OK ? state_kv_view_open(options->kv, err) : s;
}

/* ---- records ---- */

static void record_begin(struct process_snapshot *snapshot, uint64_t place)
{
    const struct snapshot_head head = { STATE_SNAPSHOT, SNAPSHOT_VERSION, (uint8_t)snapshot->kind, 0, snapshot->number,
                                        place };
    buf_reset(&snapshot->record);
    buf_add(&snapshot->record, &head, sizeof head);
}

static enum status open_file(struct process_snapshot *snapshot, const char *name, struct error *err)
{
    char path[DISK_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", state_base_path(snapshot->options.base), name);
    assert(n < (int)sizeof path);
    enum status s = snapshot->options.disk->ops->open(snapshot->options.disk, path, DISK_READ, &snapshot->file, err);
    return s == OK ? snapshot->file->ops->size(snapshot->file, &snapshot->file_end, err) : s;
}

/* A piece of the file in hand; an empty one, too, so that the file is made. It ends where it ended when it was opened:
 * what is appended to it meanwhile is younger than the checkpoint, and under load comes as fast as pieces do. */
static enum status make_file(struct process_snapshot *snapshot, struct error *err)
{
    const char *name = snapshot->names[snapshot->name_at];
    const uint16_t name_n = (uint16_t)strlen(name);
    struct buf *record = &snapshot->record;
    size_t want = snapshot->options.piece_bytes < READ_BYTES ? snapshot->options.piece_bytes : READ_BYTES, n = 0;
    enum status s = snapshot->file ? OK : open_file(snapshot, name, err);
    const uint64_t left = s == OK ? snapshot->file_end - snapshot->file_at : 0;
    want = left < want ? (size_t)left : want;
    record_begin(snapshot, snapshot->file_at);
    buf_add(record, &name_n, sizeof name_n);
    buf_add(record, name, name_n);
    if (s == OK)
        s = snapshot->file->ops->read(snapshot->file, buf_reserve(record, want), want, snapshot->file_at, &n, err);
    if (s != OK)
        return error_wrap(err, s, "read %s", name);
    record->n += n;
    snapshot->file_at += n;
    if (n < want || snapshot->file_at == snapshot->file_end) {
        close_file(snapshot);
        snapshot->name_at++;
    }
    return OK;
}

static bool visit_row(void *self, struct slice key, struct slice value)
{
    struct process_snapshot *snapshot = self;
    const struct snapshot_row row = { (uint32_t)key.n, (uint32_t)value.n };
    struct buf *record = &snapshot->record;
    buf_add(record, &row, sizeof row);
    buf_add_slice(record, key);
    buf_add_slice(record, value);
    buf_reset(&snapshot->key);
    buf_add_slice(&snapshot->key, key);
    buf_add_char(&snapshot->key, '\0'); /* the first key behind it */
    return record->n < snapshot->options.piece_bytes;
}

/* *out_some: there were rows left. */
static enum status make_rows(struct process_snapshot *snapshot, bool *out_some, struct error *err)
{
    record_begin(snapshot, 0);
    size_t before = snapshot->record.n;
    enum status s = state_kv_view_scan(snapshot->options.kv, buf_slice(&snapshot->key), visit_row, snapshot, err);
    *out_some = snapshot->record.n > before;
    return s == OK && snapshot->record.full ? error_set(err, ERR_FULL, "a row is too large") : s;
}

/* The next record into snapshot->record; its kind is in it. */
static enum status make_record(struct process_snapshot *snapshot, struct error *err)
{
    bool some = true;
    enum status s = OK;
    if (snapshot->kind == SNAPSHOT_BEGIN) {
        record_begin(snapshot, 0);
        buf_add_slice(&snapshot->record, snapshot->manifest);
        snapshot->kind = SNAPSHOT_FILE;
        return OK;
    }
    if (snapshot->kind == SNAPSHOT_FILE && snapshot->name_at < snapshot->name_count)
        return make_file(snapshot, err);
    snapshot->kind = SNAPSHOT_ROWS;
    s = make_rows(snapshot, &some, err);
    if (s == OK && !some) {
        snapshot->kind = SNAPSHOT_END;
        record_begin(snapshot, snapshot->bytes);
    }
    return s;
}

/* ---- the commit ---- */

static void is_whole(struct process_snapshot *snapshot, struct world *world)
{
    snapshot->whole = (struct snapshot_place){ .position = snapshot->point.position,
                                               .record = snapshot->first_record,
                                               .bytes = snapshot->bytes,
                                               .changes = snapshot->whole.changes - snapshot->changes_before };
    snapshot->last_seconds = (double)(world_mono_us(world) - snapshot->began_us) / 1e6;
    snapshot->written++;
    retry_reset(&snapshot->retry);
    process_snapshot_give_up(snapshot); /* what was held for it */
}

void process_snapshot_collect(struct process_snapshot *snapshot, uint64_t next, struct process_stream *changelog,
                              struct world *world)
{
    struct error err = { 0 };
    enum status s = OK;
    if (!process_snapshot_wants(snapshot, world))
        return;
    if (!snapshot->kind) {
        s = begin(snapshot, world, &err);
        snapshot->first_record = next;
    }
    for (size_t bytes = 0; s == OK && snapshot->kind && bytes < snapshot->options.piece_bytes;) {
        s = make_record(snapshot, &err);
        if (s != OK)
            break;
        const struct buf *record = &snapshot->record;
        char *to = process_stream_record(changelog, record->n);
        assert(to); /* the task leaves room for SNAPSHOT_COMMIT_BYTES */
        memcpy(to, record->p, record->n);
        snapshot->number++;
        snapshot->bytes += record->n;
        bytes += record->n;
        if (snapshot->kind == SNAPSHOT_END)
            is_whole(snapshot, world);
    }
    if (s != OK)
        failed(snapshot, world, s, &err);
}
