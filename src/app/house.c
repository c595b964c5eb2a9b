/* DIR/weir.lock    locked for life; holds the process's number
 * DIR/instance     "weir-" and 16 hex digits
 * DIR/catalog.db   where the catalog lies */
#include "app/house.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/log.h"
#include "world/world.h"

#define FOLLOW_WAIT_US 60000000
#define FOLLOW_TELL_US 5000000

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

enum status house_open_catalog(struct house *house, const struct settings *settings, int *out_exit_code,
                               struct error *err)
{
    struct catalog_options options = { .path = house->path };
    *out_exit_code = EX_IOERR;
    enum status s = catalog_sqlite.open(&options, house->world, &house->catalog, err);
    if (s != OK)
        return error_wrap(err, s, "open the catalog");
    struct tenant demo = {
        .tier = TIER_ENTERPRISE, .quota_per_minute = UINT64_MAX, .retention_days = -1, .open = true
    };
    struct tenant_keys keys = { "demo_write", "demo_read" };
    snprintf(demo.id, sizeof demo.id, "demo_tenant");
    struct tenant known;
    s = catalog_sqlite.tenant_get(house->catalog, slice_from(demo.id), &known, err);
    if (s == ERR_NOT_FOUND && settings->open_demo_tenant)
        return catalog_sqlite.tenant_create(house->catalog, &demo, &keys, "weir up", err);
    if (s == OK && known.open != settings->open_demo_tenant) {
        /* The same directory in another environment: openness belongs to the environment, not to the data. */
        known.open = settings->open_demo_tenant;
        return catalog_sqlite.tenant_update(house->catalog, &known, "weir up", err);
    }
    return s == ERR_NOT_FOUND ? OK : s;
}

enum status house_publish(struct house *house, struct journal *journal, int *out_exit_code, struct error *err)
{
    enum status s = publisher_open(house->catalog, journal, house->instance, house->world, &house->publisher, err);
    *out_exit_code = s == ERR_INVALID ? EX_CONFIG : EX_UNAVAILABLE;
    if (s != OK)
        return s;
    struct role role = publisher_role(house->publisher);
    return role_start(&role, house->world, &house->catalog_thread, err);
}

static bool is_asked_to_end(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

static enum status wait_for_tenants(struct house *house, int *out_exit_code, struct error *err)
{
    int64_t began_us = world_mono_us(house->world), tell_us = began_us + FOLLOW_TELL_US;
    for (;;) {
        struct directory *directory;
        if (house->catalog->backend->directory(house->catalog, &directory, err) == OK) {
            directory_free(directory);
            return OK;
        }
        int64_t now_us = world_mono_us(house->world);
        if (is_asked_to_end()) {
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
    struct role role = follower_role(house->catalog);
    s = role_start(&role, house->world, &house->catalog_thread, err);
    return s == OK ? wait_for_tenants(house, out_exit_code, err) : s;
}

void house_stop(struct house *house)
{
    role_stop(house->catalog_thread);
    house->catalog_thread = NULL;
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
