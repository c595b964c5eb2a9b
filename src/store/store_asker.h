/* A role's own questions to the engine, one at a time: the client is made at the first and kept, and whoever stops the
 * role gives up the one under way. Owner: the role, but for store_asker_stop and store_asker_is_stopped. */
#pragma once
#include "store/store_http.h"

struct store_asker;

/* The texts are copied. Aborts when out of memory (start-up only). */
struct store_asker *store_asker_new(const struct store_http_options *options);
/* Sends one statement; answer has what came, and nothing else. Not 200: ERR_RETRY with the engine's words. ERR_RETRY
 * and ERR_CLOSED as of store_http_ask. */
MUST_CHECK enum status store_asker_ask(struct store_asker *asker, struct slice sql, const char *parameters,
                                       uint32_t wait_ms, struct buf *answer, struct error *err);
/* What is under way ends within a second, what comes later at once. Any thread. */
void store_asker_stop(struct store_asker *asker);
bool store_asker_is_stopped(const struct store_asker *asker);
void store_asker_free(struct store_asker *asker); /* after the role ended; NULL is fine */
