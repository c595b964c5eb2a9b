/* One value against what its field declares. Pure, total, without memory of its own; any thread.
 *
 * The order within a field is that of the stream's (C-06): schema, nullability, range; the first that fails counts. */
#pragma once
#include "config/event_type.h"

enum fault {
    FAULT_NONE,
    FAULT_BAD_TYPE, /* schema: four of it */
    FAULT_BAD_FORMAT,
    FAULT_NOT_ALLOWED,
    FAULT_UNKNOWN_FIELD,
    FAULT_MISSING_FIELD, /* nullability */
    FAULT_OUT_OF_RANGE,  /* range */
    FAULT_RULE_FAILED,   /* rules */
    FAULT_NO_ROOM,       /* not the event's: its batch was too large */
    FAULTS
};

/* "bad_type" …: stable, in dead letters, tags and metrics. */
const char *fault_name(enum fault fault);

/* Absent and null are REASON_MISSING. */
static inline bool value_is_missing(struct value value)
{
    return value.kind == VALUE_NULL && value.detail == REASON_MISSING;
}

/* out_cents: of money, what is kept in NAME_cents; null where there is none. Untouched for other kinds. */
enum fault field_check(const struct event_field *field, struct value value, struct value *out_cents);
/* Money that came as whole cents, in NAME_cents, without NAME. */
enum fault field_check_cents(const struct event_field *field, struct value cents);
