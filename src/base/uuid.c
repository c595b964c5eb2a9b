/* Monotonic as in RFC 9562, 6.2, method 2: the 74 random bits are drawn afresh in each millisecond with the highest one
 * clear, and grow by a random step of up to 2^32 for each further id, so that ids stay hard to guess. A clock that
 * steps back by up to STEP_BACK_MAX_MS is ignored; beyond that it was wrong before, and is followed. */
#include "base/uuid.h"

#include "base/encode.h"
#include "world/world.h"

#define STEP_BACK_MAX_MS 10000
#define HIGH_BITS 0xfffu
#define LOW_BITS 0x3fffffffffffffffu

void uuid_source_init(struct uuid_source *source, struct world *world)
{
    *source = (struct uuid_source){ .world = world, .ms = INT64_MIN };
}

static void draw(struct uuid_source *source, void *to, size_t n)
{
    assert(n <= sizeof source->random);
    if (source->random_left < n) {
        source->world->random(source->world, source->random, sizeof source->random);
        source->random_left = sizeof source->random;
    }
    source->random_left -= n;
    memcpy(to, source->random + source->random_left, n);
}

static void begin_millisecond(struct uuid_source *source, int64_t ms)
{
    uint64_t bits[2];
    draw(source, bits, sizeof bits);
    source->ms = ms;
    source->high = bits[0] & (HIGH_BITS >> 1);
    source->low = bits[1] & LOW_BITS;
}

void uuid_v7(struct uuid_source *source, int64_t now_ms, uint8_t out[UUID_BYTES])
{
    now_ms = now_ms < 0 ? 0 : now_ms;
    if (now_ms > source->ms || now_ms < source->ms - STEP_BACK_MAX_MS) {
        begin_millisecond(source, now_ms);
    } else {
        uint32_t step;
        draw(source, &step, sizeof step);
        source->low += (uint64_t)step + 1;
        source->high += source->low >> 62;
        source->low &= LOW_BITS;
        if (source->high > HIGH_BITS)
            begin_millisecond(source, source->ms + 1);
    }
    uint64_t first = (uint64_t)source->ms << 16 | 0x7000 | source->high, second = 0x8000000000000000u | source->low;
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(first >> (56 - 8 * i));
        out[8 + i] = (uint8_t)(second >> (56 - 8 * i));
    }
}

void uuid_format(const uint8_t uuid[UUID_BYTES], char to[UUID_TEXT_BYTES])
{
    static const uint8_t GROUPS[] = { 4, 2, 2, 2, 6 };
    for (size_t group = 0, at = 0; group < COUNT_OF(GROUPS); at += GROUPS[group++]) {
        hex_encode(slice_of(uuid + at, GROUPS[group]), to);
        to += 2 * GROUPS[group];
        if (group < COUNT_OF(GROUPS) - 1)
            *to++ = '-';
    }
}

bool uuid_parse(struct slice text, uint8_t out[UUID_BYTES])
{
    char digits[2 * UUID_BYTES];
    if (text.n != UUID_TEXT_BYTES || text.p[8] != '-' || text.p[13] != '-' || text.p[18] != '-' || text.p[23] != '-')
        return false;
    memcpy(digits, text.p, 8);
    memcpy(digits + 8, text.p + 9, 4);
    memcpy(digits + 12, text.p + 14, 4);
    memcpy(digits + 16, text.p + 19, 4);
    memcpy(digits + 20, text.p + 24, 12);
    return hex_decode(slice_of(digits, sizeof digits), out);
}
