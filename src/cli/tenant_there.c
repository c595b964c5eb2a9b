#include "cli/tenant_there.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json_text.h"
#include "cli/catalog_there.h"
#include "cli/tenant_print.h"
#include "world/disk.h"
#include "world/world.h"

static int exit_code_of(enum status s)
{
    switch (s) {
    case OK:
        return EX_OK;
    case ERR_INVALID:
    case ERR_NOT_FOUND:
        return EX_DATAERR;
    case ERR_FULL:
        return EX_CANTCREAT;
    case ERR_RETRY:
        return EX_TEMPFAIL;
    case ERR_CORRUPT:
        return EX_DATAERR;
    case ERR_IO:
        return EX_IOERR;
    case ERR_CLOSED:
        return EX_UNAVAILABLE;
    }
    return EX_SOFTWARE;
}

static int fail(const char *command, enum status s, const struct error *err)
{
    fprintf(stderr, "weir %s: %s\n", command, err->text);
    return exit_code_of(s);
}

static bool has(const char *data, const char *name)
{
    char path[DISK_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", data, name);
    return access(path, F_OK) == 0;
}

/* Of a weir whose catalog is somewhere else a tenant would be made that nobody knows. */
static enum status check_data(const char *data, struct error *err)
{
    if (access(data, F_OK) != 0)
        return error_set(err, ERR_NOT_FOUND, "there is no directory %s: is --data right?", data);
    if (has(data, "instance") && !has(data, "catalog.db"))
        return error_set(
            err, ERR_NOT_FOUND,
            "a weir has run on %s, and its catalog is not there: name the environment that says where with "
            "--env, or the directory of `weir serve`",
            data);
    return OK;
}

/* The lock that a running weir holds; *out_file keeps it until it is closed. */
static enum status lock_data(const char *data, struct disk_file **out_file, struct error *err)
{
    char path[DISK_PATH_MAX];
    struct disk *disk = world_real()->disk;
    if (snprintf(path, sizeof path, "%s/weir.lock", data) >= (int)sizeof path)
        return error_set(err, ERR_INVALID, "--data: the name is too long");
    enum status s = check_data(data, err);
    if (s != OK)
        return s;
    s = disk->ops->open(disk, path, DISK_CREATE, out_file, err);
    if (s != OK)
        return s;
    s = (*out_file)->ops->lock(*out_file, err);
    if (s == OK)
        return OK;
    (*out_file)->ops->close(*out_file);
    return error_set(err, ERR_RETRY, "a weir runs on %s: leave out --data (and name it with --url), or stop it first",
                     data);
}

static enum status apply(const struct tenant_options *options, struct tenant *tenant, struct error *err)
{
    if (options->tier && !tenant_read_tier(slice_from(options->tier), &tenant->tier))
        return error_set(err, ERR_INVALID, "--tier wants standard or enterprise, not '%s'", options->tier);
    if (options->quota && !tenant_read_quota(slice_from(options->quota), &tenant->quota_per_minute))
        return error_set(err, ERR_INVALID, "--quota wants a number such as 5000/min, unlimited or default, not '%s'",
                         options->quota);
    if (options->retention && !tenant_read_retention(slice_from(options->retention), &tenant->retention_days))
        return error_set(err, ERR_INVALID, "--retention wants days from 1 to 36500, unlimited or default, not '%s'",
                         options->retention);
    return OK;
}

static void add_keys(struct buf *out, const struct tenant_keys *keys)
{
    out->n--; /* the closing bracket */
    json_add_field(out, "write_key", slice_from(keys->write_key));
    json_add_field(out, "read_key", slice_from(keys->read_key));
    buf_add_char(out, '}');
}

static const char *actor(void)
{
    const char *user = getenv("USER");
    return user && *user ? user : "cli";
}

enum status tenant_create_there(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                                struct error *err)
{
    struct tenant tenant = { 0 };
    struct tenant_keys keys = { 0 };
    if (snprintf(tenant.id, sizeof tenant.id, "%s", options->name.items[0]) >= (int)sizeof tenant.id)
        tenant.id[0] = '\0'; /* too long: refused with the rule */
    enum status s = apply(options, &tenant, err);
    if (s != OK)
        return s;
    if (tenant.tier == TIER_ENTERPRISE)
        memcpy(tenant.placement, tenant.id, sizeof tenant.placement);
    s = catalog->backend->tenant_create(catalog, &tenant, &keys, actor(), err);
    if (s != OK)
        return s;
    tenant_add_json(out, &tenant);
    add_keys(out, &keys);
    sodium_memzero(&keys, sizeof keys);
    return OK;
}

enum status tenant_update_there(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                                struct error *err)
{
    struct tenant tenant;
    enum status s = catalog->backend->tenant_get(catalog, slice_from(options->name.items[0]), &tenant, err);
    if (s != OK || (s = apply(options, &tenant, err)) != OK ||
        (s = catalog->backend->tenant_update(catalog, &tenant, actor(), err)) != OK)
        return s;
    tenant_add_json(out, &tenant);
    return OK;
}

struct key_choice tenant_key_choice(const struct tenant_options *options)
{
    bool both = !options->write && !options->read;
    return (struct key_choice){ .write = options->write || both,
                                .read = options->read || both,
                                .grace_ms = options->grace_ms,
                                .current_too = options->all };
}

enum status tenant_rotate_there(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                                struct error *err)
{
    struct key_choice choice = tenant_key_choice(options);
    struct tenant_keys keys;
    if (choice.grace_ms > KEY_GRACE_MAX_MS)
        return error_set(err, ERR_INVALID, "--grace wants at most 90d");
    enum status s =
        catalog->backend->keys_rotate(catalog, slice_from(options->name.items[0]), &choice, &keys, actor(), err);
    if (s != OK)
        return s;
    buf_add_char(out, '{');
    json_add_field(out, "tenant", slice_from(options->name.items[0]));
    if (choice.write)
        json_add_field(out, "write_key", slice_from(keys.write_key));
    if (choice.read)
        json_add_field(out, "read_key", slice_from(keys.read_key));
    json_add_field_u64(out, "grace_seconds", (uint64_t)choice.grace_ms / 1000);
    buf_add_char(out, '}');
    sodium_memzero(&keys, sizeof keys);
    return OK;
}

enum status tenant_revoke_there(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                                struct error *err)
{
    struct key_choice choice = tenant_key_choice(options);
    uint64_t count;
    enum status s =
        catalog->backend->keys_revoke(catalog, slice_from(options->name.items[0]), &choice, &count, actor(), err);
    if (s != OK)
        return s;
    buf_add_char(out, '{');
    json_add_field(out, "tenant", slice_from(options->name.items[0]));
    json_add_field_u64(out, "keys_ended", count);
    buf_add_char(out, '}');
    return OK;
}

enum status tenant_show_there(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                              struct error *err)
{
    struct tenant tenant;
    enum status s = catalog->backend->tenant_get(catalog, slice_from(options->name.items[0]), &tenant, err);
    if (s == OK)
        tenant_add_json(out, &tenant);
    return s;
}

enum status tenant_list_there(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                              struct error *err)
{
    (void)options;
    struct directory *directory;
    enum status s = catalog->backend->directory(catalog, &directory, err);
    if (s != OK)
        return s;
    buf_add_text(out, "{\"tenants\":[");
    for (size_t i = 0; i < directory_count(directory); i++) {
        if (i)
            buf_add_char(out, ',');
        tenant_add_json(out, directory_at(directory, i));
    }
    buf_add_text(out, "]}");
    directory_free(directory);
    return OK;
}

static enum status work_on(const struct catalog_there *there, const struct tenant_options *options, tenant_work *work,
                           struct buf *out, struct error *err)
{
    struct catalog *catalog;
    enum status s = there->backend->open(&there->options, world_real(), &catalog, err);
    if (s != OK)
        return s;
    s = work(options, catalog, out, err);
    there->backend->close(catalog);
    return s;
}

static void write_url(const char *host, int64_t port, const char *certificate, char to[300])
{
    bool everywhere = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    bool bracketed = !everywhere && strchr(host, ':') && host[0] != '[';
    snprintf(to, 300, bracketed ? "%s://[%s]:%lld" : "%s://%s:%lld", certificate[0] ? "https" : "http",
             everywhere ? "127.0.0.1" : host, (long long)port);
}

void tenant_addresses_of(const struct settings *settings, struct tenant_addresses *out)
{
    write_url(settings->ingest_host, settings->ingest_port, settings->ingest_tls_certificate, out->ingest_url);
    write_url(settings->api_host, settings->api_port, settings->api_tls_certificate, out->api_url);
}

int tenant_run_there(const char *command, const struct tenant_options *options, tenant_work *work, struct buf *out,
                     struct tenant_addresses *out_at)
{
    static struct catalog_there there;
    const struct catalog_request request = {
        .command = command, .config = options->config, .env = options->env, .data = options->data
    };
    struct error err;
    struct disk_file *lock = NULL;
    if (sodium_init() < 0)
        return EX_SOFTWARE;
    int exit_code = catalog_there(&request, &there);
    if (exit_code != EX_OK)
        return exit_code;
    tenant_addresses_of(&there.config.settings, out_at);
    enum status s = there.options.path ? lock_data(options->data, &lock, &err) : OK;
    if (s == OK)
        s = work_on(&there, options, work, out, &err);
    if (lock)
        lock->ops->close(lock);
    return s == OK ? EX_OK : fail(command, s, &err);
}
