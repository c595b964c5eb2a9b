/* `weir send`: events from files or standard input through HTTP, as any client would send them.
 *
 * How it works: this thread reads lines and cuts them into batches; a few sender threads, each with a connection of its
 * own, post them. A batch that meets 429 or 503 waits as long as the server says and is sent again, one that meets a
 * broken connection too: events carry ids, so a repeat counts once. Batches go through one bounded queue, so a slow
 * server slows the reading. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "base/json_text.h"
#include "base/queue.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/line_source.h"
#include "cli/term.h"
#include "http/http_client.h"
#include "world/world.h"

#define SENDERS_MAX 64
#define BATCH_BYTES 400000
#define FLUSH_US 100000 /* a slow input is sent on after this long */
#define LATENCIES_MAX 200000
#define FAILURES_MAX 50 /* tries of one batch before it is given up */

struct send_options {
    const char *url, *key, *path;
    int64_t batch, connections;
    double rate;
    bool json, quiet;
    struct args_rest files;
};

static const struct arg ARGS[] = {
    ARG_TEXT_ENV(struct send_options, url, "url", 'u', "URL", "http://127.0.0.1:8000", "WEIR_INGEST_URL",
                 "where weir takes events"),
    ARG_TEXT_ENV(struct send_options, key, "key", 'k', "KEY", NULL, "WEIR_WRITE_KEY",
                 "write key; not needed for the open tenant of the dev environment"),
    ARG_TEXT(struct send_options, path, "path", 0, "PATH", "/track", "endpoint"),
    ARG_INTEGER(struct send_options, batch, "batch", 'b', "N", "500", 1, 10000, "events in a request, at most"),
    ARG_INTEGER(struct send_options, connections, "connections", 'c', "N", "2", 1, SENDERS_MAX,
                "requests at one time; 1 keeps the order of the input"),
    ARG_REAL(struct send_options, rate, "rate", 'r', "N", "0", "events a second at most; 0: as fast as they are taken"),
    ARG_FLAG(struct send_options, json, "json", 0, "one JSON object at the end instead of text"),
    ARG_FLAG(struct send_options, quiet, "quiet", 'q', "no progress bar"),
    ARG_REST(struct send_options, files, "FILE", 1, 4096, "NDJSON, also .gz .zst .xz; - for standard input"),
};

static const struct args_command SEND = {
    .name = "send",
    .summary = "send events from files through HTTP",
    .description = "Sends NDJSON events in batches and says how many were accepted, how many rejected and why, and how "
                   "long the answers took.\n"
                   "Sending a file twice changes nothing where its events carry an event_id.",
    .examples = "  weir send events.ndjson.xz --key wk_…\n"
                "  weir generate --live --rate 50 | weir send -\n"
                "  weir send - --rate 1000 < events.ndjson\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

struct batch {
    struct buf body;
    uint64_t events;
};

struct send_run {
    const struct send_options *options;
    struct queue *queue;
    struct bell *room;
    _Atomic uint64_t accepted, rejected, sent, failed, repeats, requests;
    _Atomic int exit_code;
    _Atomic uint32_t latency_count;
    uint32_t latency_us[LATENCIES_MAX]; /* of the first so many requests */
    char first_problem[ERROR_TEXT_MAX];
    _Atomic bool has_problem;
    int64_t began_us;
};

static int64_t now_us(void)
{
    return world_mono_us(world_real());
}

static void pause_ms(int64_t ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static void note_problem(struct send_run *run, const char *text)
{
    bool before = false;
    if (atomic_compare_exchange_strong(&run->has_problem, &before, true))
        snprintf(run->first_problem, sizeof run->first_problem, "%s", text);
}

static uint64_t number_behind(struct slice body, const char *name)
{
    const char *at = body.n ? memmem(body.p, body.n, name, strlen(name)) : NULL;
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* True: the answer was taken in. False: try again after *wait_ms. */
static bool take_answer(struct send_run *run, const struct http_reply *reply, const struct batch *batch,
                        int64_t *wait_ms)
{
    struct error err;
    if (reply->status == 200) {
        uint64_t rejected = number_behind(reply->body, "\"rejected\":");
        atomic_fetch_add(&run->accepted, number_behind(reply->body, "\"accepted\":"));
        atomic_fetch_add(&run->rejected, rejected);
        struct buf message;
        buf_init(&message, 400);
        const char *first = rejected ? memmem(reply->body.p, reply->body.n, "{\"index\"", 8) : NULL;
        if (first) {
            size_t n = (size_t)(reply->body.p + reply->body.n - first);
            const char *end = memchr(first, '}', n);
            buf_add_format(&message, "rejected: %.*s", (int)(end ? end - first + 1 : (long)(n < 300 ? n : 300)), first);
            note_problem(run, buf_text(&message));
        }
        buf_done(&message);
        uint32_t slot = atomic_fetch_add(&run->latency_count, 1);
        if (slot < LATENCIES_MAX)
            run->latency_us[slot] = reply->elapsed_us > UINT32_MAX ? UINT32_MAX : (uint32_t)reply->elapsed_us;
        return true;
    }
    enum status s = http_reply_error(reply, "send", &err);
    note_problem(run, err.text);
    if (s == ERR_RETRY) {
        *wait_ms = reply->retry_after_ms > 0 ? reply->retry_after_ms : 200;
        return false;
    }
    atomic_store(&run->exit_code, http_client_exit_code(s, reply->status));
    atomic_fetch_add(&run->failed, batch->events);
    return true;
}

static void send_batch(struct send_run *run, struct http_client *client, const struct batch *batch)
{
    for (int failures = 0; failures < FAILURES_MAX; failures++) {
        struct http_reply reply;
        struct error err;
        int64_t wait_ms = failures < 10 ? 100 << (failures / 2) : 3000;
        enum status s = http_client_send(client, "POST", run->options->path, "application/x-ndjson",
                                         buf_slice(&batch->body), NULL, &reply, &err);
        atomic_fetch_add(&run->requests, 1);
        if (s == OK && take_answer(run, &reply, batch, &wait_ms)) {
            atomic_fetch_add(&run->sent, batch->events);
            return;
        }
        if (s != OK)
            note_problem(run, err.text);
        if (s != OK && failures >= 8 && atomic_load(&run->sent) == 0)
            break; /* nobody ever answered */
        atomic_fetch_add(&run->repeats, 1);
        pause_ms(wait_ms);
    }
    atomic_fetch_add(&run->failed, batch->events);
    atomic_store(&run->exit_code, EX_UNAVAILABLE);
}

static void batch_free(struct batch *batch)
{
    buf_done(&batch->body);
    free(batch);
}

static void *sender_run(void *argument)
{
    struct send_run *run = argument;
    struct http_client_options options = { .url = run->options->url, .key = run->options->key, .key_is_basic = true };
    struct http_client *client;
    struct error err;
    if (http_client_open(&options, &client, &err) != OK) {
        note_problem(run, err.text);
        atomic_store(&run->exit_code, EX_USAGE);
        client = NULL;
    }
    while (!queue_is_finished(run->queue)) {
        struct batch *batch = queue_pop(run->queue);
        if (!batch) {
            pause_ms(1);
            continue;
        }
        bell_ring(run->room);
        if (client && atomic_load(&run->exit_code) == EX_OK)
            send_batch(run, client, batch);
        else
            atomic_fetch_add(&run->failed, batch->events);
        batch_free(batch);
    }
    http_client_close(client);
    return NULL;
}

static struct batch *batch_new(void)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        abort();
    buf_init(&batch->body, BATCH_BYTES + LINE_BYTES_MAX + 2);
    return batch;
}

static void hand_over(struct send_run *run, struct batch **batch)
{
    while (queue_push(run->queue, *batch) != OK)
        bell_wait(run->room, 10000);
    *batch = batch_new();
}

static void keep_rate(const struct send_run *run, uint64_t read)
{
    if (run->options->rate <= 0)
        return;
    int64_t due_us = run->began_us + (int64_t)((double)read / run->options->rate * 1e6), now = now_us();
    if (due_us > now + 1000)
        pause_ms((due_us - now) / 1000);
}

static void draw(struct send_run *run, struct term_progress *progress, const struct line_source *source)
{
    if (run->options->quiet || run->options->json)
        return;
    uint64_t done, total;
    char detail[96];
    line_source_progress(source, &done, &total);
    progress->total = total;
    double seconds = (double)(now_us() - run->began_us) / 1e6;
    uint64_t sent = atomic_load(&run->sent);
    snprintf(detail, sizeof detail, "%lu events, %.0f/s", sent, seconds > 0 ? (double)sent / seconds : 0);
    term_progress_draw(progress, done, detail, now_us());
}

/* True: the whole file was read. */
static bool send_file(struct send_run *run, const char *path, struct batch **batch, uint64_t *read)
{
    struct line_source *source;
    struct error err;
    struct slice line;
    if (line_source_open(path, &source, &err) != OK) {
        fprintf(stderr, "weir send: %s\n", err.text);
        atomic_store(&run->exit_code, EX_NOINPUT);
        return false;
    }
    struct term_progress progress = { 0 };
    term_progress_start(&progress, path, 0, now_us());
    uint64_t in_batch_max = (uint64_t)run->options->batch;
    if (run->options->rate > 0 && run->options->rate / 20 < (double)in_batch_max)
        in_batch_max = (uint64_t)(run->options->rate / 20) + 1;
    int64_t oldest_us = now_us();
    enum line_result result;
    while ((result = line_source_next(source, 20, &line, &err)) != LINE_END && result != LINE_ERROR &&
           atomic_load(&run->exit_code) == EX_OK) {
        if (result == LINE_ONE && slice_trim(line).n) {
            if ((*batch)->events++ == 0)
                oldest_us = now_us();
            buf_add_slice(&(*batch)->body, line);
            buf_add_char(&(*batch)->body, '\n');
            ++*read;
        }
        bool due = (*batch)->events >= in_batch_max || (*batch)->body.n >= BATCH_BYTES ||
                   (result == LINE_NONE && now_us() - oldest_us > FLUSH_US);
        if ((*batch)->events && due) {
            hand_over(run, batch);
            keep_rate(run, *read);
        }
        draw(run, &progress, source);
    }
    term_progress_end(&progress);
    line_source_close(source);
    if (result == LINE_ERROR) {
        fprintf(stderr, "weir send: %s\n", err.text);
        atomic_store(&run->exit_code, EX_DATAERR);
    }
    return result == LINE_END;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(const struct send_run *run, uint32_t n, double q)
{
    return n ? run->latency_us[(uint32_t)(q * (n - 1))] / 1000.0 : 0;
}

static void report(struct send_run *run, uint64_t read)
{
    uint32_t n = atomic_load(&run->latency_count) < LATENCIES_MAX ? atomic_load(&run->latency_count) : LATENCIES_MAX;
    qsort(run->latency_us, n, sizeof run->latency_us[0], by_size);
    double seconds = (double)(now_us() - run->began_us) / 1e6;
    uint64_t accepted = atomic_load(&run->accepted), rejected = atomic_load(&run->rejected),
             failed = atomic_load(&run->failed);
    if (run->options->json) {
        printf("{\"read\":%lu,\"accepted\":%lu,\"rejected\":%lu,\"failed\":%lu,\"repeats\":%lu,\"seconds\":%.3f,"
               "\"events_per_s\":%.0f,"
               "\"latency_ms\":{\"p50\":%.2f,\"p95\":%.2f,\"p99\":%.2f,\"max\":%.2f}}\n",
               read, accepted, rejected, failed, atomic_load(&run->repeats), seconds, (double)accepted / seconds,
               percentile_ms(run, n, 0.5), percentile_ms(run, n, 0.95), percentile_ms(run, n, 0.99),
               percentile_ms(run, n, 1));
    } else {
        const char *good = term_style(stdout, TERM_GREEN), *bad = term_style(stdout, TERM_RED),
                   *plain = term_style(stdout, TERM_PLAIN);
        printf("%s%lu accepted%s, %s%lu rejected%s", good, accepted, plain, rejected ? bad : "", rejected,
               rejected ? plain : "");
        if (failed)
            printf(", %s%lu not sent%s", bad, failed, plain);
        printf(" in %.1f s (%.0f events/s); answers p50 %.1f ms, p95 %.1f ms, p99 %.1f ms\n", seconds,
               (double)accepted / seconds, percentile_ms(run, n, 0.5), percentile_ms(run, n, 0.95),
               percentile_ms(run, n, 0.99));
    }
    if (run->has_problem)
        fprintf(stderr, "weir send: first problem: %s\n", run->first_problem);
}

int command_send(int argc, char **argv)
{
    struct send_options options;
    int exit_code;
    if (!args_parse(&SEND, argc, argv, &options, &exit_code))
        return exit_code;
    struct send_run *run = calloc(1, sizeof *run);
    if (!run)
        abort();
    run->options = &options;
    run->room = bell_new();
    run->queue = queue_new("send", (size_t)options.connections * 2, (struct waker){ 0 });
    run->began_us = now_us();
    pthread_t threads[SENDERS_MAX];
    for (int64_t i = 0; i < options.connections; i++)
        if (pthread_create(&threads[i], NULL, sender_run, run) != 0)
            abort();
    struct batch *batch = batch_new();
    uint64_t read = 0;
    for (int64_t i = 0; i < options.files.count; i++)
        if (!send_file(run, options.files.items[i], &batch, &read))
            break;
    if (batch->events && atomic_load(&run->exit_code) == EX_OK)
        hand_over(run, &batch);
    queue_close(run->queue);
    for (int64_t i = 0; i < options.connections; i++)
        pthread_join(threads[i], NULL);
    batch_free(batch);
    report(run, read);
    exit_code = atomic_load(&run->exit_code);
    if (exit_code == EX_OK && atomic_load(&run->rejected))
        exit_code = EX_DATAERR;
    queue_free(run->queue);
    bell_free(run->room);
    free(run);
    return exit_code;
}
