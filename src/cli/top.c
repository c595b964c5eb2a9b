/* `weir top`: what happens right now, on one screen. Asks the live feed for its state a few times a second and /metrics
 * now and then; a frame is built in memory and painted with one write, line by line over the last one, so that nothing
 * flickers. The terminal is given back as it was on every way out, also by a signal. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/json_scan.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "cli/top_inside.h"
#include "http/http_client.h"
#include "world/world.h"

#define METRICS_INTERVAL_US 2000000

static const struct arg ARGS[] = {
    ARG_TEXT_ENV(struct top_options, url, "url", 'u', "URL", "http://127.0.0.1:8001", "WEIR_URL", "address of weir"),
    ARG_TEXT_ENV(struct top_options, key, "key", 'k', "KEY", "demo_read", "WEIR_KEY", "the tenant's read key"),
    ARG_TEXT_ENV(struct top_options, token, "token", 0, "TOKEN", NULL, "WEIR_ADMIN_TOKEN",
                 "for latencies from another machine: DATA/admin.token"),
    ARG_DURATION(struct top_options, interval_ms, "interval", 'i', "TIME", "500ms", "between two looks"),
    ARG_FLAG(struct top_options, stream, "stream", 's',
             "the processing tasks and the sinks instead of the event types"),
    ARG_FLAG(struct top_options, once, "once", '1', "print once and end"),
    ARG_FLAG(struct top_options, json, "json", 'j', "with --once: one JSON object"),
};
static const struct args_command TOP = {
    .name = "top",
    .summary = "watch events arrive, live",
    .description =
        "Counts are one tenant's, since weir started; latencies are those of the whole process. s shows the\n"
        "processing tasks or the event types, q quits.",
    .examples = "  weir top\n  weir top --key rk_… --interval 1s\n  weir top --stream\n  weir top --once --json\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

static volatile sig_atomic_t asked_to_end;

static void on_signal(int number)
{
    asked_to_end = number;
}

/* --- looking --- */

static uint64_t member_u64(struct slice object, const char *name)
{
    struct slice value;
    uint64_t number;
    return json_find(object, name, &value) && json_scan_u64(value, &number) ? number : 0;
}

static double rate_of(uint64_t now, uint64_t before, int64_t us)
{
    return us > 0 && now > before ? (double)(now - before) * 1e6 / (double)us : 0;
}

static int by_count(const void *a, const void *b)
{
    const struct type_row *x = a, *y = b;
    return x->accepted < y->accepted ? 1 : x->accepted > y->accepted ? -1 : strcmp(x->name, y->name);
}

static void take_types(struct top *top, struct slice types, int64_t passed_us)
{
    static struct type_row fresh[TYPES_MAX];
    struct json_walk walk;
    size_t count = 0;
    for (json_walk_begin(&walk, types); json_walk_next(&walk) && count < TYPES_MAX;) {
        struct type_row *row = &fresh[count++];
        *row = (struct type_row){ .accepted = member_u64(walk.value, "accepted"),
                                  .duplicates = member_u64(walk.value, "duplicates"),
                                  .dead = member_u64(walk.value, "dead_letters") };
        json_find_text(walk.value, "type", row->name, sizeof row->name);
        for (size_t i = 0; i < top->type_count; i++)
            if (strcmp(top->types[i].name, row->name) == 0)
                row->rate = rate_of(row->accepted, top->types[i].accepted, passed_us);
    }
    memcpy(top->types, fresh, count * sizeof *fresh);
    top->type_count = count;
    qsort(top->types, count, sizeof *top->types, by_count);
}

static void take_state(struct top *top, struct slice json, int64_t now_us)
{
    struct slice types;
    uint64_t accepted = member_u64(json, "accepted");
    int64_t passed_us = top->seen ? now_us - top->looked_us : 0;
    int64_t since_ms = (int64_t)member_u64(json, "since_ms");
    if (since_ms != top->since_ms)
        passed_us = 0; /* weir was started anew: its counts began at 0 */
    top->rate = rate_of(accepted, top->accepted, passed_us);
    if (passed_us) {
        if (top->history_count == HISTORY)
            memmove(top->history, top->history + 1, (HISTORY - 1) * sizeof top->history[0]);
        else
            top->history_count++;
        top->history[top->history_count - 1] = top->rate;
    }
    if (json_find(json, "types", &types))
        take_types(top, types, passed_us);
    json_find_text(json, "tenant", top->tenant, sizeof top->tenant);
    top->accepted = accepted;
    top->duplicates = member_u64(json, "duplicates");
    top->dead = member_u64(json, "dead_letters");
    top->lag_events = member_u64(json, "lag_events");
    top->lag_ms = (int64_t)member_u64(json, "lag_ms");
    top->since_ms = since_ms;
    top->looked_us = now_us;
    top->seen = true;
}

static void take_stage(struct stage *stage, struct slice text)
{
    struct metrics_buckets now;
    double p50, p99;
    if (!metrics_text_buckets(text, stage->metric, &now))
        return;
    const struct metrics_buckets *before = stage->has_before ? &stage->before : NULL;
    if (metrics_buckets_quantile(before, &now, 0.5, &p50) && metrics_buckets_quantile(before, &now, 0.99, &p99)) {
        stage->p50_ms = p50 * 1000;
        stage->p99_ms = p99 * 1000;
    }
    stage->before = now;
    stage->has_before = true;
}

static double metric_or(struct slice text, const char *name, bool largest, double fallback)
{
    double value;
    return metrics_text_value(text, name, largest, &value) ? value : fallback;
}

static void look_at_metrics(struct top *top, int64_t now_us)
{
    struct http_reply reply;
    if (top->metrics_us && now_us - top->metrics_us < METRICS_INTERVAL_US)
        return;
    top->metrics_us = now_us;
    if (http_client_get(top->metrics, "/metrics", &reply, NULL) != OK || reply.status != 200)
        return; /* from another machine without the token: latencies stay unknown */
    for (size_t i = 0; i < COUNT_OF(top->stages); i++)
        take_stage(&top->stages[i], reply.body);
    top->journal_bytes = metric_or(reply.body, "journal_disk_bytes", false, -1);
    top->store_lag_s = metric_or(reply.body, "store_lag_seconds", true, -1);
    top->memory_bytes = metric_or(reply.body, "process_resident_memory_bytes", false, -1);
}

static enum status look(struct top *top, unsigned *out_http_status)
{
    struct http_reply reply = { 0 };
    int64_t now_us = world_mono_us(world_real());
    enum status s = http_client_get(top->live, "/v1/live?once=1", &reply, &top->trouble);
    *out_http_status = s == OK ? reply.status : 0;
    if (s == OK && reply.status != 200)
        s = http_reply_error(&reply, "weir's API", &top->trouble);
    if (s != OK)
        return s;
    top->trouble.text[0] = '\0';
    take_state(top, reply.body, now_us);
    look_at_metrics(top, now_us);
    if ((top->shows_stream || top->options->json) && http_client_get(top->live, "/v1/stream", &reply, NULL) == OK &&
        reply.status == 200) {
        top_stream_take(&top->stream, reply.body, world_mono_us(world_real()));
        top_sinks_take(&top->sinks, reply.body, world_mono_us(world_real()));
    }
    return OK;
}

/* --- the terminal --- */

static struct termios saved_terminal;
static bool terminal_changed;

static void put(const char *text, size_t n)
{
    while (n) {
        ssize_t put = write(STDOUT_FILENO, text, n);
        if (put <= 0)
            return; /* the terminal is gone: the next read says so */
        text += put;
        n -= (size_t)put;
    }
}

static void terminal_restore(void)
{
    static const char END[] = "\033[?25h\033[?1049l";
    if (!terminal_changed)
        return;
    terminal_changed = false;
    put(END, sizeof END - 1);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved_terminal);
}

static bool terminal_take(void)
{
    static const char BEGIN[] = "\033[?1049h\033[?25l\033[2J";
    if (!isatty(STDIN_FILENO) || !term_is_terminal(stdout) || tcgetattr(STDIN_FILENO, &saved_terminal) != 0)
        return false;
    struct termios raw = saved_terminal;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    terminal_changed = true;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    put(BEGIN, sizeof BEGIN - 1);
    struct sigaction action = { .sa_handler = on_signal };
    static const int SIGNALS[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    for (size_t i = 0; i < COUNT_OF(SIGNALS); i++)
        sigaction(SIGNALS[i], &action, NULL);
    struct sigaction resized = { .sa_handler = SIG_DFL };
    sigaction(SIGWINCH, &resized, NULL);
    return true;
}

/* True: the user wants to leave. */
static bool wait_for_key(struct top *top)
{
    struct pollfd keys = { .fd = STDIN_FILENO, .events = POLLIN };
    char key[16];
    if (poll(&keys, 1, (int)top->options->interval_ms) <= 0)
        return asked_to_end;
    ssize_t n = read(STDIN_FILENO, key, sizeof key);
    if (n == 0 || (keys.revents & (POLLHUP | POLLERR)))
        return true;
    for (ssize_t i = 0; i < n; i++)
        if (key[i] == 'q' || key[i] == 'Q' || key[i] == 3)
            return true;
        else if (key[i] == 's' || key[i] == 'S' || key[i] == '\t')
            top->shows_stream = !top->shows_stream;
    return asked_to_end;
}

static int watch(struct top *top)
{
    AUTO(buf) struct buf out;
    unsigned http_status;
    buf_init(&out, 1 << 20);
    if (!terminal_take()) {
        fputs("weir top: this is no terminal: use --once, or --once --json\n", stderr);
        return EX_USAGE;
    }
    do {
        if (look(top, &http_status) != OK)
            top->rate = 0; /* shown at the bottom; it may come back */
        buf_reset(&out);
        top_add_frame(&out, top, true);
        put(out.p, out.n);
    } while (!wait_for_key(top));
    terminal_restore();
    return EX_OK;
}

static int print_once(struct top *top)
{
    unsigned http_status;
    AUTO(buf) struct buf out;
    buf_init(&out, 1 << 20);
    poll(NULL, 0, (int)top->options->interval_ms); /* a rate needs two looks */
    enum status s = look(top, &http_status);
    if (s != OK) {
        fprintf(stderr, "weir top: %s\n", top->trouble.text);
        return http_client_exit_code(s, http_status);
    }
    if (top->options->json)
        top_add_json(&out, top);
    else
        top_add_frame(&out, top, false);
    put(out.p, out.n);
    return EX_OK;
}

int command_top(int argc, char **argv)
{
    static struct top top = {
        .stages = { { .metric = "ingestion_latency_seconds", .label = "received → on disk", .json_name = "accept" },
                    { .metric = "process_latency_seconds", .label = "on disk → processed", .json_name = "process" },
                    { .metric = "accepted_to_queryable_seconds",
                      .label = "accepted → queryable",
                      .json_name = "queryable" } },
        .journal_bytes = -1,
        .store_lag_s = -1,
        .memory_bytes = -1
    };
    static struct top_options options;
    int exit_code;
    unsigned http_status;
    if (!args_parse(&TOP, argc, argv, &options, &exit_code))
        return exit_code;
    if (options.json && !options.once)
        return args_usage_error(&TOP, "--json goes with --once");
    for (size_t i = 0; i < COUNT_OF(top.stages); i++)
        top.stages[i].p50_ms = -1;
    top.options = &options;
    top.shows_stream = options.stream;
    AUTO(http_client) struct http_client *live = NULL, *metrics = NULL;
    struct http_client_options to = { .url = options.url, .key = options.key, .timeout_ms = 5000 };
    struct http_client_options to_metrics = { .url = options.url, .key = options.token, .timeout_ms = 5000 };
    enum status s = http_client_open(&to, &live, &top.trouble);
    if (s == OK)
        s = http_client_open(&to_metrics, &metrics, &top.trouble);
    if (s != OK) {
        fprintf(stderr, "weir top: %s\n", top.trouble.text);
        return EX_USAGE;
    }
    top.live = live;
    top.metrics = metrics;
    s = look(&top, &http_status);
    if (s != OK) {
        fprintf(stderr, "weir top: %s\n", top.trouble.text);
        return http_client_exit_code(s, http_status);
    }
    return options.once ? print_once(&top) : watch(&top);
}
