/* `weir tenant`: against a running weir over its API, or (tenant_there.c) on the catalog itself. Both make the same
 * rows by the same catalog; the difference is who maps the engine's user: a running weir at once, a stopped one at its
 * next start. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/tenant_print.h"
#include "cli/tenant_tables.h"
#include "cli/term.h"
#include "http/http_client.h"

#define INGEST_URL_USUAL "http://127.0.0.1:8000"
#define API_URL_USUAL "http://127.0.0.1:8001"

static int fail(const char *what, int exit_code, const struct error *err)
{
    fprintf(stderr, "weir %s: %s\n", what, err->text);
    return exit_code;
}

static bool is_there(const struct tenant_options *options)
{
    return options->data || options->env || options->config;
}

/* --- a running weir --- */

/* The settings of that weir, where it tells. */
static void ask_addresses(struct http_client *client, const struct tenant_options *options,
                          struct tenant_addresses *out)
{
    struct error err;
    struct http_reply reply;
    AUTO(buf) struct buf url;
    buf_init(&url, sizeof out->ingest_url - 1);
    snprintf(out->api_url, sizeof out->api_url, "%s", options->url);
    if (http_client_get(client, "/v1/config", &reply, &err) == OK && reply.status == 200 &&
        http_json_string(reply.body, "ingest_url", &url) && !url.full)
        snprintf(out->ingest_url, sizeof out->ingest_url, "%s", buf_text(&url));
    else
        snprintf(out->ingest_url, sizeof out->ingest_url, INGEST_URL_USUAL);
}

static int run_remote(const struct args_command *command, const struct tenant_options *options, const char *method,
                      const char *path, struct slice body, struct buf *out, struct tenant_addresses *out_at)
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
    if (command == &CREATE && !options->json)
        ask_addresses(client, options, out_at);
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
    struct key_choice choice = tenant_key_choice(options);
    buf_add_format(body, "{\"write\":%s,\"read\":%s,", choice.write ? "true" : "false", choice.read ? "true" : "false");
    if (rotate)
        buf_add_format(body, "\"grace_seconds\":%lld}", (long long)choice.grace_ms / 1000);
    else
        buf_add_format(body, "\"all\":%s}", choice.current_too ? "true" : "false");
}

/* --- what people see --- */

static void print_created(const struct tenant_options *options, const struct tenant_addresses *at, struct slice json)
{
    bool usual = strcmp(at->api_url, API_URL_USUAL) == 0;
    AUTO(buf) struct buf write_key, read_key;
    buf_init(&write_key, 256);
    buf_init(&read_key, 256);
    tenant_add_member(json, "write_key", &write_key);
    tenant_add_member(json, "read_key", &read_key);
    tenant_print_one(json);
    printf("\nThe keys are shown this once. Try them:\n"
           "  curl -s %s/track -u '%s:' \\\n"
           "    -d '{\"visitor_id\":\"v1\",\"event_type\":\"page_view\",\"event_name\":\"Home\"}'\n"
           "  weir sql \"SELECT count() FROM events_raw\" --key %s%s%s\n",
           at->ingest_url, buf_text(&write_key), buf_text(&read_key), usual ? "" : " --url ", usual ? "" : at->api_url);
    if (options->data)
        printf("The tenant works when weir is started again.\n");
}

typedef void tenant_print(const struct tenant_options *options, const struct tenant_addresses *at, struct slice json);

static int print_answer(const struct tenant_options *options, const struct tenant_addresses *at, struct slice json,
                        tenant_print *print)
{
    if (options->json)
        printf("%.*s\n", SLICE_ARG(json));
    else
        print(options, at, json);
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static void print_rotated(const struct tenant_options *options, const struct tenant_addresses *at, struct slice json)
{
    (void)at;
    tenant_print_one(json);
    AUTO(buf) struct buf grace;
    buf_init(&grace, 128);
    if (options->grace_ms)
        term_add_ms(&grace, (double)options->grace_ms);
    printf("\nThe new keys are shown this once. The old ones %s%s.\n",
           options->grace_ms ? "still work for " : "work no more", options->grace_ms ? buf_text(&grace) : "");
}

static void print_shown(const struct tenant_options *options, const struct tenant_addresses *at, struct slice json)
{
    (void)at;
    (void)options;
    tenant_print_one(json);
}

static void print_listed(const struct tenant_options *options, const struct tenant_addresses *at, struct slice json)
{
    (void)at;
    (void)options;
    tenant_print_list(json);
}

struct verb {
    const struct args_command *command;
    const char *method;
    tenant_work *local;
    tenant_print *print;
    bool names_one, sends;
    const char *action; /* behind the tenant's path, or NULL */
};

static int run(const struct verb *verb, int argc, char **argv)
{
    struct tenant_options options = { 0 };
    struct tenant_addresses at = { 0 };
    char path[256] = "/v1/tenants";
    int exit_code;
    if (!args_parse(verb->command, argc, argv, &options, &exit_code))
        return exit_code;
    bool create = verb->local == tenant_create_there;
    bool changes = verb->sends && !create && !verb->action;
    if (changes && !options.tier && !options.quota && !options.retention)
        return args_usage_error(verb->command, "nothing to change: give --tier, --quota or --retention");
    AUTO(buf) struct buf body, answer;
    buf_init(&body, 4096);
    buf_init(&answer, 64 << 20);
    if (verb->action)
        key_body(&options, verb->local == tenant_rotate_there, &body);
    else if (verb->sends)
        change_body(&options, create, &body);
    if (verb->names_one && !create)
        tenant_path(&options, verb->action, path);
    exit_code = is_there(&options)
                    ? tenant_run_there(verb->command->name, &options, verb->local, &answer, &at)
                    : run_remote(verb->command, &options, verb->method, path, buf_slice(&body), &answer, &at);
    return exit_code == EX_OK ? print_answer(&options, &at, buf_slice(&answer), verb->print) : exit_code;
}

static int run_create(int argc, char **argv)
{
    return run(&(struct verb){ &CREATE, "POST", tenant_create_there, print_created, true, true, NULL }, argc, argv);
}

static int run_list(int argc, char **argv)
{
    return run(&(struct verb){ &LIST, "GET", tenant_list_there, print_listed, false, false, NULL }, argc, argv);
}

static int run_show(int argc, char **argv)
{
    return run(&(struct verb){ &SHOW, "GET", tenant_show_there, print_shown, true, false, NULL }, argc, argv);
}

static int run_update(int argc, char **argv)
{
    return run(&(struct verb){ &UPDATE, "PATCH", tenant_update_there, print_shown, true, true, NULL }, argc, argv);
}

static int run_rotate(int argc, char **argv)
{
    return run(&(struct verb){ &ROTATE, "POST", tenant_rotate_there, print_rotated, true, true, "rotate" }, argc, argv);
}

static int run_revoke(int argc, char **argv)
{
    return run(&(struct verb){ &REVOKE, "POST", tenant_revoke_there, print_shown, true, true, "revoke" }, argc, argv);
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
