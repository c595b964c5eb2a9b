/* SIGHUP: the configuration is read again. What is wrong is refused as a whole, with the messages that `weir check`
 * gives, and the old stays. Settings whose row says so change at once; those that need a restart are named. Changed
 * domains, and settings of processing, take effect between two commits: the tasks finish what they read, make a
 * checkpoint and are made anew, while ingestion goes on. Owned by the main thread. */
#pragma once
#include "app/app.h"

/* Changes in one life: what was replaced is kept for whoever still looks at it, but for the rows of dimension tables.
 */
#define RELOAD_DOMAINS_MAX 64

struct reload {
    struct config_request request;
    const char *data_path;
    struct config *live;                             /* what the parts look at; has the command line's ports */
    struct config *files;                            /* what the files said, as far as it is in use */
    struct config *fresh;                            /* what they say now */
    struct domain_set *sets[RELOAD_DOMAINS_MAX + 1]; /* the last one is in use */
    size_t set_count;
};

/* Takes the domains. live is borrowed, before the command line changes anything in it; data_path is borrowed. */
void reload_init(struct reload *reload, const struct config_request *request, const char *data_path,
                 struct config *live, struct domain_set *domains);
void reload_done(struct reload *reload); /* after app_stop */
const struct domain_set *reload_domains(const struct reload *reload);
/* While no change is under way (app_is_changing). Never fails: what cannot be is logged. */
void reload_now(struct reload *reload, struct app *app);
