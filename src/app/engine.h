/* The engine as the rest of the process needs it: its child, or whoever runs one at engine.url, looked after, its
 * tables brought up to date each time it comes up, every tenant mapped to its reader. Owner: the main thread, which
 * steps it; engine_is_ready and engine_map_tenant may be called from any. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "catalog/catalog.h"
#include "config/settings.h"
#include "olap/olap_users.h"

#define ENGINE_PASSWORD_MIN 16 /* bytes: passwords of the engine's users follow from it */

struct domain_set;
struct engine;
struct metrics;
struct world;

/* Starts the child, or asks at engine.url. domains, whose event types get views, may be NULL and otherwise stay until
 * engine_stop or engine_use_domains. *out_exit_code is a sysexits code when it fails. */
MUST_CHECK enum status engine_start(const struct settings *settings, const char *data_path,
                                    const struct domain_set *domains, struct catalog *catalog, struct metrics *metrics,
                                    struct world *world, struct engine **out, int *out_exit_code, struct error *err);
/* At the next step. */
void engine_use_domains(struct engine *engine, const struct domain_set *domains);
/* Looks after the child; blocks while tables are made (tens of milliseconds). OK, or what starting again cannot mend.
 */
MUST_CHECK enum status engine_step(struct engine *engine, int64_t *out_wait_ms, int *out_exit_code, struct error *err);
bool engine_is_ready(struct engine *engine);
/* How far the engine's process stands back behind everybody else, 0 to 19 (give_way.h); while it starts it does not. */
void engine_give_way(struct engine *engine, int nice);
/* "http://127.0.0.1:PORT", or engine.url */
const char *engine_url(const struct engine *engine);
void engine_writer(const struct engine *engine, struct olap_user *out);
void engine_reader(const struct engine *engine, uint32_t slot, struct olap_user *out);
/* From now on the tenant's reader sees its rows. ERR_RETRY: the engine is away; engine_step does it when it is back. */
MUST_CHECK enum status engine_map_tenant(struct engine *engine, const struct tenant *tenant, struct error *err);
void engine_stop(struct engine *engine); /* NULL is fine */
