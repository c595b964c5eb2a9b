#include "app/reload.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/dimensions.h"
#include "base/log.h"
#include "config/sink_check.h"
#include "world/world.h"

void reload_init(struct reload *reload, const struct config_request *request, const char *data_path,
                 struct config *live, struct domain_set *domains)
{
    *reload = (struct reload){
        .request = *request, .data_path = data_path, .live = live, .sets = { domains }, .set_count = 1
    };
    reload->files = malloc(sizeof *reload->files);
    reload->fresh = malloc(sizeof *reload->fresh);
    if (!reload->files || !reload->fresh)
        abort();
    *reload->files = *live;
}

void reload_done(struct reload *reload)
{
    for (size_t i = 0; i < reload->set_count; i++)
        domain_set_free(reload->sets[i]);
    free(reload->files);
    free(reload->fresh);
}

const struct domain_set *reload_domains(const struct reload *reload)
{
    return reload->sets[reload->set_count - 1];
}

static void refuse(struct problems *problems, const char *why)
{
    struct slice rest = slice_from(problems_text(problems));
    while (rest.n) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        log_error("config.mistake", "%.*s", (int)n, rest.p);
        rest = slice_after(rest, end ? n + 1 : n);
    }
    log_error("config.refused", "nothing has changed: %s", why);
}

static bool read_files(struct reload *reload, struct app *app, struct domain_set **out_domains)
{
    struct problems problems;
    struct error err, of_domains;
    problems_init(&problems, false);
    enum status s = config_load(&reload->request, world_real(), reload->fresh, &problems, &err);
    enum status domains = domain_set_load(reload->request.directory, world_real(), out_domains, &problems, &of_domains);
    if (s == OK && domains == OK)
        domains =
            event_types_check_key(*out_domains, &reload->fresh->settings, app_is_one_of_several(app), &of_domains);
    if (s == OK && domains == OK)
        domains = app_check_domains(app, *out_domains, &problems, &of_domains);
    if (s == OK && domains == OK)
        s = sinks_check(reload->fresh, *out_domains, &problems, &err);
    if (s != OK || domains != OK)
        refuse(&problems, s != OK ? err.text : of_domains.text);
    problems_done(&problems);
    return s == OK && domains == OK;
}

static void copy_setting(size_t row, const struct config *from, struct config *to)
{
    option_copy(&SETTINGS.rows[row], &from->settings, &to->settings);
    to->origins[row] = from->origins[row];
}

/* How many settings changed; *out_of_processing: some are for the tasks. */
static size_t apply_settings(struct reload *reload, bool *out_of_processing)
{
    size_t count = 0;
    *out_of_processing = false;
    for (size_t i = 0; i < SETTINGS.count; i++) {
        const struct option *option = &SETTINGS.rows[i];
        if (option_equal(option, &reload->files->settings, &reload->fresh->settings))
            continue;
        if (!option->reload) {
            log_warn("config.needs_restart", "%s has changed in %s:%d and needs a restart; the old value stays",
                     option->key, reload->fresh->origins[i].file, reload->fresh->origins[i].line);
            continue;
        }
        copy_setting(i, reload->fresh, reload->files);
        copy_setting(i, reload->fresh, reload->live);
        *out_of_processing |= slice_starts(slice_from(option->key), SLICE("process."));
        log_info("config.changed", "key=%s", option->key);
        count++;
    }
    return count;
}

/* Deliveries are under way: which sinks there are is decided at start. */
static void look_at_sinks(const struct reload *reload)
{
    const struct settings *was = &reload->files->settings, *is = &reload->fresh->settings;
    bool same = was->sink_count == is->sink_count;
    for (size_t i = 0; same && i < is->sink_count; i++) {
        same = strcmp(was->sinks[i].name, is->sinks[i].name) == 0;
        for (size_t row = 0; same && row < SINK_SETTINGS.count; row++)
            same = option_equal(&SINK_SETTINGS.rows[row], &was->sinks[i], &is->sinks[i]);
    }
    if (!same)
        log_warn("config.needs_restart", "sinks have changed, and this needs a restart; they stay as they are");
}

/* Takes the set. True: the tasks are on their way to it. */
static bool apply_domains(struct reload *reload, struct app *app, struct domain_set *domains)
{
    struct error err;
    enum status s = OK;
    if (reload->set_count == COUNT_OF(reload->sets))
        s = error_set(&err, ERR_FULL, "the domains have changed %d times since the start: this change needs a restart",
                      RELOAD_DOMAINS_MAX);
    if (s == OK) {
        dimensions_restore(domains, reload->data_path, world_real());
        s = app_use_domains(app, domains, &err);
    }
    if (s != OK) {
        log_warn("config.domains_stay", "%s", err.text);
        domain_set_free(domains);
        return false;
    }
    reload->sets[reload->set_count++] = domains;
    return true;
}

/* The change before this one is through: all tasks are of the last set, and so is what is replayed. */
static void drop_old_rows(struct reload *reload)
{
    for (size_t i = 0; i + 1 < reload->set_count; i++)
        domain_set_drop_rows(reload->sets[i]);
}

void reload_now(struct reload *reload, struct app *app)
{
    struct domain_set *domains = NULL;
    bool of_processing;
    assert(!app_is_changing(app));
    drop_old_rows(reload);
    if (!read_files(reload, app, &domains)) {
        domain_set_free(domains);
        return;
    }
    bool changed = domains->digest != reload_domains(reload)->digest;
    size_t settings = apply_settings(reload, &of_processing);
    look_at_sinks(reload);
    if (changed)
        changed = apply_domains(reload, app, domains);
    else
        domain_set_free(domains);
    if (of_processing && !changed)
        app_restart_processing(app);
    const struct domain_set *set = reload_domains(reload);
    log_info("config.reloaded", "settings=%zu domains=%s windows=%zu transforms=%zu", settings,
             changed ? "changed" : "as before", set->window_count, set->transform_count);
}
