/* `weir tenant`: against a running weir over its API, or against a stopped data directory. Both make the same rows by
 * the same catalog; the difference is who maps the engine's user: the running weir at once, a stopped one at its next
 * start. A directory that a weir runs on is refused (DATA/weir.lock): two writers of one catalog would not see each
 * other's changes. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "catalog/catalog.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/tenant_print.h"
#include "cli/tenant_tables.h"
#include "cli/term.h"
#include "http/http_client.h"
#include "world/disk.h"
#include "world/world.h"

static int fail(const char *what, int exit_code, const struct error *err)
{
    fprintf(stderr, "weir %s: %s\n", what, err->text);
    return exit_code;
}

/* --- a stopped directory --- */

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

/* The lock that a running weir holds; *out_file keeps it until it is closed. */
static enum status lock_data(const char *data, struct disk_file **out_file, struct error *err)
{
    char path[DISK_PATH_MAX];
    struct disk *disk = world_real()->disk;
    if (snprintf(path, sizeof path, "%s/weir.lock", data) >= (int)sizeof path)
        return error_set(err, ERR_INVALID, "--data: the name is too long");
    if (access(data, F_OK) != 0)
        return error_set(err, ERR_NOT_FOUND, "there is no directory %s: is --data right?", data);
    enum status s = disk->ops->open(disk, path, DISK_CREATE, out_file, err);
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

typedef enum status local_work(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                               struct error *err);

static const char *actor(void)
{
    const char *user = getenv("USER");
    return user && *user ? user : "cli";
}

static enum status create_local(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
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

static enum status update_local(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
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

static struct key_choice choice_of(const struct tenant_options *options)
{
    bool both = !options->write && !options->read;
    return (struct key_choice){ .write = options->write || both,
                                .read = options->read || both,
                                .grace_ms = options->grace_ms,
                                .current_too = options->all };
}

static enum status rotate_local(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                                struct error *err)
{
    struct key_choice choice = choice_of(options);
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

static enum status revoke_local(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                                struct error *err)
{
    struct key_choice choice = choice_of(options);
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

static enum status show_local(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                              struct error *err)
{
    struct tenant tenant;
    enum status s = catalog->backend->tenant_get(catalog, slice_from(options->name.items[0]), &tenant, err);
    if (s == OK)
        tenant_add_json(out, &tenant);
    return s;
}

static enum status list_local(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
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

static int run_local(const struct args_command *command, const struct tenant_options *options, local_work *work,
                     struct buf *out)
{
    struct error err;
    struct disk_file *lock;
    struct catalog *catalog;
    if (sodium_init() < 0)
        return EX_SOFTWARE;
    enum status s = lock_data(options->data, &lock, &err);
    if (s != OK)
        return fail(command->name, exit_code_of(s), &err);
    s = catalog_sqlite.open(&(struct catalog_options){ .path = options->data }, world_real(), &catalog, &err);
    if (s == OK) {
        s = work(options, catalog, out, &err);
        catalog_sqlite.close(catalog);
    }
    lock->ops->close(lock);
    return s == OK ? EX_OK : fail(command->name, exit_code_of(s), &err);
}

/* --- a running weir --- */

static int run_remote(const struct args_command *command, const struct tenant_options *options, const char *method,
                      const char *path, struct slice body, struct buf *out)
{
    struct error err;
    struct http_reply reply = { 0 };
    AUTO(http_client) struct http_client *client = NULL;
    struct http_client_options to = { .url = options->url,
                                      .key = options->token,
                                      .start_hint = "start it with `weir up`, or name its data directory with --data" };
    enum status s = http_client_open(&to, &client, &err);
    if (s == OK)
        s = http_client_send(client, method, path, body.n ? "application/json" : NULL, body, NULL, &reply, &err);
    if (s == OK && reply.status >= 300) {
        AUTO(buf) struct buf message;
        buf_init(&message, 4096);
        if (!http_json_string(reply.body, "message", &message))
            buf_add_format(&message, "answered %u: is that weir's API?", reply.status);
        bool denied = reply.status == 401 || reply.status == 403;
        s = error_set(&err, ERR_INVALID, "%s%s", buf_text(&message), denied ? " (--token or WEIR_ADMIN_TOKEN)" : "");
        return fail(command->name, reply.status == 409 ? EX_CANTCREAT : http_client_exit_code(s, reply.status), &err);
    }
    if (s != OK)
        return fail(command->name, http_client_exit_code(s, 0), &err);
    buf_add_slice(out, reply.body);
    return EX_OK;
}

static void tenant_path(const struct tenant_options *options, const char *action, char path[256])
{
    /* Names that are not names are refused by the server; here they only must not become another path. */
    char *to = path + snprintf(path, 256, "/v1/tenants/");
    for (const char *p = options->name.items[0]; *p && to < path + 240; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_' || *p == '-';
        to += snprintf(to, (size_t)(path + 256 - to), plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    if (action)
        snprintf(to, (size_t)(path + 256 - to), "/%s", action);
}

static void change_body(const struct tenant_options *options, bool create, struct buf *body)
{
    buf_add_char(body, '{');
    if (create)
        json_add_field(body, "tenant", slice_from(options->name.items[0]));
    if (options->tier)
        json_add_field(body, "tier", slice_from(options->tier));
    if (options->quota)
        json_add_field(body, "quota", slice_from(options->quota));
    if (options->retention)
        json_add_field(body, "retention", slice_from(options->retention));
    buf_add_char(body, '}');
}

static void key_body(const struct tenant_options *options, bool rotate, struct buf *body)
{
    struct key_choice choice = choice_of(options);
    buf_add_format(body, "{\"write\":%s,\"read\":%s,", choice.write ? "true" : "false", choice.read ? "true" : "false");
    if (rotate)
        buf_add_format(body, "\"grace_seconds\":%lld}", (long long)choice.grace_ms / 1000);
    else
        buf_add_format(body, "\"all\":%s}", choice.current_too ? "true" : "false");
}

/* --- what people see --- */

static void print_created(const struct tenant_options *options, struct slice json)
{
    AUTO(buf) struct buf write_key, read_key;
    buf_init(&write_key, 256);
    buf_init(&read_key, 256);
    tenant_add_member(json, "write_key", &write_key);
    tenant_add_member(json, "read_key", &read_key);
    tenant_print_one(json);
    printf("\nThe keys are shown this once. Try them:\n"
           "  curl -s http://127.0.0.1:8000/track -u '%s:' \\\n"
           "    -d '{\"visitor_id\":\"v1\",\"event_type\":\"page_view\",\"event_name\":\"Home\"}'\n"
           "  weir sql \"SELECT count() FROM events_raw\" --key %s\n",
           buf_text(&write_key), buf_text(&read_key));
    if (options->data)
        printf("The tenant works when weir is started again.\n");
}

static int print_answer(const struct tenant_options *options, struct slice json,
                        void (*print)(const struct tenant_options *, struct slice))
{
    if (options->json)
        printf("%.*s\n", SLICE_ARG(json));
    else
        print(options, json);
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static void print_rotated(const struct tenant_options *options, struct slice json)
{
    tenant_print_one(json);
    AUTO(buf) struct buf grace;
    buf_init(&grace, 128);
    if (options->grace_ms)
        term_add_ms(&grace, (double)options->grace_ms);
    printf("\nThe new keys are shown this once. The old ones %s%s.\n",
           options->grace_ms ? "still work for " : "work no more", options->grace_ms ? buf_text(&grace) : "");
}

static void print_shown(const struct tenant_options *options, struct slice json)
{
    (void)options;
    tenant_print_one(json);
}

static void print_listed(const struct tenant_options *options, struct slice json)
{
    (void)options;
    tenant_print_list(json);
}

struct verb {
    const struct args_command *command;
    const char *method;
    local_work *local;
    void (*print)(const struct tenant_options *, struct slice);
    bool names_one, sends;
    const char *action; /* behind the tenant's path, or NULL */
};

static int run(const struct verb *verb, int argc, char **argv)
{
    struct tenant_options options = { 0 };
    char path[256] = "/v1/tenants";
    int exit_code;
    if (!args_parse(verb->command, argc, argv, &options, &exit_code))
        return exit_code;
    bool create = verb->local == create_local;
    bool changes = verb->sends && !create && !verb->action;
    if (changes && !options.tier && !options.quota && !options.retention)
        return args_usage_error(verb->command, "nothing to change: give --tier, --quota or --retention");
    AUTO(buf) struct buf body, answer;
    buf_init(&body, 4096);
    buf_init(&answer, 64 << 20);
    if (verb->action)
        key_body(&options, verb->local == rotate_local, &body);
    else if (verb->sends)
        change_body(&options, create, &body);
    if (verb->names_one && !create)
        tenant_path(&options, verb->action, path);
    exit_code = options.data ? run_local(verb->command, &options, verb->local, &answer)
                             : run_remote(verb->command, &options, verb->method, path, buf_slice(&body), &answer);
    return exit_code == EX_OK ? print_answer(&options, buf_slice(&answer), verb->print) : exit_code;
}

static int run_create(int argc, char **argv)
{
    return run(&(struct verb){ &CREATE, "POST", create_local, print_created, true, true, NULL }, argc, argv);
}

static int run_list(int argc, char **argv)
{
    return run(&(struct verb){ &LIST, "GET", list_local, print_listed, false, false, NULL }, argc, argv);
}

static int run_show(int argc, char **argv)
{
    return run(&(struct verb){ &SHOW, "GET", show_local, print_shown, true, false, NULL }, argc, argv);
}

static int run_update(int argc, char **argv)
{
    return run(&(struct verb){ &UPDATE, "PATCH", update_local, print_shown, true, true, NULL }, argc, argv);
}

static int run_rotate(int argc, char **argv)
{
    return run(&(struct verb){ &ROTATE, "POST", rotate_local, print_rotated, true, true, "rotate" }, argc, argv);
}

static int run_revoke(int argc, char **argv)
{
    return run(&(struct verb){ &REVOKE, "POST", revoke_local, print_shown, true, true, "revoke" }, argc, argv);
}

int command_tenant(int argc, char **argv)
{
    static const struct subcommand ROWS[] = {
        { "create", "make a tenant and print its keys", run_create },
        { "list", "show all tenants", run_list },
        { "show", "show one tenant", run_show },
        { "update", "change a tenant's tier, quota or retention", run_update },
        { "rotate", "make new keys; the old ones work for a day more", run_rotate },
        { "revoke", "end replaced keys at once", run_revoke },
    };
    return args_dispatch("tenant", "tenants, their keys, quotas and retention", ROWS, COUNT_OF(ROWS), argc, argv);
}
