#include "app/deployed.h"

#include <stdio.h>

#include "base/json_text.h"
#include "base/log.h"
#include "evolve/evolve.h"

#define BODY_BYTES_MAX 4096

enum status deployed_check(const struct deployed *deployed, const struct domain_set *in_use,
                           const struct domain_set *domains, struct problems *problems, struct error *err)
{
    if (deployed->owner || !in_use)
        return evolve_check(deployed->house->catalog, domains, deployed->house->world, problems, err);
    return in_use ? evolve_check_sets(in_use, "in use here", domains, problems, err) : OK;
}

/* Everything that is sent comes in there, `weir source` and the SDK included. */
static struct evolve_source http_source(const struct deployed *deployed, struct buf *body)
{
    buf_add_text(body, "{");
    if (deployed->ingests) {
        json_add_field(body, "host", slice_from(deployed->settings->ingest_host));
        json_add_field_u64(body, "port", (uint64_t)deployed->settings->ingest_port);
    }
    buf_add_text(body, "}");
    return (struct evolve_source){ SLICE("http"), SLICE("api"), SLICE("events that are sent to weir"),
                                   buf_slice(body) };
}

static struct evolve_source kafka_source(const struct deployed *deployed, struct buf *body)
{
    buf_add_text(body, "{");
    json_add_field(body, "brokers", slice_from(deployed->settings->kafka_brokers));
    json_add_field(body, "prefix", slice_from(deployed->settings->kafka_prefix));
    buf_add_text(body, "}");
    return (struct evolve_source){ SLICE("journal"), SLICE("kafka"), SLICE("the journal's topics"), buf_slice(body) };
}

void deployed_write(const struct deployed *deployed, const struct domain_set *domains)
{
    AUTO(buf) struct buf http, kafka;
    struct error err;
    char actor[64];
    uint64_t changes = 0;
    buf_init(&http, BODY_BYTES_MAX);
    buf_init(&kafka, BODY_BYTES_MAX);
    if (!deployed->owner)
        return;
    snprintf(actor, sizeof actor, "weir %s", deployed->command);
    struct evolve_source sources[2] = { http_source(deployed, &http) };
    if (deployed->kafka)
        sources[1] = kafka_source(deployed, &kafka);
    enum status s =
        evolve_deploy(deployed->house->catalog, domains, sources, deployed->kafka ? 2 : 1, actor, &changes, &err);
    if (s != OK)
        log_error("catalog.not_written", "what is deployed now is not in the catalog, which has an earlier version: %s",
                  err.text);
    else if (changes)
        log_info("catalog.deployed", "changes=%llu event_types=%zu", (unsigned long long)changes,
                 domains->event_type_count);
}
