/* Resolution of two records as Avro's specification has it: fields are matched by name; one that only the reader has
 * needs a default there; one that both have must have a type that resolves, each branch of the writer's union included.
 * Of the types that columns have, long is promoted to double and nothing else to anything. */
#include "schema/compare_inside.h"

#include "schema/avro.h"

static const struct column *find(const struct columns *columns, const char *name)
{
    for (size_t i = 0; i < columns->count; i++)
        if (!columns->items[i].is_of_tables && strcmp(columns->items[i].name, name) == 0)
            return &columns->items[i];
    return NULL;
}

static bool is_long(enum column_type type)
{
    return type == COLUMN_INTEGER || type == COLUMN_TIME;
}

static const char *type_name(enum column_type type)
{
    static const char *const NAMES[COLUMN_TYPES] = { [COLUMN_TEXT] = "string",
                                                     [COLUMN_INTEGER] = "long",
                                                     [COLUMN_FLOAT] = "double",
                                                     [COLUMN_BOOLEAN] = "boolean",
                                                     [COLUMN_TIME] = "long" };
    return NAMES[type];
}

/* Why the reader cannot read what the writer wrote of this column; "" when it can. backward: the writer is the old
 * one. *out_fix: what one does instead. */
static void judge(const struct column *writer, const struct column *reader, bool backward, char *reason, size_t size,
                  const char **out_fix)
{
    const char *whose = backward ? "old" : "new";
    reason[0] = '\0';
    if (!writer) {
        if (!avro_default(reader).n)
            snprintf(reason, size, "%s records do not have it, and it has no default", whose);
        *out_fix = backward ? "leave `required` out" : "keep the field";
        return;
    }
    *out_fix = "keep its type and declare another field beside it";
    bool resolves = writer->type == reader->type || (is_long(writer->type) && is_long(reader->type)) ||
                    (is_long(writer->type) && reader->type == COLUMN_FLOAT);
    if (!resolves)
        snprintf(reason, size, "the %s of %s records is not read as %s", type_name(writer->type), whose,
                 type_name(reader->type));
    else if (avro_is_union(writer) && !avro_is_union(reader)) {
        snprintf(reason, size, "%s records may have null there", whose);
        *out_fix = backward ? "leave `required` out" : "keep it required";
    }
}

static bool reads(const struct columns *writers, const struct columns *readers, enum compare_direction direction,
                  const struct compare_visitor *visitor)
{
    bool all = true;
    char reason[128];
    const char *fix = "";
    for (size_t i = 0; i < readers->count; i++) {
        const struct column *reader = &readers->items[i];
        if (reader->is_of_tables)
            continue;
        judge(find(writers, reader->name), reader, direction == COMPARE_BACKWARD, reason, sizeof reason, &fix);
        if (!reason[0])
            continue;
        all = false;
        visitor->breaks(visitor->self, &(struct compare_break){ direction, reader->name, reason, fix });
    }
    return all;
}

unsigned compare_records(const struct event_type *before, const struct event_type *now,
                         const struct compare_visitor *visitor)
{
    struct columns olds, news;
    columns_of(before, &olds);
    columns_of(now, &news);
    unsigned directions = reads(&olds, &news, COMPARE_BACKWARD, visitor) ? COMPARE_BACKWARD : COMPARE_NONE;
    return directions | (reads(&news, &olds, COMPARE_FORWARD, visitor) ? COMPARE_FORWARD : COMPARE_NONE);
}
