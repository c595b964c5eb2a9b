/* DIR/weir.lock    locked for life; holds the process's number
 * DIR/instance     "weir-" and 16 hex digits
 * DIR/catalog.db   where the catalog lies, unless it is at a server */
#include "app/house.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/asked.h"
#include "base/encode.h"
#include "base/log.h"
#include "world/world.h"

#define FOLLOW_WAIT_US 60000000
#define FOLLOW_TELL_US 5000000
#define SERVER_PAUSE_US 100000

static enum status lock(struct house *house, int *exit_code, struct error *err)
{
    struct disk *disk = house->world->disk;
    char path[DISK_PATH_MAX], pid[32] = "";
    snprintf(path, sizeof path, "%s/weir.lock", house->path);
    enum status s = disk->ops->open(disk, path, DISK_CREATE, &house->lock, err);
    if (s != OK)
        return error_wrap(err, s, "the data directory %s cannot be written to", house->path);
    s = house->lock->ops->lock(house->lock, err);
    if (s != OK) {
        size_t n = 0;
        if (house->lock->ops->read(house->lock, pid, sizeof pid - 1, 0, &n, NULL) != OK)
            n = 0;
        pid[n] = '\0';
        *exit_code = EX_TEMPFAIL;
        return error_set(err, s, "another weir (process %s) runs on %s: stop it, or name another directory with --data",
                         n ? pid : "unknown", house->path);
    }
    struct iovec part = { pid, (size_t)snprintf(pid, sizeof pid, "%d", getpid()) };
    s = house->lock->ops->truncate(house->lock, 0, err);
    return s == OK ? house->lock->ops->write(house->lock, &part, 1, 0, err) : s;
}

static enum status name(struct house *house, struct error *err)
{
    struct disk *disk = house->world->disk;
    char path[DISK_PATH_MAX], *there = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/instance", house->path);
    enum status s = disk_read_whole(disk, path, 256, &there, &n, err);
    if (s == OK && (n != INSTANCE_BYTES - 1 || memcmp(there, "weir-", 5) != 0))
        s = error_set(err, ERR_INVALID, "%s is damaged: remove it, a new one is made", path);
    if (s == OK)
        snprintf(house->instance, sizeof house->instance, "%.*s", (int)n, there);
    free(there);
    if (s != ERR_NOT_FOUND)
        return s;
    unsigned char bytes[8];
    house->world->random(house->world, bytes, sizeof bytes);
    memcpy(house->instance, "weir-", 5);
    hex_encode(slice_of(bytes, sizeof bytes), house->instance + 5);
    house->instance[INSTANCE_BYTES - 1] = '\0';
    return disk_replace(disk, path, house->instance, strlen(house->instance), err);
}

enum status house_open(struct house *house, const char *path, struct world *world, int *out_exit_code,
                       struct error *err)
{
    *out_exit_code = EX_CANTCREAT;
    house->world = world;
    if (strlen(path) >= sizeof house->path)
        return error_set(err, ERR_INVALID, "the path of the data directory is too long");
    snprintf(house->path, sizeof house->path, "%s", path);
    enum status s = disk_make_dirs(world->disk, house->path, err);
    if (s != OK)
        return error_wrap(err, s, "make the data directory %s (--data names another)", house->path);
    s = lock(house, out_exit_code, err);
    return s == OK ? name(house, err) : s;
}

static enum status start_catalog_role(struct house *house, struct error *err)
{
    struct role role;
    return house->catalog->backend->role(house->catalog, &role)
               ? role_start(&role, house->world, &house->catalog_thread, err)
               : OK;
}

/* Of tenants that nobody would know any more, whose events lie in this directory. */
static enum status refuse_left_behind(const struct house *house, struct error *err)
{
    char path[DISK_PATH_MAX];
    snprintf(path, sizeof path, "%s/catalog.db", house->path);
    return access(path, F_OK) != 0
               ? OK
               : error_set(err, ERR_INVALID,
                           "catalog.backend is postgres, and %s has the tenants of an earlier start: set it to sqlite "
                           "again, start on another directory with --data, or remove that file to forget them",
                           path);
}

/* One that is just starting is waited for, as long as for a connection. */
static enum status await_server(struct house *house, const struct catalog_options *options, struct error *err)
{
    const int64_t end_us = world_mono_us(house->world) + options->connect_timeout_ms * 1000;
    enum status s;
    while ((s = catalog_postgres.open(options, house->world, &house->catalog, err)) == ERR_RETRY &&
           world_mono_us(house->world) < end_us && !asked_is_to_stop())
        usleep(SERVER_PAUSE_US);
    return s;
}

static enum status open_at_server(struct house *house, const struct config *config, struct problems *problems,
                                  int *exit_code, struct error *err)
{
    const struct settings *settings = &config->settings;
    const struct catalog_options options = { .url = settings->catalog_url,
                                             .password = settings->catalog_password,
                                             .owner = house->instance,
                                             .connect_timeout_ms = settings->catalog_connect_timeout_ms,
                                             .statement_timeout_ms = settings->catalog_statement_timeout_ms };
    *exit_code = EX_CONFIG;
    enum status s = refuse_left_behind(house, err);
    if (s != OK)
        return s;
    s = await_server(house, &options, err);
    if (s == OK)
        return start_catalog_role(house, err);
    *exit_code = s == ERR_INVALID ? EX_CONFIG : s == ERR_RETRY ? EX_UNAVAILABLE : EX_IOERR;
    config_tell(config, "catalog.url", err->text, problems);
    return error_set(err, s, "%s",
                     s == ERR_RETRY ? "the catalog's server is away: start it, or name another in catalog.url"
                                    : "the catalog cannot be used");
}

static enum status open_in_directory(struct house *house, struct error *err)
{
    struct catalog_options options = { .path = house->path };
    enum status s = catalog_sqlite.open(&options, house->world, &house->catalog, err);
    return s == OK ? OK : error_wrap(err, s, "open the catalog");
}

/* Openness belongs to the environment, not to the data. But a catalog that others share is of one environment: there
 * nobody opens to all what another has closed. */
static enum status set_open(struct house *house, const struct tenant *known, bool open, int *exit_code,
                            struct error *err)
{
    struct tenant wanted = *known;
    wanted.open = open;
    if (!open || !house->catalog->backend->shared)
        return house->catalog->backend->tenant_update(house->catalog, &wanted, "weir up", err);
    *exit_code = EX_CONFIG;
    return error_set(
        err, ERR_INVALID,
        "demo_tenant is true, and a weir of another environment, with demo_tenant: false, uses the catalog "
        "of catalog.url: give each environment a database of its own");
}

static enum status make_demo_tenant(struct house *house, struct error *err)
{
    struct tenant demo = {
        .tier = TIER_ENTERPRISE, .quota_per_minute = UINT64_MAX, .retention_days = -1, .open = true
    };
    struct tenant_keys keys = { "demo_write", "demo_read" };
    snprintf(demo.id, sizeof demo.id, "demo_tenant");
    enum status s = house->catalog->backend->tenant_create(house->catalog, &demo, &keys, "weir up", err);
    return s == ERR_FULL && house->catalog->backend->shared ? OK : s; /* another one was a moment faster */
}

enum status house_open_catalog(struct house *house, const struct config *config, struct problems *problems,
                               int *out_exit_code, struct error *err)
{
    const bool open = config->settings.open_demo_tenant;
    struct tenant known;
    *out_exit_code = EX_IOERR;
    enum status s = strcmp(config->settings.catalog_backend, "postgres") == 0
                        ? open_at_server(house, config, problems, out_exit_code, err)
                        : open_in_directory(house, err);
    if (s != OK)
        return s;
    *out_exit_code = EX_IOERR;
    s = house->catalog->backend->tenant_get(house->catalog, SLICE("demo_tenant"), &known, err);
    if (s == ERR_NOT_FOUND)
        return open ? make_demo_tenant(house, err) : OK;
    return s == OK && known.open != open ? set_open(house, &known, open, out_exit_code, err) : s;
}

enum status house_publish(struct house *house, struct journal *journal, int *out_exit_code, struct error *err)
{
    enum status s = publisher_open(house->catalog, journal, house->instance, house->world, &house->publisher, err);
    *out_exit_code = s == ERR_INVALID ? EX_CONFIG : EX_UNAVAILABLE;
    if (s != OK)
        return s;
    struct role role = publisher_role(house->publisher);
    return role_start(&role, house->world, &house->publisher_thread, err);
}

static enum status wait_for_tenants(struct house *house, int *out_exit_code, struct error *err)
{
    int64_t began_us = world_mono_us(house->world), tell_us = began_us + FOLLOW_TELL_US;
    for (;;) {
        struct directory *directory;
        if (follower_is_current(house->catalog) &&
            house->catalog->backend->directory(house->catalog, &directory, err) == OK) {
            directory_free(directory);
            return OK;
        }
        int64_t now_us = world_mono_us(house->world);
        if (asked_is_to_stop()) {
            *out_exit_code = EX_OK;
            return error_set(err, ERR_CLOSED, "ended while it waited for the tenants");
        }
        if (now_us - began_us > FOLLOW_WAIT_US) {
            *out_exit_code = EX_TEMPFAIL;
            return error_set(err, ERR_RETRY,
                             "nobody has told the tenants of this journal in 60 s: start weir serve (it need not run "
                             "all the time, but has to have run once)");
        }
        if (now_us >= tell_us) {
            log_info("catalog.waiting", "for weir serve to tell the tenants of this journal");
            tell_us = now_us + FOLLOW_TELL_US;
        }
        usleep(10000);
    }
}

enum status house_follow(struct house *house, struct journal *journal, int *out_exit_code, struct error *err)
{
    *out_exit_code = EX_OSERR;
    enum status s = follower_open(journal, house->world, &house->catalog, err);
    if (s != OK)
        return s;
    s = start_catalog_role(house, err);
    return s == OK ? wait_for_tenants(house, out_exit_code, err) : s;
}

void house_stop(struct house *house)
{
    role_stop(house->publisher_thread);
    role_stop(house->catalog_thread);
    house->publisher_thread = house->catalog_thread = NULL;
}

void house_close_catalog(struct house *house)
{
    publisher_close(house->publisher);
    house->publisher = NULL;
    if (house->catalog)
        house->catalog->backend->close(house->catalog);
    house->catalog = NULL;
}

void house_close(struct house *house)
{
    if (house->lock)
        house->lock->ops->close(house->lock);
}
