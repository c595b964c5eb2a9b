/* How each event type is made, worked out once: for each field the way to its value, what that value goes by, and what
 * can be broken. Inside of generate/. Const once made. */
#pragma once
#include "base/arena.h"
#include "config/domain.h"
#include "config/event_type.h"
#include "expr/value.h"
#include "generate/generator.h"
#include "generate/words.h"

enum maker_way {
    MAKE_CHOICE,  /* one of `values` */
    MAKE_WORD,    /* one of a list */
    MAKE_NAMED,   /* "product_17" */
    MAKE_PATTERN, /* the pattern, with something for its stars */
    MAKE_PERSON,
    MAKE_URL,
    MAKE_UUID,
    MAKE_DATE,
    MAKE_IP,
    MAKE_INTEGER,
    MAKE_DECIMAL,
    MAKE_MONEY,
    MAKE_BOOLEAN,
    MAKE_TIME,
};
/* What a value goes by: equal ones give equal values. A thing is what a visitor looks at for a few events. */
enum maker_basis { BY_EVENT, BY_THING, BY_VISIT, BY_VISITOR, BY_FIELD };

#define CHOICE_SLOTS 256 /* a power of two above EVENT_CHOICES_MAX */

struct made {
    struct value value; /* null: the event has no such field. Text and digits are in the make_room or the plan */
    int64_t whole;      /* of money: cents */
    uint64_t identity;  /* of the value: what a field that goes by this one goes by */
};

struct maker {
    const struct event_field *field;
    enum maker_way way;
    const struct expr *as; /* computed of the other fields, but where a rule is to be broken; NULL: drawn */
    enum maker_basis basis;
    uint16_t of;       /* of BY_FIELD */
    uint64_t salt;     /* of the field's name: types that share a field share its values */
    uint64_t present;  /* of 2^32 */
    int64_t low, high; /* inclusive: whole, cents, or in units of 1/scale */
    int64_t scale;     /* of MAKE_DECIMAL: 1, 100, 1e6 */
    uint32_t distinct;
    const struct word_list *words;
    enum person_part part;
    struct slice stem;          /* of MAKE_NAMED */
    const struct made *choices; /* of MAKE_CHOICE: those that are as the field is declared otherwise */
    size_t choice_count;
    const uint8_t *slots; /* which of them, the first the most frequent */
    struct slice key;     /* "name": */
};

struct breaker {
    uint8_t kind;   /* enum break_kind */
    uint16_t index; /* of the field, or of the rule */
};

/* Where a rule finds what it asks for behind the fields. */
struct rule_place {
    enum { PLACE_NOTHING, PLACE_CENTS, PLACE_TYPE, PLACE_TIME, PLACE_VISITOR } kind;
    uint16_t field;
};

struct type_plan {
    const struct event_type *type;
    struct maker *makers; /* one for each field */
    uint16_t *order;      /* a field behind the one that it goes by */
    size_t count;
    struct rule_place *places; /* plan->count - count of them */
    size_t place_count;
    struct breaker *breakers; /* by kind */
    size_t breaker_count;
    struct slice head; /* ,"event_type":"…","event_name":"…" */
    double weight;
};

struct plan {
    const struct domain_set *domains;
    const struct domain *domain;
    struct arena arena;
    struct type_plan *types;
    size_t type_count;
    uint64_t salt_country, salt_locale, salt_device;
    bool people; /* visitors are people, not devices: they have a country and a language */
};

MUST_CHECK enum status plan_make(struct plan *plan, const struct domain_set *domains, struct slice domain,
                                 struct error *err);
void plan_all_money(struct plan *plan); /* no event is without its money fields */
void plan_done(struct plan *plan);
/* Of a field's name. */
uint64_t plan_salt(struct slice name);
