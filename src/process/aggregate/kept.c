#include "process/aggregate/kept.h"

#include <math.h>

#include "base/utf8.h"
#include "process/aggregate/heap.h"
#include "process/aggregate/sums.h"

static int order(bool less, bool greater)
{
    return greater - less;
}

/* Exactly, where converting the integer would round it. */
static int compare_mixed(int64_t integer, double number)
{
    if (number >= TWO_TO_63)
        return -1;
    if (number < -TWO_TO_63)
        return 1;
    int64_t whole = (int64_t)number;
    if (integer != whole)
        return order(integer<whole, integer> whole);
    double rest = number - (double)whole;
    return rest < 0 ? 1 : -1;
}

static int compare_texts(struct slice a, struct slice b)
{
    size_t common = a.n < b.n ? a.n : b.n;
    int first = common ? memcmp(a.p, b.p, common) : 0;
    return first ? first : order(a.n<b.n, a.n> b.n);
}

int kept_compare(const struct aggregate_value *a, const struct aggregate_value *b)
{
    assert(a->kind != AGGREGATE_NULL && b->kind != AGGREGATE_NULL);
    if (a->kind == AGGREGATE_TEXT || b->kind == AGGREGATE_TEXT) {
        if (a->kind != b->kind)
            return a->kind == AGGREGATE_TEXT ? 1 : -1;
        return compare_texts(a->text, b->text);
    }
    if (a->kind != b->kind)
        return a->kind == AGGREGATE_INT ? compare_mixed(a->integer, b->number) : -compare_mixed(b->integer, a->number);
    if (a->kind == AGGREGATE_INT)
        return order(a->integer<b->integer, a->integer> b->integer);
    return order(a->number<b->number, a->number> b->number);
}

static struct slice cut(struct slice text)
{
    if (text.n <= AGGREGATE_TEXT_MAX)
        return text;
    size_t n = AGGREGATE_TEXT_MAX;
    while (n > AGGREGATE_TEXT_MAX - 4 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--; /* the byte behind the cut may not be the inside of a character */
    return slice_of(text.p, n);
}

const struct aggregate_value *kept_normal_rare(const struct aggregate_value *value, struct aggregate_value *scratch)
{
    *scratch = *value;
    if (value->kind == AGGREGATE_TEXT) {
        if (value->text.n <= AGGREGATE_TEXT_MAX)
            return value;
        scratch->text = cut(value->text);
    }
    if (value->kind == AGGREGATE_NUMBER) {
        if (!isfinite(value->number))
            return NULL;
        scratch->number = value->number + 0.0; /* -0 + 0 is 0 */
    }
    return scratch;
}

char *kept_encode(const struct aggregate_value *value, char *to)
{
    *to++ = (char)value->kind;
    switch (value->kind) {
    case AGGREGATE_NULL:
        return to;
    case AGGREGATE_INT:
        return wire_put_i64(to, value->integer);
    case AGGREGATE_NUMBER:
        return wire_put(to, &value->number, sizeof value->number);
    case AGGREGATE_TEXT:
        *to++ = (char)value->text.n;
        return wire_put(to, value->text.p, value->text.n);
    }
    return to;
}

struct aggregate_value kept_decode(struct wire *wire)
{
    struct aggregate_value value = { .kind = wire_get_u8(wire) };
    if (value.kind == AGGREGATE_INT) {
        value.integer = wire_get_i64(wire);
    } else if (value.kind == AGGREGATE_NUMBER) {
        value.number = wire_get_double(wire);
        if (!isfinite(value.number) || (value.number == 0 && signbit(value.number)))
            wire->bad = true;
    } else if (value.kind == AGGREGATE_TEXT) {
        size_t n = wire_get_u8(wire);
        value.text = slice_of(wire_get(wire, n), n);
    } else if (value.kind != AGGREGATE_NULL) {
        wire->bad = true;
    }
    if (wire->bad)
        value.kind = AGGREGATE_NULL;
    return value;
}

static struct aggregate_value extreme_value(const struct extreme_slot *slot)
{
    struct aggregate_value value = { .kind = slot->kind };
    if (slot->kind == AGGREGATE_INT)
        value.integer = slot->integer;
    else
        value.number = slot->number;
    return value;
}

static void extreme_keep(struct extreme_slot *slot, const struct aggregate_value *value, int direction)
{
    if (slot->kind != AGGREGATE_NULL) {
        struct aggregate_value kept = extreme_value(slot);
        if (kept_compare(value, &kept) * direction <= 0)
            return;
    }
    slot->kind = (uint8_t)value->kind;
    if (value->kind == AGGREGATE_INT)
        slot->integer = value->integer;
    else
        slot->number = value->number;
}

void extreme_add(struct extreme_slot *slot, const struct aggregate_value *value, int direction)
{
    struct aggregate_value scratch;
    if (LIKELY(value->kind == AGGREGATE_INT && slot->kind == AGGREGATE_INT)) {
        if (direction < 0 ? value->integer < slot->integer : value->integer > slot->integer)
            slot->integer = value->integer;
        return;
    }
    if (value->kind == AGGREGATE_NULL)
        return;
    const struct aggregate_value *normal = value->kind == AGGREGATE_TEXT ? NULL : kept_normal(value, &scratch);
    if (!normal)
        skipped_add(&slot->skipped, 1);
    else
        extreme_keep(slot, normal, direction);
}

void extreme_merge(struct extreme_slot *into, const struct extreme_slot *from, int direction)
{
    skipped_add(&into->skipped, from->skipped);
    if (from->kind == AGGREGATE_NULL)
        return;
    struct aggregate_value value = extreme_value(from);
    extreme_keep(into, &value, direction);
}

void extreme_result(const struct extreme_slot *slot, struct aggregate_result *out)
{
    out->skipped = slot->skipped;
    out->value = extreme_value(slot);
}

char *extreme_encode(const struct extreme_slot *slot, char *to)
{
    struct aggregate_value value = extreme_value(slot);
    return kept_encode(&value, wire_put_u64(to, slot->skipped));
}

void extreme_decode(struct extreme_slot *slot, struct wire *wire)
{
    *slot = (struct extreme_slot){ .skipped = (uint32_t)wire_get_bits(wire, 32) };
    struct aggregate_value value = kept_decode(wire);
    if (value.kind == AGGREGATE_TEXT)
        wire->bad = true;
    if (wire->bad)
        *slot = (struct extreme_slot){ 0 };
    else if (value.kind != AGGREGATE_NULL)
        extreme_keep(slot, &value, 1);
}

static struct aggregate_value moment_value(const struct moment_slot *slot)
{
    struct aggregate_value value = { .kind = slot->kind };
    if (slot->kind == AGGREGATE_TEXT)
        value.text = slice_of(slot->text, slot->length);
    else if (slot->kind == AGGREGATE_INT)
        value.integer = slot->integer;
    else
        value.number = slot->number;
    return value;
}

static void moment_put(struct moment_slot *slot, const struct aggregate_value *value)
{
    if (value->kind == AGGREGATE_TEXT) {
        if (slot->kind != AGGREGATE_TEXT)
            slot->text = NULL, slot->room = 0;
        if (!slot->text || slot->room < value->text.n) {
            slot->room = (uint16_t)((value->text.n + 16) & ~(size_t)15);
            slot->text = heap_resize(slot->text, slot->room);
        }
        if (value->text.n)
            memcpy(slot->text, value->text.p, value->text.n);
        slot->length = (uint8_t)value->text.n;
    } else {
        if (slot->kind == AGGREGATE_TEXT)
            free(slot->text);
        slot->room = 0;
        if (value->kind == AGGREGATE_INT)
            slot->integer = value->integer;
        else
            slot->number = value->number;
    }
    slot->kind = (uint8_t)value->kind;
}

/* By time, then by the tie-breaker, then by the value: no two different entries are equal, so no order of arrival can
 * decide. */
static void moment_keep(struct moment_slot *slot, const struct aggregate_value *value, int64_t time_ms,
                        uint64_t tie_breaker, int direction)
{
    if (slot->kind != AGGREGATE_NULL) {
        int later = order(time_ms<slot->time_ms, time_ms> slot->time_ms);
        if (later == 0)
            later = order(tie_breaker<slot->tie_breaker, tie_breaker> slot->tie_breaker);
        if (later == 0) {
            struct aggregate_value kept = moment_value(slot);
            later = kept_compare(value, &kept);
        }
        if ((later > 0 ? 1 : later < 0 ? -1 : 0) != direction)
            return;
    }
    moment_put(slot, value);
    slot->time_ms = time_ms;
    slot->tie_breaker = tie_breaker;
}

void moment_add(struct moment_slot *slot, const struct aggregate_value *value, int64_t time_ms, uint64_t tie_breaker,
                int direction)
{
    struct aggregate_value scratch;
    if (value->kind == AGGREGATE_NULL)
        return;
    const struct aggregate_value *normal = kept_normal(value, &scratch);
    if (!normal)
        skipped_add(&slot->skipped, 1);
    else
        moment_keep(slot, normal, time_ms, tie_breaker, direction);
}

void moment_merge(struct moment_slot *into, const struct moment_slot *from, int direction)
{
    skipped_add(&into->skipped, from->skipped);
    if (from->kind == AGGREGATE_NULL)
        return;
    struct aggregate_value value = moment_value(from);
    moment_keep(into, &value, from->time_ms, from->tie_breaker, direction);
}

void moment_release(struct moment_slot *slot)
{
    if (slot->kind == AGGREGATE_TEXT)
        free(slot->text);
    *slot = (struct moment_slot){ 0 };
}

size_t moment_bytes(const struct moment_slot *slot)
{
    return slot->kind == AGGREGATE_TEXT ? slot->room : 0;
}

void moment_result(const struct moment_slot *slot, struct aggregate_result *out)
{
    out->skipped = slot->skipped;
    out->value = moment_value(slot);
}

char *moment_encode(const struct moment_slot *slot, char *to)
{
    struct aggregate_value value = moment_value(slot);
    to = kept_encode(&value, wire_put_u64(to, slot->skipped));
    if (slot->kind == AGGREGATE_NULL)
        return to;
    to = wire_put_i64(to, slot->time_ms);
    return wire_put(to, &slot->tie_breaker, sizeof slot->tie_breaker);
}

void moment_decode(struct moment_slot *slot, struct wire *wire)
{
    uint64_t tie_breaker = 0;
    int64_t time_ms = 0;
    *slot = (struct moment_slot){ .skipped = (uint32_t)wire_get_bits(wire, 32) };
    struct aggregate_value value = kept_decode(wire);
    if (value.kind != AGGREGATE_NULL) {
        time_ms = wire_get_i64(wire);
        const char *p = wire_get(wire, sizeof tie_breaker);
        if (p)
            memcpy(&tie_breaker, p, sizeof tie_breaker);
    }
    if (wire->bad)
        *slot = (struct moment_slot){ 0 };
    else if (value.kind != AGGREGATE_NULL)
        moment_keep(slot, &value, time_ms, tie_breaker, 1);
}
