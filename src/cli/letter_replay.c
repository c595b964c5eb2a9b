/* `weir dead-letters replay`: select, mend, send.
 *
 *     letters (SQL) or --file ──► lines with id and time, --set ──► a scratch file ──► --filter ──► a scratch file ──►
 * HTTP
 *
 * Everything is read before anything is sent: what is refused again becomes a new letter, and a replay that met its own
 * letters would never end. The scratch files have no name, so nothing is left behind. */
#include "cli/letter_replay.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json_text.h"
#include "cli/letter_mend.h"
#include "cli/letter_send.h"
#include "cli/letters.h"
#include "cli/line_source.h"
#include "cli/term.h"
#include "world/world.h"

extern char **environ;

struct replay_options {
    const char *url, *key, *ingest_url, *write_key, *path, *stage, *reason, *since, *filter, *file;
    struct args_texts sets;
    bool all, new_ids, dry_run, json, quiet;
    int64_t limit;
    struct args_rest ids;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct replay_options, stage, "stage", 0, "STAGE", NULL, "only letters of this stage, such as ingest"),
    ARG_TEXT(struct replay_options, reason, "reason", 0, "REASON", NULL, "only letters with this reason"),
    ARG_TEXT(struct replay_options, since, "since", 0, "TIME", NULL, "only letters since then: 2h, 7d, or a time"),
    ARG_FLAG(struct replay_options, all, "all", 0, "all of the tenant's letters"),
    ARG_INTEGER(struct replay_options, limit, "limit", 'n', "N", "0", 0, 1000000000, "the first N only; 0: all"),
    ARG_TEXTS(struct replay_options, sets, "set", 's', "FIELD=VALUE",
              "change a field first; properties.x reaches into an object, FIELD= removes; may be repeated"),
    ARG_TEXT(struct replay_options, filter, "filter", 0, "CMD", NULL,
             "a shell command that gets the events as NDJSON and writes those to be sent"),
    ARG_TEXT(struct replay_options, file, "file", 'f', "FILE", NULL,
             "send this NDJSON (an edited --dry-run) instead of letters; - for standard input"),
    ARG_FLAG(struct replay_options, new_ids, "new-ids", 0,
             "give the events other ids, so that they count although theirs was seen (stage store)"),
    ARG_FLAG(struct replay_options, dry_run, "dry-run", 0, "print the events as NDJSON and send nothing"),
    ARG_TEXT_ENV(struct replay_options, url, "url", 'u', "URL", "http://127.0.0.1:8001", "WEIR_URL",
                 "address of weir's API, to read from"),
    ARG_TEXT_ENV(struct replay_options, key, "key", 'k', "KEY", "demo_read", "WEIR_KEY", "the tenant's read key"),
    ARG_TEXT_ENV(struct replay_options, ingest_url, "ingest-url", 0, "URL", "http://127.0.0.1:8000", "WEIR_INGEST_URL",
                 "where weir takes events"),
    ARG_TEXT_ENV(struct replay_options, write_key, "write-key", 0, "KEY", NULL, "WEIR_WRITE_KEY",
                 "the tenant's write key; not needed for the open tenant of the dev environment"),
    ARG_TEXT(struct replay_options, path, "path", 0, "PATH", "/track", "endpoint; /v1/identify, … as the client used"),
    ARG_FLAG(struct replay_options, json, "json", 'j', "one JSON object at the end instead of text"),
    ARG_FLAG(struct replay_options, quiet, "quiet", 'q', "no progress bar"),
    ARG_REST(struct replay_options, ids, "ID", 0, 1000, "ids as `weir dead-letters list` shows them"),
};

static const struct args_command REPLAY = {
    .name = "dead-letters replay",
    .summary = "send dead letters again, mended",
    .description =
        "Sends the originals again through ingestion, changed by --set or by a command of your own. An event keeps "
        "its\n"
        "event_id; one that has none gets an id made of its letter. So replaying twice counts once. What is refused\n"
        "again becomes a new dead letter; the old one stays.",
    .examples = "  weir dead-letters replay --reason missing_field --set event_type=view\n"
                "  weir dead-letters replay 3-1842 --set properties.price=10 --dry-run\n"
                "  weir dead-letters replay --stage transform --since 2h\n"
                "  weir dead-letters replay --reason bad_type --filter 'jq -c \".visitor_id |= tostring\"'\n"
                "  weir dead-letters replay --all --dry-run > mended.ndjson   # edit it, then\n"
                "  weir dead-letters replay --file mended.ndjson\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

struct replay {
    const struct replay_options *options;
    struct letter_sets sets;
    FILE *scratch; /* what is to be sent, as NDJSON */
    uint64_t selected, ready, skipped;
    int exit_code;
};

static enum status write_line(struct replay *replay, const struct letter_line *line, struct error *err)
{
    AUTO(buf) struct buf text;
    buf_init(&text, LETTER_LINE_MAX);
    replay->selected++;
    if (!letter_mend(line, &replay->sets, &text)) {
        replay->skipped++;
        return OK;
    }
    replay->ready++;
    replay->exit_code = EX_IOERR;
    return fwrite(text.p, 1, text.n, replay->scratch) == text.n
               ? OK
               : error_set(err, ERR_IO, "write a scratch file: %s", strerror(errno));
}

/* A row of the store (not of its events): there is nothing to send, and its event has been counted by sessions and
 * windows, so it comes again only when asked for. */
static bool is_to_skip(const struct replay *replay, const struct letter *letter)
{
    bool in_store = slice_equal(letter->stage, SLICE("store"));
    return in_store && !replay->options->new_ids;
}

static enum status take_letters(struct replay *replay, struct error *err)
{
    const struct replay_options *options = replay->options;
    struct letter_filter filter = { options->stage, options->reason, options->since, options->ids };
    struct http_client_options to = { .url = options->url, .key = options->key };
    AUTO(http_client) struct http_client *client = NULL;
    AUTO(letters) struct letters *letters = NULL;
    const struct letter *letter = NULL;
    replay->exit_code = EX_USAGE;
    enum status s = http_client_open(&to, &client, err);
    if (s == OK)
        s = letters_open(client, &filter, world_wall_ms(world_real()), false, (uint64_t)options->limit, &letters, err);
    while (s == OK) {
        s = letters_next(letters, &letter, &replay->exit_code, err);
        if (s != OK || !letter)
            return s;
        if (is_to_skip(replay, letter)) {
            replay->selected++;
            replay->skipped++;
            continue;
        }
        struct letter_line line = { letter->original, letter->id, letter->received_ms, options->new_ids };
        s = write_line(replay, &line, err);
    }
    return s;
}

static enum status take_file(struct replay *replay, const char *path, struct error *err)
{
    struct line_source *source;
    struct slice text;
    enum line_result result;
    replay->exit_code = EX_NOINPUT;
    enum status s = line_source_open(path, &source, err);
    if (s != OK)
        return s;
    while (s == OK && (result = line_source_next(source, 100, &text, err)) != LINE_END) {
        if (result == LINE_ERROR) {
            replay->exit_code = EX_DATAERR;
            s = ERR_INVALID;
        } else if (result == LINE_ONE && slice_trim(text).n) {
            struct letter_line line = { .original = text, .new_id = replay->options->new_ids };
            s = write_line(replay, &line, err);
        }
    }
    line_source_close(source);
    return s;
}

/* Runs the command with the scratch file as its input; what it writes is the scratch file from now on. */
static enum status run_filter(struct replay *replay, const char *command, struct error *err)
{
    char *words[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    FILE *filtered = tmpfile();
    replay->exit_code = EX_IOERR;
    if (!filtered)
        return error_set(err, ERR_IO, "make a scratch file: %s", strerror(errno));
    rewind(replay->scratch);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(replay->scratch), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(filtered), STDOUT_FILENO);
    int failed = posix_spawnp(&pid, "sh", &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (!failed && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    fclose(replay->scratch);
    replay->scratch = filtered;
    if (failed)
        return error_set(err, ERR_IO, "run sh: %s", strerror(failed));
    replay->exit_code = EX_DATAERR;
    if (status != 0)
        return error_set(err, ERR_INVALID, "--filter ended with %s %d; nothing was sent",
                         WIFSIGNALED(status) ? "signal" : "exit code",
                         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return OK;
}

/* What a command wrote may lack ids (bytes that were no JSON before): such a line's id is made of its content. */
static enum status mend_filtered(struct replay *replay, struct error *err)
{
    static const struct args_texts NOTHING;
    char *text = NULL;
    size_t room = 0;
    ssize_t n;
    FILE *filtered = replay->scratch;
    uint64_t selected = replay->selected;
    enum status s = letter_sets_init(&replay->sets, &NOTHING, err);
    replay->scratch = tmpfile();
    replay->ready = 0;
    rewind(filtered);
    if (!replay->scratch)
        s = error_set(err, ERR_IO, "make a scratch file: %s", strerror(errno));
    while (s == OK && (n = getline(&text, &room, filtered)) > 0) {
        struct letter_line line = { .original = slice_trim(slice_of(text, (size_t)n)) };
        if (line.original.n)
            s = write_line(replay, &line, err);
    }
    replay->selected = selected;
    free(text);
    fclose(filtered);
    return s;
}

static int print_lines(FILE *scratch)
{
    char part[65536];
    size_t n;
    while ((n = fread(part, 1, sizeof part, scratch)) > 0)
        if (fwrite(part, 1, n, stdout) != n)
            return EX_IOERR;
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static void report(const struct replay *replay, const struct letter_sending *sending)
{
    if (replay->options->json) {
        printf("{\"selected\":%lu,\"skipped\":%lu,\"sent\":%lu,\"accepted\":%lu,\"rejected\":%lu}\n", replay->selected,
               replay->skipped, sending->sent, sending->accepted, sending->rejected);
        return;
    }
    const char *good = term_style(stdout, TERM_GREEN), *bad = term_style(stdout, TERM_RED),
               *plain = term_style(stdout, TERM_PLAIN);
    if (!replay->selected) {
        puts("no dead letter fits: nothing to replay");
        return;
    }
    printf("%lu selected, %s%lu accepted%s, %s%lu rejected%s", replay->selected, good, sending->accepted, plain,
           sending->rejected ? bad : "", sending->rejected, plain);
    if (replay->skipped)
        printf(", %lu skipped", replay->skipped);
    puts("\nAn event whose id was counted before is accepted and not counted again.");
    if (replay->skipped)
        fputs(
            "weir dead-letters: skipped are bytes that are no JSON where something is to be --set, and letters of the "
            "stage store without --new-ids\n",
            stderr);
    if (sending->first_problem[0])
        fprintf(stderr, "weir dead-letters: first problem: %s\n", sending->first_problem);
}

/* Somebody who names letters wants these. */
static bool tell_lacking(const struct replay *replay)
{
    const uint64_t named = (uint64_t)replay->options->ids.count;
    if (replay->selected >= named || replay->options->limit)
        return false;
    fprintf(stderr, "weir dead-letters: %lu of %lu that are named are there: see `weir dead-letters list`\n",
            replay->selected, named);
    return true;
}

static enum status gather(struct replay *replay, struct error *err)
{
    const struct replay_options *options = replay->options;
    enum status s = options->file ? take_file(replay, options->file, err) : take_letters(replay, err);
    if (s == OK && options->filter && replay->ready) {
        s = run_filter(replay, options->filter, err);
        if (s == OK) {
            letter_sets_done(&replay->sets);
            s = mend_filtered(replay, err);
        }
    }
    if (s == OK && (fflush(replay->scratch) != 0 || fseek(replay->scratch, 0, SEEK_SET) != 0)) {
        replay->exit_code = EX_IOERR;
        s = error_set(err, ERR_IO, "write a scratch file: %s", strerror(errno));
    }
    return s;
}

static int run(struct replay *replay)
{
    const struct replay_options *options = replay->options;
    struct error err;
    struct letter_sending sending = { .url = options->ingest_url,
                                      .key = options->write_key,
                                      .path = options->path,
                                      .quiet = options->quiet || options->json };
    enum status s = gather(replay, &err);
    const bool lacks = s == OK && tell_lacking(replay);
    if (s == OK && options->dry_run) {
        const int printed = print_lines(replay->scratch);
        return printed == EX_OK && lacks ? EX_DATAERR : printed;
    }
    sending.lines = replay->ready;
    if (s == OK && replay->ready)
        s = letter_send(&sending, replay->scratch, &replay->exit_code, &err);
    if (s != OK) {
        fprintf(stderr, "weir dead-letters: %s\n", err.text);
        if (replay->exit_code == EX_NOPERM)
            fputs("weir dead-letters: letters are read with --key (WEIR_KEY), sent with --write-key (WEIR_WRITE_KEY)\n",
                  stderr);
        if (sending.sent)
            fprintf(stderr, "weir dead-letters: %lu were sent before; run it again, they count once\n", sending.sent);
        return replay->exit_code;
    }
    report(replay, &sending);
    return sending.rejected || replay->skipped || lacks ? EX_DATAERR : EX_OK;
}

int letter_replay(int argc, char **argv)
{
    struct replay_options options;
    struct error err;
    int exit_code;
    if (!args_parse(&REPLAY, argc, argv, &options, &exit_code))
        return exit_code;
    bool selects = options.stage || options.reason || options.since || options.ids.count || options.all;
    if (!selects && !options.file)
        return args_usage_error(&REPLAY, "which letters? give ids, --stage, --reason, --since, or --all");
    if (selects && options.file)
        return args_usage_error(&REPLAY, "choose letters, or --file, not both");
    struct replay replay = { .options = &options, .scratch = tmpfile() };
    if (!replay.scratch) {
        fprintf(stderr, "weir dead-letters: make a scratch file: %s\n", strerror(errno));
        return EX_IOERR;
    }
    if (letter_sets_init(&replay.sets, &options.sets, &err) == OK)
        exit_code = run(&replay);
    else
        exit_code = args_usage_error(&REPLAY, "%s", err.text);
    letter_sets_done(&replay.sets);
    if (replay.scratch)
        fclose(replay.scratch);
    return exit_code;
}
