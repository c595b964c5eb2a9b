/* The original of an enriched event is gone by the time that the store refuses it, so the row is written down instead,
 * in the words of /track: whoever mends it can send it again. Chunks point into one buffer that may move while it
 * grows, so they hold offsets until they are asked for. */
#include "store/letter_box.h"

#include "base/json_text.h"

void letter_box_init(struct letter_box *box)
{
    box->count = 0;
    buf_init(&box->bytes, LETTER_BOX_BYTES_MAX);
    buf_init(&box->scratch, LETTER_BYTES_MAX + 65536);
}

void letter_box_done(struct letter_box *box)
{
    buf_done(&box->bytes);
    buf_done(&box->scratch);
    box->count = 0;
}

void letter_box_reset(struct letter_box *box)
{
    box->count = 0;
    buf_reset(&box->bytes);
}

bool letter_box_is_full(const struct letter_box *box)
{
    /* Short fields and the header: at most 6 x 64 KiB. */
    return box->count == LETTER_BOX_MAX || box->bytes.n + LETTER_BYTES_MAX + 500000 > LETTER_BOX_BYTES_MAX;
}

static struct slice cut(struct slice s, size_t most)
{
    return slice_of(s.p, s.n < most ? s.n : most);
}

static bool add(struct letter_box *box, uint16_t partition, struct dead_letter *letter, const char *message)
{
    if (letter_box_is_full(box))
        return false;
    letter->stage = SLICE("store");
    letter->message = cut(slice_from(message), 500);
    letter->original = cut(letter->original, LETTER_BYTES_MAX);
    uint32_t n = (uint32_t)dead_letter_encoded_size(letter);
    char *to = buf_reserve(&box->bytes, sizeof n + n);
    if (!to)
        return false;
    memcpy(to, &n, sizeof n);
    dead_letter_encode(letter, to + sizeof n);
    box->chunks[box->count++] = (struct journal_chunk){
        .topic = TOPIC_DEAD_LETTERS, .partition = partition, .records = 1, .bytes = { NULL, sizeof n + n }
    };
    box->bytes.n += sizeof n + n;
    return true;
}

bool letter_box_add_record(struct letter_box *box, uint16_t partition, struct slice record, const char *message)
{
    struct dead_letter letter = { .reason = SLICE("unreadable_record"), .original = record };
    return add(box, partition, &letter, message);
}

static void add_value(struct buf *json, const struct native_column *column, struct slice value)
{
    uint64_t number = 0;
    bool object = strcmp(column->name, "properties") == 0 || strcmp(column->name, "context") == 0;
    switch (column->type) {
    case NATIVE_STRING:
        if (object && value.n)
            buf_add_slice(json, value);
        else
            json_add_string(json, value);
        return;
    case NATIVE_BOOL:
        buf_add_text(json, value.p[0] ? "true" : "false");
        return;
    case NATIVE_DATETIME_MS:
    case NATIVE_INT64:
    case NATIVE_UINT16:
    case NATIVE_UINT64:
        memcpy(&number, value.p, value.n);
        if (column->type == NATIVE_UINT16 || column->type == NATIVE_UINT64 || (int64_t)number >= 0) {
            buf_add_u64(json, number);
        } else {
            buf_add_char(json, '-');
            buf_add_u64(json, 0 - number);
        }
        return;
    }
}

static struct slice value_named(const struct native_block *block, const char *name, uint32_t row)
{
    for (size_t i = 0; i < block->column_count; i++)
        if (strcmp(block->columns[i].name, name) == 0)
            return native_value(block, i, row);
    return SLICE("");
}

bool letter_box_add_row(struct letter_box *box, const struct native_block *block, uint32_t row, const char *message)
{
    struct buf *json = &box->scratch;
    uint16_t partition = 0;
    struct dead_letter letter = { .reason = SLICE("refused_by_store"),
                                  .customer_id = cut(value_named(block, "customer_id", row), UINT16_MAX),
                                  .event_id = cut(value_named(block, "event_id", row), UINT16_MAX) };
    struct slice received = value_named(block, "received_at", row);
    struct slice source = value_named(block, "journal_partition", row);
    if (received.n == sizeof letter.received_ms)
        memcpy(&letter.received_ms, received.p, received.n);
    if (source.n == sizeof partition)
        memcpy(&partition, source.p, source.n);
    buf_reset(json);
    for (size_t i = 0; i < block->column_count; i++) {
        buf_add_char(json, i ? ',' : '{');
        json_add_string(json, slice_from(block->columns[i].name));
        buf_add_char(json, ':');
        add_value(json, &block->columns[i], native_value(block, i, row));
    }
    buf_add_char(json, '}');
    letter.original = buf_slice(json);
    return add(box, partition, &letter, message);
}

const struct journal_chunk *letter_box_chunks(struct letter_box *box)
{
    size_t at = 0;
    for (size_t i = 0; i < box->count; at += box->chunks[i++].bytes.n)
        box->chunks[i].bytes.p = box->bytes.p + at;
    return box->chunks;
}
