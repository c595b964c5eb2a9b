/* GET /v1/dashboards: what the dashboard draws of each domain, for the tenant whose key it is. What is in it is said by
 * the domains (schema/dashboard.c); no number is. GET /v1/quality: what data_quality is held against. */
#include "serve/inside.h"

#define BODY_BYTES_MAX (16u << 20)

/* The answer to readers: what the hook adds; `without` where there is none. */
static void answer_by(struct serve *serve, struct http_exchange *exchange,
                      void (*hook)(void *self, const char *tenant_id, struct buf *out), struct buf *body,
                      const char *without, const char *end)
{
    const struct tenant *tenant = access_reader(serve, exchange, false);
    if (!tenant)
        return;
    if (hook)
        hook(serve->options.hook_self, tenant->id, body);
    else
        buf_add_text(body, without);
    buf_add_text(body, end);
    if (body->full)
        answer_error(serve, exchange, 500, "too_large", "what all domains declare of this is larger than 16 MiB",
                     &ANSWER_CORS);
    else
        answer_body(serve, exchange, 200, buf_slice(body), &ANSWER_CORS);
}

void dashboards_list(struct serve *serve, struct http_exchange *exchange)
{
    AUTO(buf) struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    buf_add_text(&body, "{\"dashboards\":");
    answer_by(serve, exchange, serve->options.dashboards, &body, "[]", "}");
}

void quality_targets(struct serve *serve, struct http_exchange *exchange)
{
    AUTO(buf) struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    answer_by(serve, exchange, serve->options.quality, &body, "{}", "");
}
