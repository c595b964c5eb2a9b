/* The records come as they were written, without gaps: their numbers in the changelog are checked by the caller, those
 * in the snapshot here. Files are synced when they are complete, as the states that made them would have done: a later
 * checkpoint names them without a second look. Nothing names them before that, so a crash on the way costs another
 * reading. */
#include "process/process_snapshot_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world/disk.h"

void snapshot_reader_reset(struct snapshot_reader *reader)
{
    if (reader->file)
        reader->file->ops->close(reader->file);
    buf_done(&reader->manifest);
    free(reader->rows);
    *reader = (struct snapshot_reader){ .base = reader->base, .kv = reader->kv, .disk = reader->disk };
}

static enum status end_file(struct snapshot_reader *reader, struct error *err)
{
    if (!reader->file)
        return OK;
    enum status s = reader->file->ops->sync(reader->file, err);
    reader->file->ops->close(reader->file);
    reader->file = NULL;
    return s;
}

static enum status begin_file(struct snapshot_reader *reader, struct slice name, struct error *err)
{
    char path[DISK_PATH_MAX];
    enum status s = end_file(reader, err);
    if (s != OK)
        return s;
    if (name.n >= sizeof reader->name)
        return error_set(err, ERR_CORRUPT, "a name of %zu bytes", name.n);
    memcpy(reader->name, name.p, name.n);
    reader->name[name.n] = '\0';
    if (!state_base_is_file_name(reader->base, reader->name))
        return error_set(err, ERR_CORRUPT, "a file of a name that no state gives");
    int n = snprintf(path, sizeof path, "%s/%s", state_base_path(reader->base), reader->name);
    assert(n < (int)sizeof path);
    s = reader->disk->ops->open(reader->disk, path, DISK_CREATE, &reader->file, err);
    if (s == OK)
        s = reader->file->ops->truncate(reader->file, 0, err);
    reader->file_at = 0;
    return s;
}

static enum status take_file(struct snapshot_reader *reader, uint64_t place, struct slice body, struct error *err)
{
    uint16_t name_n;
    if (body.n < sizeof name_n)
        return error_set(err, ERR_CORRUPT, "a piece of a file is cut");
    memcpy(&name_n, body.p, sizeof name_n);
    body = slice_after(body, sizeof name_n);
    if (body.n < name_n)
        return error_set(err, ERR_CORRUPT, "a piece of a file is cut");
    struct slice name = slice_of(body.p, name_n);
    body = slice_after(body, name_n);
    enum status s = place == 0 ? begin_file(reader, name, err) : OK;
    if (s != OK)
        return s;
    if (!reader->file || place != reader->file_at || !slice_equal(name, slice_from(reader->name)))
        return error_set(err, ERR_CORRUPT, "a piece of a file is missing");
    struct iovec part = { (char *)body.p, body.n };
    s = body.n ? reader->file->ops->write(reader->file, &part, 1, place, err) : OK;
    reader->file_at += body.n;
    return s;
}

static enum status add_row(struct snapshot_reader *reader, size_t at, struct slice *rest, struct error *err)
{
    struct snapshot_row row;
    if (rest->n < sizeof row)
        return error_set(err, ERR_CORRUPT, "a row is cut");
    memcpy(&row, rest->p, sizeof row);
    *rest = slice_after(*rest, sizeof row);
    if (row.key_n == 0 || row.key_n > KV_KEY_MAX || row.value_n > KV_VALUE_MAX || rest->n < row.key_n + row.value_n)
        return error_set(err, ERR_CORRUPT, "a row is cut");
    if (rest->p[0] == 0 || (uint8_t)rest->p[0] >= STATE_IDS_END)
        return error_set(err, ERR_CORRUPT, "a row of no state");
    if (at == reader->row_capacity) {
        reader->row_capacity = at ? 2 * at : 1024;
        reader->rows = realloc(reader->rows, reader->row_capacity * sizeof *reader->rows);
        if (!reader->rows)
            abort();
    }
    reader->rows[at] =
        (struct kv_change){ KV_PUT, slice_of(rest->p, row.key_n), slice_of(rest->p + row.key_n, row.value_n) };
    *rest = slice_after(*rest, row.key_n + row.value_n);
    return OK;
}

static enum status take_rows(struct snapshot_reader *reader, struct slice body, struct error *err)
{
    size_t count = 0;
    enum status s = OK;
    while (body.n && s == OK)
        s = add_row(reader, count++, &body, err);
    return s == OK ? state_kv_load(reader->kv, reader->rows, count, err) : s;
}

static enum status take_body(struct snapshot_reader *reader, const struct snapshot_head *head, struct slice body,
                             struct error *err)
{
    switch ((enum snapshot_kind)head->kind) {
    case SNAPSHOT_BEGIN:
        buf_init(&reader->manifest, body.n + 1);
        buf_add_slice(&reader->manifest, body);
        return OK;
    case SNAPSHOT_FILE:
        return take_file(reader, head->place, body, err);
    case SNAPSHOT_ROWS:
        return take_rows(reader, body, err);
    case SNAPSHOT_END:
        reader->ended = true;
        return head->place == reader->bytes ? OK : error_set(err, ERR_CORRUPT, "it has another size than its end says");
    }
    return error_set(err, ERR_CORRUPT, "a record of kind %u", head->kind);
}

enum status snapshot_reader_take(struct snapshot_reader *reader, struct slice record, struct error *err)
{
    struct snapshot_head head = { 0 };
    if (record.n >= sizeof head)
        memcpy(&head, record.p, sizeof head);
    if (head.state != STATE_SNAPSHOT || head.version != SNAPSHOT_VERSION)
        return error_set(err, ERR_CORRUPT, "a record of a snapshot has version %u, this weir reads version %d",
                         head.version, SNAPSHOT_VERSION);
    if (head.number != reader->number || reader->ended || (head.kind == SNAPSHOT_BEGIN) != (head.number == 0))
        return error_set(err, ERR_CORRUPT, "the snapshot goes on with record %u where %u was due", head.number,
                         reader->number);
    enum status s = take_body(reader, &head, slice_after(record, sizeof head), err);
    reader->number++;
    reader->bytes += record.n;
    return s;
}

enum status snapshot_reader_finish(struct snapshot_reader *reader, uint64_t seed, struct state_point *out,
                                   struct error *err)
{
    struct kv *map;
    enum status s = end_file(reader, err);
    assert(reader->ended);
    if (s == OK)
        s = reader->disk->ops->sync_dir(reader->disk, state_base_path(reader->base), err);
    if (s == OK)
        s = state_kv_map(reader->kv, &map, err); /* without any row, too, it is a new one */
    return s == OK ? state_base_adopt(reader->base, buf_slice(&reader->manifest), seed, out, err) : s;
}
