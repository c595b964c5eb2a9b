/* Functions on times: Unix milliseconds, as timestamp and received_at are, or a text that base/timestamp.h reads. UTC.
 */
#include "base/timestamp.h"
#include "expr/functions.h"

static bool time_of(struct value v, int64_t *out_ms)
{
    if (v.kind == VALUE_TEXT)
        return timestamp_parse(value_slice(v), out_ms);
    *out_ms = v.i;
    return v.i >= TIMESTAMP_MIN_MS && v.i <= TIMESTAMP_MAX_MS;
}

FUNCTION(hour)
{
    (void)count;
    (void)arena;
    int64_t ms;
    if (!time_of(a[0], &ms))
        return value_null(REASON_UNREADABLE);
    int64_t in_day = ms % 86400000;
    return value_int((in_day + (in_day < 0) * 86400000) / 3600000);
}

FUNCTION(day)
{
    (void)count;
    int64_t ms;
    if (!time_of(a[0], &ms))
        return value_null(REASON_UNREADABLE);
    char text[TIMESTAMP_TEXT_BYTES];
    timestamp_format(ms, text);
    struct slice day = arena_copy(arena, slice_of(text, 10));
    return day.p ? value_text(day) : value_null(REASON_TOO_LONG);
}
