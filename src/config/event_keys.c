/* What is hidden for good needs a key that lasts, and what several processes must agree on needs one that they share:
 * said before anything starts, not when the first event comes. */
#include "config/domain.h"
#include "config/settings.h"

#define KEY_BYTES_MIN 16

static bool needs_key(const struct event_field *field, bool shared)
{
    return field->pii == EVENT_PII_ENCRYPT ||
           (shared && (field->pii == EVENT_PII_HASH || field->otherwise == EVENT_QUARANTINE));
}

static enum status refuse(const struct event_type *type, struct slice name, const char *what, bool shared,
                          struct error *err)
{
    return error_set(err, ERR_INVALID,
                     "domain %.*s: %.*s.%.*s has `%s`, which needs a key%s: set process.pii_key: ${secret:NAME}",
                     SLICE_ARG(type->domain), SLICE_ARG(type->name), SLICE_ARG(name), what,
                     shared ? " that all processes share" : "");
}

static enum status check_type(const struct event_type *type, bool shared, struct error *err)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct event_field *field = &type->fields[i];
        if (needs_key(field, shared))
            return refuse(type, field->name,
                          field->pii == EVENT_PII_ENCRYPT ? "pii: encrypt"
                          : field->pii == EVENT_PII_HASH  ? "pii: hash"
                                                          : "on_failure: quarantine",
                          shared, err);
    }
    for (size_t i = 0; i < type->rule_count; i++)
        if (shared && type->rules[i].otherwise == EVENT_QUARANTINE)
            return refuse(type, type->rules[i].name, "on_failure: quarantine", shared, err);
    if (shared && type->strict && type->unknown == EVENT_QUARANTINE)
        return refuse(type, SLICE("unknown_fields"), "quarantine", shared, err);
    return OK;
}

enum status event_types_check_key(const struct domain_set *domains, const struct settings *settings, bool shared,
                                  struct error *err)
{
    size_t n = strlen(settings->process_pii_key);
    enum status s = OK;
    if (n >= KEY_BYTES_MIN)
        return OK;
    if (n)
        return error_set(err, ERR_INVALID, "process.pii_key has %zu bytes: give it %d or more, by ${secret:NAME}", n,
                         KEY_BYTES_MIN);
    for (size_t t = 0; t < domains->event_type_count && s == OK; t++)
        s = check_type(&domains->event_types[t], shared, err);
    return s;
}
