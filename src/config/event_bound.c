#include "config/event_type.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/json_text.h"
#include "base/timestamp.h"

/* Cents as the decimal that they are: 1999 is 19.99. */
static void add_amount(struct buf *out, int64_t cents)
{
    const uint64_t size = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    buf_add_format(out, "%s%" PRIu64, cents < 0 ? "-" : "", size / 100);
    if (size % 100)
        buf_add_format(out, ".%02u", (unsigned)(size % 100));
}

void event_bound_add(struct buf *out, const struct event_field *field, const struct event_bound *bound)
{
    char time[TIMESTAMP_TEXT_BYTES];
    if (!bound->is_set)
        return;
    switch (field->kind) {
    case EVENT_FLOAT:
        json_add_number(out, bound->number);
        return;
    case EVENT_MONEY:
        add_amount(out, bound->whole);
        return;
    case EVENT_TIMESTAMP:
        timestamp_format(bound->whole, time);
        buf_add(out, time, sizeof time);
        return;
    case EVENT_TEXT:
    case EVENT_INTEGER:
    case EVENT_BOOLEAN:
    case EVENT_KINDS:
        break;
    }
    buf_add_format(out, "%" PRId64, bound->whole);
}
