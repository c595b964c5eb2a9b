/* GET /health, /ready and /metrics of a process that has no other door (`weir process`), on a thread of its own. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"

struct metrics;
struct status_page;

struct status_page_options {
    const char *host;
    uint16_t port;
    const char *(*not_ready)(void *self); /* why /ready says 503, or NULL; from the page's thread, must not block */
    void *hook_self;
};

/* ERR_FULL: the port is taken. */
MUST_CHECK enum status status_page_open(const struct status_page_options *options, struct metrics *metrics,
                                        struct status_page **out, struct error *err);
uint16_t status_page_port(const struct status_page *page);
void status_page_close(struct status_page *page); /* NULL is fine */
