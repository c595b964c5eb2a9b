/* `weir replay`: begins a replay on the server and watches it. Ctrl-C leaves it running there. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "http/http_client.h"
#include "world/world.h"

#define POLL_US 200000
#define AWAY_MAX 25 /* polls without an answer */

struct replay_options {
    const char *from, *to, *window, *tenant, *url, *key;
    bool dry_run, json, quiet;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct replay_options, from, "from", 0, "TIME", NULL, "2026-01-01, or 2026-01-01T10:00:00Z"),
    ARG_TEXT(struct replay_options, to, "to", 0, "TIME", NULL,
             "up to and without; left out: as far as live traffic is through"),
    ARG_TEXT(struct replay_options, window, "window", 'w', "NAME", NULL, "this window only; left out: all that can be"),
    ARG_TEXT_ENV(struct replay_options, tenant, "tenant", 't', "NAME", NULL, "WEIR_TENANT",
                 "whose events; demo_tenant without a key"),
    ARG_FLAG(struct replay_options, dry_run, "dry-run", 0, "say what would be counted; changes nothing"),
    ARG_TEXT_ENV(struct replay_options, url, "url", 'u', "URL", "http://127.0.0.1:8001", "WEIR_URL",
                 "address of weir's API"),
    ARG_TEXT_ENV(struct replay_options, key, "key", 'k', "KEY", NULL, "WEIR_WRITE_KEY",
                 "the tenant's write key, or the token in admin.token; not needed on the machine of a dev weir"),
    ARG_FLAG(struct replay_options, json, "json", 'j', "one JSON object at the end instead of text"),
    ARG_FLAG(struct replay_options, quiet, "quiet", 'q', "no progress bar"),
};

static const struct args_command REPLAY = {
    .name = "replay",
    .summary = "count past events into the windows declared now",
    .description =
        "Counts the events of the range again, late ones too, through the code that counts live events, and shows the\n"
        "results of windows that lie wholly in the range, and of sessions that begin in it, at once when all are "
        "there.\n"
        "They take the place of what was there, so running it twice counts once. Live traffic goes on. If weir or "
        "this\n"
        "command dies on the way, nothing has changed: run it again.",
    .examples = "  weir replay --from 2026-01-01\n"
                "  weir replay --from 2026-01-01 --to 2026-02-01 --window sales_by_hour\n"
                "  weir replay --from 2026-01-01 --tenant acme --key \"$(cat data/admin.token)\" --dry-run\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

static int fail(const struct error *err, int exit_code)
{
    fprintf(stderr, "weir replay: %s\n", err->text);
    return exit_code;
}

static uint64_t number_of(struct slice report, const char *name)
{
    struct slice value;
    uint64_t number = 0;
    return json_find(report, name, &value) && json_scan_u64(value, &number) ? number : 0;
}

static bool is_state(struct slice report, const char *state)
{
    AUTO(buf) struct buf text;
    buf_init(&text, 64);
    return http_json_string(report, "state", &text) && slice_equal(buf_slice(&text), slice_from(state));
}

static void add_body(const struct replay_options *options, struct buf *body)
{
    buf_add_char(body, '{');
    json_add_field(body, "from", slice_from(options->from));
    if (options->to)
        json_add_field(body, "to", slice_from(options->to));
    if (options->window)
        json_add_field(body, "window", slice_from(options->window));
    if (options->tenant || !options->key)
        json_add_field(body, "tenant", slice_from(options->tenant ? options->tenant : "demo_tenant"));
    json_add_key(body, "dry_run");
    buf_add_text(body, options->dry_run ? "true}" : "false}");
}

static enum status begin(struct http_client *client, const struct replay_options *options, uint64_t *out_id,
                         int *out_exit_code, struct error *err)
{
    struct http_reply reply = { 0 };
    AUTO(buf) struct buf body;
    buf_init(&body, 64 << 10);
    add_body(options, &body);
    enum status s =
        http_client_send(client, "POST", "/v1/replays", "application/json", buf_slice(&body), NULL, &reply, err);
    if (s == OK && reply.status != 202)
        s = http_reply_error(&reply, "not begun", err);
    *out_exit_code = http_client_exit_code(s, reply.status);
    if (s == OK)
        *out_id = number_of(reply.body, "id");
    return s;
}

/* How the job is doing now. ERR_NOT_FOUND: the server knows nothing of it. */
static enum status look(struct http_client *client, uint64_t id, struct buf *out_report, struct error *err)
{
    char path[64];
    struct http_reply reply;
    struct slice list;
    struct json_walk walk;
    snprintf(path, sizeof path, "/v1/replays?id=%" PRIu64, id);
    enum status s = http_client_get(client, path, &reply, err);
    if (s == OK && reply.status != 200)
        s = http_reply_error(&reply, "no answer", err);
    if (s != OK)
        return s;
    buf_reset(out_report);
    if (!json_find(reply.body, "replays", &list))
        return error_set(err, ERR_INVALID, "the answer makes no sense: is --url the address of weir's API?");
    json_walk_begin(&walk, list);
    if (!json_walk_next(&walk))
        return error_set(err, ERR_NOT_FOUND, "weir was started again meanwhile; nothing was replaced: run it again");
    buf_add_slice(out_report, walk.value);
    return OK;
}

/* Until the job is over. */
static enum status watch(struct http_client *client, const struct replay_options *options, uint64_t id,
                         struct buf *out_report, struct error *err)
{
    struct world *world = world_real();
    struct term_progress progress = { 0 };
    unsigned away = 0;
    enum status s;
    for (;;) {
        s = look(client, id, out_report, err);
        away = s == ERR_RETRY ? away + 1 : 0;
        if (s != OK && (s != ERR_RETRY || away == AWAY_MAX))
            break;
        const struct slice report = buf_slice(out_report);
        if (s == OK && (is_state(report, "done") || is_state(report, "failed")))
            break;
        const uint64_t total = s == OK ? number_of(report, "events_total") : 0;
        if (total && !progress.total && !options->quiet)
            term_progress_start(&progress, "replay", total, world_mono_us(world));
        if (progress.total && s == OK)
            term_progress_draw(&progress, number_of(report, "events"), NULL, world_mono_us(world));
        usleep(POLL_US);
    }
    term_progress_end(&progress);
    return s;
}

static void add_time(struct buf *out, struct slice report, const char *name)
{
    if (!http_json_string(report, name, out))
        buf_add_char(out, '?');
}

static void print_done(const struct replay_options *options, struct slice report)
{
    AUTO(buf) struct buf out;
    struct slice windows;
    struct json_walk walk;
    buf_init(&out, 1 << 20);
    buf_add_text(&out, options->dry_run ? "would count " : "counted ");
    term_add_grouped(&out, number_of(report, options->dry_run ? "events_total" : "events"));
    buf_add_text(&out, " events from ");
    add_time(&out, report, "from");
    buf_add_text(&out, " to ");
    add_time(&out, report, "to");
    if (!options->dry_run) {
        buf_add_text(&out, " into ");
        term_add_grouped(&out, number_of(report, "results"));
        buf_add_text(&out, " results, shown now; ");
        term_add_grouped(&out, number_of(report, "late_events"));
        buf_add_text(&out, " times an event had been late, and is counted with them");
    }
    buf_add_text(&out, "\nwindows:");
    if (json_find(report, "windows", &windows))
        for (json_walk_begin(&walk, windows); json_walk_next(&walk);) {
            buf_add_char(&out, ' ');
            if (!json_scan_string(walk.value, &out))
                buf_add_char(&out, '?');
        }
    printf("%s\n", buf_text(&out));
}

static int tell(const struct replay_options *options, struct slice report)
{
    const bool done = is_state(report, "done");
    AUTO(buf) struct buf why;
    buf_init(&why, 4096);
    if (options->json)
        printf("%.*s\n", SLICE_ARG(report));
    else if (done)
        print_done(options, report);
    else
        fprintf(stderr, "weir replay: %s\n", http_json_string(report, "error", &why) ? buf_text(&why) : "it failed");
    return done ? EX_OK : EX_DATAERR;
}

int command_replay(int argc, char **argv)
{
    struct replay_options options;
    struct error err;
    int exit_code;
    uint64_t id = 0;
    if (!args_parse(&REPLAY, argc, argv, &options, &exit_code))
        return exit_code;
    if (!options.from)
        return args_usage_error(&REPLAY, "--from says where to begin, such as --from 2026-01-01");
    AUTO(http_client) struct http_client *client = NULL;
    AUTO(buf) struct buf report;
    buf_init(&report, 4 << 20);
    const struct http_client_options to = { .url = options.url, .key = options.key };
    if (http_client_open(&to, &client, &err) != OK)
        return fail(&err, EX_USAGE);
    if (begin(client, &options, &id, &exit_code, &err) != OK)
        return fail(&err, exit_code);
    enum status s = watch(client, &options, id, &report, &err);
    if (s != OK)
        return fail(&err, s == ERR_NOT_FOUND ? EX_TEMPFAIL : http_client_exit_code(s, 0));
    return tell(&options, buf_slice(&report));
}
