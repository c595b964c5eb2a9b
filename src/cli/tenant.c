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
#include "cli/http_client.h"
#include "cli/term.h"
#include "world/disk.h"
#include "world/world.h"

struct tenant_options {
    const char *tier, *quota, *retention, *url, *data, *token;
    bool json;
    struct args_rest name;
};

#define COMMON_ARGS                                                                                                    \
    ARG_TEXT_ENV(struct tenant_options, url, "url", 'u', "URL", "http://127.0.0.1:8001", "WEIR_URL",                   \
                 "address of a running weir"),                                                                         \
        ARG_TEXT(struct tenant_options, data, "data", 'd', "DIR", NULL,                                                \
                 "data directory of a stopped weir, instead of --url"),                                                \
        ARG_TEXT_ENV(struct tenant_options, token, "token", 0, "TOKEN", NULL, "WEIR_ADMIN_TOKEN",                      \
                     "administration token: DATA/admin.token; not needed in the dev environment"),                     \
        ARG_FLAG(struct tenant_options, json, "json", 'j', "one JSON object instead of text")
#define CHANGE_ARGS                                                                                                    \
    ARG_TEXT(struct tenant_options, tier, "tier", 0, "standard|enterprise", NULL,                                      \
             "standard: 10,000 events a minute; enterprise: 100,000, and storage of its own"),                         \
        ARG_TEXT(struct tenant_options, quota, "quota", 0, "N/min", NULL,                                              \
                 "events a minute, or unlimited, or default (the tier's)"),                                            \
        ARG_TEXT(struct tenant_options, retention, "retention", 0, "DAYS", NULL,                                       \
                 "days, or unlimited, or default; older events are refused with a verdict")

static const struct arg CREATE_ARGS[] = { CHANGE_ARGS, COMMON_ARGS,
                                          ARG_REST(struct tenant_options, name, "NAME", 1, 1,
                                                   "a-z, 0-9, _ and -, at most 64 characters") };
static const struct arg UPDATE_ARGS[] = { CHANGE_ARGS, COMMON_ARGS,
                                          ARG_REST(struct tenant_options, name, "NAME", 1, 1, "the tenant") };
static const struct arg SHOW_ARGS[] = { COMMON_ARGS,
                                        ARG_REST(struct tenant_options, name, "NAME", 1, 1, "the tenant") };
static const struct arg LIST_ARGS[] = { COMMON_ARGS };

static const struct args_command CREATE = {
    .name = "tenant create",
    .summary = "make a tenant and print its keys",
    .description = "The write key sends events, the read key asks questions. Both are shown this once; only their\n"
                   "hashes are stored.",
    .examples = "  weir tenant create acme\n"
                "  weir tenant create big --tier enterprise --quota 250000/min --retention 365\n"
                "  weir tenant create loadtest --quota unlimited --retention unlimited --json\n"
                "  weir tenant create acme --data ./data          while weir is stopped\n",
    .args = CREATE_ARGS,
    .arg_count = COUNT_OF(CREATE_ARGS),
};
static const struct args_command LIST = {
    .name = "tenant list",
    .summary = "show all tenants",
    .examples = "  weir tenant list\n  weir tenant list --json\n",
    .args = LIST_ARGS,
    .arg_count = COUNT_OF(LIST_ARGS),
};
static const struct args_command SHOW = {
    .name = "tenant show",
    .summary = "show one tenant",
    .examples = "  weir tenant show acme\n",
    .args = SHOW_ARGS,
    .arg_count = COUNT_OF(SHOW_ARGS),
};
static const struct args_command UPDATE = {
    .name = "tenant update",
    .summary = "change a tenant's tier, quota or retention",
    .examples = "  weir tenant update acme --quota 50000/min\n  weir tenant update acme --retention default\n",
    .args = UPDATE_ARGS,
    .arg_count = COUNT_OF(UPDATE_ARGS),
};

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

static void tenant_path(const struct tenant_options *options, char path[256])
{
    /* Names that are not names are refused by the server; here they only must not become another path. */
    char *to = path + snprintf(path, 256, "/v1/tenants/");
    for (const char *p = options->name.items[0]; *p && to < path + 250; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_' || *p == '-';
        to += snprintf(to, (size_t)(path + 256 - to), plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
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

/* --- what people see --- */

/* A member of the answer as text: strings unescaped, numbers grouped where they are large. */
static void add_member(struct slice json, const char *name, struct buf *out)
{
    struct slice value;
    uint64_t number;
    if (!json_find(json, name, &value))
        return;
    if (value.p[0] == '"') {
        if (!json_scan_string(value, out))
            buf_add_slice(out, value);
    } else if (json_scan_u64(value, &number) && strcmp(name, "created_ms") != 0) {
        term_add_grouped(out, number);
    } else {
        buf_add_slice(out, value);
    }
}

static void print_one(struct slice json)
{
    static const char *const ROWS[][2] = { { "tenant", "tenant" },
                                           { "tier", "tier" },
                                           { "quota_per_minute", "events a minute" },
                                           { "retention_days", "days kept" },
                                           { "placement", "own storage" },
                                           { "write_key", "write key" },
                                           { "read_key", "read key" },
                                           { "olap_user", "engine user" },
                                           { "olap_password", "engine password" } };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        AUTO(buf) struct buf value;
        buf_init(&value, 1024);
        add_member(json, ROWS[i][0], &value);
        if (value.n)
            printf("%s%-16s%s %s\n", term_style(stdout, TERM_DIM), ROWS[i][1], term_style(stdout, TERM_PLAIN),
                   buf_text(&value));
    }
}

static void print_list(struct slice json)
{
    static const char *const NAMES[] = { "tenant", "tier", "quota_per_minute", "retention_days", "placement" };
    static const struct term_column COLUMNS[] = { { { "tenant", 6 }, false },
                                                  { { "tier", 4 }, false },
                                                  { { "events a minute", 15 }, true },
                                                  { { "days kept", 9 }, true },
                                                  { { "own storage", 11 }, false } };
    struct slice tenants, *cells = NULL;
    struct json_walk walk;
    size_t count = 0, capacity = 0;
    AUTO(buf) struct buf text, table;
    buf_init(&text, 64 << 20);
    buf_init(&table, 64 << 20);
    if (!json_find(json, "tenants", &tenants))
        return;
    char *room = buf_reserve(&text, tenants.n + 1); /* cells point into it, so it must not move */
    for (json_walk_begin(&walk, tenants); room && json_walk_next(&walk);) {
        if (count + COUNT_OF(NAMES) > capacity) {
            capacity = capacity ? capacity * 2 : 160;
            void *more = realloc(cells, capacity * sizeof *cells);
            if (!more)
                abort();
            cells = more;
        }
        for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
            size_t from = text.n;
            add_member(walk.value, NAMES[i], &text);
            cells[count++] = slice_of(text.p + from, text.n - from);
        }
    }
    term_add_table(&table, COLUMNS, COUNT_OF(COLUMNS), cells, count / COUNT_OF(NAMES), term_columns());
    fwrite(table.p, 1, table.n, stdout);
    free(cells);
}

static void print_created(const struct tenant_options *options, struct slice json)
{
    AUTO(buf) struct buf write_key, read_key;
    buf_init(&write_key, 256);
    buf_init(&read_key, 256);
    add_member(json, "write_key", &write_key);
    add_member(json, "read_key", &read_key);
    print_one(json);
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

static void print_shown(const struct tenant_options *options, struct slice json)
{
    (void)options;
    print_one(json);
}

static void print_listed(const struct tenant_options *options, struct slice json)
{
    (void)options;
    print_list(json);
}

struct verb {
    const struct args_command *command;
    const char *method;
    local_work *local;
    void (*print)(const struct tenant_options *, struct slice);
    bool names_one, sends;
};

static int run(const struct verb *verb, int argc, char **argv)
{
    struct tenant_options options = { 0 };
    char path[256] = "/v1/tenants";
    int exit_code;
    if (!args_parse(verb->command, argc, argv, &options, &exit_code))
        return exit_code;
    bool create = verb->local == create_local;
    if (verb->sends && !create && !options.tier && !options.quota && !options.retention)
        return args_usage_error(verb->command, "nothing to change: give --tier, --quota or --retention");
    AUTO(buf) struct buf body, answer;
    buf_init(&body, 4096);
    buf_init(&answer, 64 << 20);
    if (verb->sends)
        change_body(&options, create, &body);
    if (verb->names_one && !create)
        tenant_path(&options, path);
    exit_code = options.data ? run_local(verb->command, &options, verb->local, &answer)
                             : run_remote(verb->command, &options, verb->method, path, buf_slice(&body), &answer);
    return exit_code == EX_OK ? print_answer(&options, buf_slice(&answer), verb->print) : exit_code;
}

static int run_create(int argc, char **argv)
{
    return run(&(struct verb){ &CREATE, "POST", create_local, print_created, true, true }, argc, argv);
}

static int run_list(int argc, char **argv)
{
    return run(&(struct verb){ &LIST, "GET", list_local, print_listed, false, false }, argc, argv);
}

static int run_show(int argc, char **argv)
{
    return run(&(struct verb){ &SHOW, "GET", show_local, print_shown, true, false }, argc, argv);
}

static int run_update(int argc, char **argv)
{
    return run(&(struct verb){ &UPDATE, "PATCH", update_local, print_shown, true, true }, argc, argv);
}

int command_tenant(int argc, char **argv)
{
    static const struct subcommand ROWS[] = {
        { "create", "make a tenant and print its keys", run_create },
        { "list", "show all tenants", run_list },
        { "show", "show one tenant", run_show },
        { "update", "change a tenant's tier, quota or retention", run_update },
    };
    return args_dispatch("tenant", "tenants, their keys, quotas and retention", ROWS, COUNT_OF(ROWS), argc, argv);
}
