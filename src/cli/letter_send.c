#include "cli/letter_send.h"

#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "base/buf.h"
#include "base/json_scan.h"
#include "cli/letter_mend.h"
#include "cli/term.h"
#include "http/http_client.h"
#include "world/world.h"

#define BATCH_EVENTS 500
#define BATCH_BYTES 400000
#define TRIES_MAX 50

static void pause_ms(int64_t ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static void note_rejects(struct letter_sending *sending, struct slice answer)
{
    struct slice results;
    struct json_walk walk;
    if (sending->first_problem[0] || !json_find(answer, "results", &results))
        return;
    json_walk_begin(&walk, results);
    if (json_walk_next(&walk))
        snprintf(sending->first_problem, sizeof sending->first_problem, "refused: %.*s",
                 (int)(walk.value.n < 400 ? walk.value.n : 400), walk.value.p);
}

static enum status take_answer(struct letter_sending *sending, const struct http_reply *reply, struct error *err)
{
    struct slice value;
    uint64_t accepted = 0, rejected = 0;
    if (reply->status != 200)
        return http_reply_error(reply, "replay", err);
    if (!json_find(reply->body, "accepted", &value) || !json_scan_u64(value, &accepted) ||
        !json_find(reply->body, "rejected", &value) || !json_scan_u64(value, &rejected))
        return error_set(err, ERR_CORRUPT,
                         "the answer makes no sense: is --ingest-url the address of weir's ingestion?");
    sending->accepted += accepted;
    sending->rejected += rejected;
    note_rejects(sending, reply->body);
    return OK;
}

static enum status send_batch(struct letter_sending *sending, struct http_client *client, struct slice body,
                              int *out_exit_code, struct error *err)
{
    for (int tries = 1;; tries++) {
        struct http_reply reply = { 0 };
        enum status s =
            http_client_send(client, "POST", sending->path, "application/x-ndjson", body, NULL, &reply, err);
        unsigned status = s == OK ? reply.status : 0;
        if (s == OK)
            s = take_answer(sending, &reply, err);
        bool hopeless = !status && tries > 8 && !sending->sent; /* nobody ever answered */
        if (s != ERR_RETRY || tries == TRIES_MAX || hopeless) {
            *out_exit_code = http_client_exit_code(s, status);
            return s;
        }
        pause_ms(status && reply.retry_after_ms > 0 ? reply.retry_after_ms : 100LL << (tries < 6 ? tries : 5));
    }
}

static void draw(const struct letter_sending *sending, struct term_progress *progress)
{
    char detail[64];
    snprintf(detail, sizeof detail, "%llu events", (unsigned long long)sending->sent);
    if (!sending->quiet)
        term_progress_draw(progress, sending->sent, detail, world_mono_us(world_real()));
}

enum status letter_send(struct letter_sending *sending, FILE *lines, int *out_exit_code, struct error *err)
{
    AUTO(http_client) struct http_client *client = NULL;
    AUTO(buf) struct buf body;
    struct http_client_options to = { .url = sending->url, .key = sending->key, .key_is_basic = true };
    struct term_progress progress = { 0 };
    char *line = NULL;
    size_t room = 0, in_batch = 0;
    ssize_t n = 0;
    buf_init(&body, BATCH_BYTES + LETTER_LINE_MAX);
    *out_exit_code = EX_USAGE;
    enum status s = http_client_open(&to, &client, err);
    term_progress_start(&progress, "replay", sending->lines, world_mono_us(world_real()));
    while (s == OK && n >= 0) {
        n = getline(&line, &room, lines);
        if (n > 0 && slice_trim(slice_of(line, (size_t)n)).n) {
            buf_add(&body, line, (size_t)n);
            in_batch++;
        }
        if (!in_batch || (n >= 0 && in_batch < BATCH_EVENTS && body.n < BATCH_BYTES))
            continue;
        s = body.full ? error_set(err, ERR_FULL, "a line is longer than %u MiB", LETTER_LINE_MAX >> 20)
                      : send_batch(sending, client, buf_slice(&body), out_exit_code, err);
        sending->sent += s == OK ? in_batch : 0;
        in_batch = 0;
        buf_reset(&body);
        draw(sending, &progress);
    }
    term_progress_end(&progress);
    free(line);
    return s;
}
