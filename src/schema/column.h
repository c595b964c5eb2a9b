/* An event type as columns: what an event of it holds once it was validated and is kept. Avro, the engine's views, the
 * comparison of two versions and the reference for people are made of these; what an event looks like when it is sent
 * is said by its fields (config/event_type.h).
 *
 * The columns of every event come first, then those of the fields in their order. Money is its cents, what is hashed or
 * encrypted is text, what is dropped is not there. Names are unique: the reader of domains sees to it. Plain data, with
 * views into the event type, which must stay. */
#pragma once
#include "config/event_type.h"

enum column_type { COLUMN_TEXT, COLUMN_INTEGER, COLUMN_FLOAT, COLUMN_BOOLEAN, COLUMN_TIME, COLUMN_TYPES };

#define COLUMN_NAME_MAX (EVENT_IDENTIFIER_MAX + sizeof "_cents")
#define COLUMNS_OF_EVERY_EVENT 8
#define COLUMNS_MAX (COLUMNS_OF_EVERY_EVENT + EVENT_FIELDS_MAX)

struct column {
    char name[COLUMN_NAME_MAX]; /* of a field: in properties, too */
    enum column_type type;
    const struct event_field *field; /* NULL: a column of every event */
    const char *about;               /* of a column of every event */
    bool is_never_null;              /* no event without it is kept */
    bool is_of_tables;               /* not in records that leave: it follows from the rest, or from the way here */
    char default_digits[24];         /* where the default is kept as another number than it was written */
};

struct columns {
    struct column items[COLUMNS_MAX];
    size_t count;
};

void columns_of(const struct event_type *type, struct columns *out);
/* What the field gets where it is missing, as JSON of the column's type; empty: nothing. */
struct slice column_default(const struct column *column);
/* Cents. */
bool column_is_money(const struct column *column);
