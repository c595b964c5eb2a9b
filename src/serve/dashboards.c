/* GET /v1/dashboards: what the dashboard draws of each domain, for the tenant whose key it is. What is in it is said by
 * the domains (schema/dashboard.c); no number is. */
#include "serve/inside.h"

#define BODY_BYTES_MAX (16u << 20)

void dashboards_list(struct serve *serve, struct http_exchange *exchange)
{
    const struct tenant *tenant = access_reader(serve, exchange, false);
    if (!tenant)
        return;
    AUTO(buf) struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    buf_add_text(&body, "{\"dashboards\":");
    if (serve->options.dashboards)
        serve->options.dashboards(serve->options.hook_self, tenant->id, &body);
    else
        buf_add_text(&body, "[]");
    buf_add_char(&body, '}');
    if (body.full)
        answer_error(serve, exchange, 500, "too_large", "the dashboards of all domains are larger than 16 MiB",
                     &ANSWER_CORS);
    else
        answer_body(serve, exchange, 200, buf_slice(&body), &ANSWER_CORS);
}
