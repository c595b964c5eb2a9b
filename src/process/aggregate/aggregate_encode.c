/* A row as bytes: for the changelog and the state's base.
 *
 *   0  1   version, 1
 *   1  1   measures
 *   2      of each measure its kind (1 byte, enum aggregate_kind) and, unless it shares an earlier one's part:
 *     COUNT              count
 *     SUM, MEAN          count · skipped · if count > 0: 1 byte, 1 when there were numbers · sum of integers (signed,
 * of 128 bits) · if there were numbers: their sum, high and low double MIN, MAX           skipped · value VARIANCE
 * count · skipped · if count > 0: sum and sum of squares, each as high and low double DISTINCT           skipped · 1
 * byte: 0 empty 1 marks: how many · the marks ascending, each as the difference to the last 2 registers: 12,288 bytes,
 * 16,384 of 6 bits, the lowest bits first QUANTILE           skipped · count · if count > 0: smallest and largest,
 * doubles · zeros · bins of the positive numbers, then of the negative: how many are not empty · each: difference to
 * the last index (the first: to -51,101) · count TOP                skipped · how many entries · error · each entry:
 * count · value; by count, then by value FIRST, LAST        skipped · value · unless NULL: time in ms (signed) ·
 * tie-breaker, 8 bytes value: 1 byte kind (enum aggregate_value_kind) · INT: signed · NUMBER: double · TEXT: 1 byte
 * length, then the bytes
 *
 * Whole numbers are LEB128 in their shortest form, signed ones zigzag; doubles 8 bytes; all little-endian. Bytes are
 * valid when every measure is of the layout's kind, every value is one that the accumulators can hold, and nothing is
 * left over. The state that keeps the bytes has their checksum. */
#include "process/aggregate/aggregate.h"
#include "process/aggregate/aggregate_inside.h"

#define VERSION 1
#define HEAD_BYTES 2

static size_t encoded_max(const struct aggregate_slot *slot, const void *at)
{
    const struct sketch_slot *sketch = at;
    switch ((enum aggregate_kind)slot->kind) {
    case AGGREGATE_COUNT:
        return WIRE_U64_MAX;
    case AGGREGATE_SUM:
    case AGGREGATE_MEAN:
        return SUM_ENCODED_MAX;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return EXTREME_ENCODED_MAX;
    case AGGREGATE_VARIANCE:
        return VARIANCE_ENCODED_MAX;
    case AGGREGATE_DISTINCT:
        return 5 + distinct_encoded_max(sketch->distinct);
    case AGGREGATE_QUANTILE:
        return 5 + quantile_encoded_max(sketch->quantile);
    case AGGREGATE_TOP:
        return 5 + top_encoded_max(sketch->top);
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
        return MOMENT_ENCODED_MAX;
    }
    return 0;
}

static char *encode_one(const struct aggregate_slot *slot, const void *at, char *to)
{
    const struct sketch_slot *sketch = at;
    *to++ = (char)slot->kind;
    if (slot->shared)
        return to;
    switch ((enum aggregate_kind)slot->kind) {
    case AGGREGATE_COUNT:
        return wire_put_u64(to, *(const uint64_t *)at);
    case AGGREGATE_SUM:
    case AGGREGATE_MEAN:
        return sum_encode(at, to);
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return extreme_encode(at, to);
    case AGGREGATE_VARIANCE:
        return variance_encode(at, to);
    case AGGREGATE_DISTINCT:
        return distinct_encode(sketch->distinct, wire_put_u64(to, sketch->skipped));
    case AGGREGATE_QUANTILE:
        return quantile_encode(sketch->quantile, wire_put_u64(to, sketch->skipped));
    case AGGREGATE_TOP:
        return top_encode(sketch->top, wire_put_u64(to, sketch->skipped));
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
        return moment_encode(at, to);
    }
    return to;
}

void aggregate_encode(const struct aggregate_layout *layout, const void *row, struct buf *buf)
{
    size_t most = HEAD_BYTES;
    for (uint32_t i = 0; i < layout->measures; i++)
        most += 1 + encoded_max(&layout->slots[i], (const char *)row + layout->slots[i].offset);
    char *start = buf_reserve(buf, most), *to = start;
    if (!start)
        return;
    *to++ = VERSION;
    *to++ = (char)layout->measures;
    for (uint32_t i = 0; i < layout->measures; i++)
        to = encode_one(&layout->slots[i], (const char *)row + layout->slots[i].offset, to);
    assert((size_t)(to - start) <= most);
    buf->n += (size_t)(to - start);
}

static void decode_one(const struct aggregate_slot *slot, void *at, struct wire *wire)
{
    struct sketch_slot *sketch = at;
    if (slot->shared)
        return;
    switch ((enum aggregate_kind)slot->kind) {
    case AGGREGATE_COUNT:
        *(uint64_t *)at = wire_get_u64(wire);
        return;
    case AGGREGATE_SUM:
    case AGGREGATE_MEAN:
        sum_decode(at, wire);
        return;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        extreme_decode(at, wire);
        return;
    case AGGREGATE_VARIANCE:
        variance_decode(at, wire);
        return;
    case AGGREGATE_DISTINCT:
        sketch->skipped = (uint32_t)wire_get_bits(wire, 32);
        sketch->distinct = distinct_decode(wire);
        return;
    case AGGREGATE_QUANTILE:
        sketch->skipped = (uint32_t)wire_get_bits(wire, 32);
        sketch->quantile = quantile_decode(wire);
        return;
    case AGGREGATE_TOP:
        sketch->skipped = (uint32_t)wire_get_bits(wire, 32);
        sketch->top = top_decode(wire, slot->capacity);
        return;
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
        moment_decode(at, wire);
        return;
    }
}

enum status aggregate_decode(const struct aggregate_layout *layout, struct slice bytes, void *row, struct error *err)
{
    struct wire wire = wire_from(bytes);
    aggregate_init(layout, row);
    uint8_t version = wire_get_u8(&wire), measures = wire_get_u8(&wire);
    if (wire.bad || version != VERSION)
        return error_set(err, ERR_CORRUPT, "window row of %zu bytes has version %u, this weir reads version %d",
                         bytes.n, version, VERSION);
    if (measures != layout->measures)
        return error_set(err, ERR_CORRUPT, "window row has %u measures, its definition has %u", measures,
                         layout->measures);
    for (uint32_t i = 0; i < layout->measures; i++) {
        const struct aggregate_slot *slot = &layout->slots[i];
        uint8_t kind = wire_get_u8(&wire);
        if (kind == slot->kind)
            decode_one(slot, (char *)row + slot->offset, &wire);
        if (kind == slot->kind && !wire.bad)
            continue;
        aggregate_release(layout, row);
        return error_set(err, ERR_CORRUPT, "window row of %zu bytes, measure %u: kind %u expected, found %u%s", bytes.n,
                         i, slot->kind, kind, wire.bad ? " with a content that cannot be" : "");
    }
    if (wire_left(&wire) == 0)
        return OK;
    aggregate_release(layout, row);
    return error_set(err, ERR_CORRUPT, "window row of %zu bytes has %zu too many", bytes.n, wire_left(&wire));
}
