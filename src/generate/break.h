/* Breaking an event on purpose, each time in one way that its type declares to be wrong. Inside of generate/. */
#pragma once
#include "generate/make.h"

/* All that can be broken in events of the type, ordered by kind; as many as are returned, out may be NULL. */
size_t break_places(const struct type_plan *plan, struct breaker *out);

struct broken {
    struct breaker breaker;
    struct slice field; /* or the rule's name */
    enum event_otherwise otherwise;
    bool is_null;    /* BREAK_REQUIRED: the field is there, as null */
    bool is_unknown; /* `field` is there, and nobody declared it */
};
/* Changes values that are fine. False: nothing in this type can be broken. number: chance. */
MUST_CHECK bool break_event(const struct occasion *occasion, uint64_t number, struct make_room *room,
                            struct made *io_all, struct broken *out);
