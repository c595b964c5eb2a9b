/* Between two writes nothing of the target is under way. Then it is opened anew with the new schemas: it registers them
 * in RESUME, before anything is written by them, and takes its place up where the one before it stood. A batch that was
 * gathered is read again. So a registry that is away, or does not take a schema, is a target that is away.
 *
 * Whoever changes the event types says so here first: what is validated by the new ones is read by a later step than
 * that, and never written by the old schemas. */
#include "deliver/deliver_inside.h"

void delivery_use_schemas(struct delivery *delivery, const struct target_schemas *schemas)
{
    const char *registry = delivery->options.target.avro.registry;
    if (!registry || !registry[0])
        return;
    atomic_store(&delivery->schemas, schemas);
    bell_ring(delivery->bell);
}

bool delivery_has_newest_schemas(const struct delivery *delivery)
{
    return !atomic_load(&delivery->schemas);
}

static enum status open_anew(struct delivery *delivery, const struct target_schemas *schemas, struct error *err)
{
    struct target *target = NULL;
    struct target_schemas *used = &delivery->options.target.avro.schemas;
    const struct target_schemas before = *used;
    *used = *schemas;
    enum status s = delivery_make_target(delivery, &target, err);
    if (s != OK) {
        *used = before;
        return s;
    }
    target_close(delivery->target);
    delivery->target = target;
    return OK;
}

bool delivery_change_schemas(struct delivery *delivery, int64_t *wake_us)
{
    struct error err;
    const struct target_schemas *schemas = atomic_load(&delivery->schemas);
    const enum phase phase = delivery->phase;
    if (!schemas || (phase != RESUME && phase != GATHER && phase != WRITE))
        return true;
    if (open_anew(delivery, schemas, &err) != OK)
        return delivery_wait_after(delivery, &err, wake_us);
    delivery->phase = RESUME;
    log_info("sink.schemas_changed", "sink=%s event_types=%zu", delivery->options.sink, schemas->count);
    (void)atomic_compare_exchange_strong(&delivery->schemas, &schemas, NULL); /* unless newer ones have come */
    return true;
}
