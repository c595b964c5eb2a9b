/* The values of one event. Inside of generate/. A value is a function of what it goes by (visitor, visit, event,
 * another field) and of its field's name alone, so that a new field leaves the others as they are. */
#pragma once
#include "generate/plan.h"

struct occasion {
    const struct type_plan *plan;
    uint64_t event, thing, visit, visitor; /* numbers: hashes of the seed and of who or which it is */
    int64_t at_ms;
    struct slice visitor_id;
    bool draws_all; /* also what is computed of other fields: to break a rule */
};

/* Where the values' text is, until the next event. */
#define MADE_TEXT_MAX 4096 /* bytes of one value */
struct make_room {
    struct buf text;
    struct arena arena; /* for rules */
    struct value fields[FIELD_PATHS_MAX];
};
void make_room_init(struct make_room *room);
void make_room_done(struct make_room *room);

/* All fields: values that are as declared and meet the rules. False: no values were found that do; these break a rule.
 */
MUST_CHECK bool make_fields(const struct occasion *occasion, struct make_room *room, struct made *out_all);
/* Values that break this rule and are fine otherwise. False: none were found. */
MUST_CHECK bool make_fields_breaking(const struct occasion *occasion, size_t rule, struct make_room *room,
                                     struct made *out_all);
/* Whether the value is within the field's bounds, values and pattern; of formats nothing is asked. */
MUST_CHECK bool make_is_declared(const struct event_field *field, const struct made *made);
