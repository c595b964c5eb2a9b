/* What is said of a fault: to people, in the message of a dead letter, and in `context.weir_faults` of an event that is
 * stored all the same. A value of a person (pii) is never shown. One thread. */
#pragma once
#include "process/validate/field_check.h"

struct fault_case {
    const struct event_type *type;
    enum fault fault;
    const struct event_field *field; /* NULL: of a rule, or not declared */
    const struct event_rule *rule;   /* NULL: of a field */
    struct slice unknown;            /* the name of a field that is not declared */
    struct value value;              /* of the field */
};

/* The name of the field or the rule at fault. */
struct slice fault_subject(const struct fault_case *fault);
/* "purchase.amount is 20000; allowed is 0.00 to 10000.00 …": which rule, the value, what is allowed, what to do. */
void fault_add_message(const struct fault_case *fault, struct buf *out);
