/* `weir generate --domain`: the domain's file is loaded and checked as `weir check` does, then its events are made and
 * handed on in pieces; in the end is said what they were, so that a test can compare. */
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/timestamp.h"
#include "cli/generate.h"
#include "cli/generate_output.h"
#include "cli/term.h"
#include "config/problems.h"
#include "generate/generator.h"
#include "http/http_client.h"
#include "world/world.h"

#define PIECE_BYTES (256u << 10)
#define PIECE_BYTES_MAX (16u << 20)
#define DAY_MS INT64_C(86400000)

struct making {
    const struct generate_options *options;
    const struct generate_stretch *stretch;
    struct generator *generator;
    struct generate_output *output;
    struct term_progress progress;
    struct buf piece;
    int64_t began_us;
    bool draws;
};

static int64_t now_us(void)
{
    return world_mono_us(world_real());
}

static enum status load(const char *directory, struct domain_set **out)
{
    struct problems problems;
    struct error err;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    enum status s = domain_set_load(directory, world_real(), out, &problems, &err);
    if (s != OK)
        fprintf(stderr, "%sweir generate: %s\n", problems_text(&problems), err.text);
    problems_done(&problems);
    return s;
}

static enum status open_generator(const struct generate_options *options, const struct generate_stretch *stretch,
                                  const struct domain_set *domains, struct generator **out, struct error *err)
{
    /* A day's rhythm is for days: --rate 5000 means 5,000 a second of ten minutes. */
    bool short_time = stretch->end_ms - stretch->from_ms < DAY_MS ||
                      (options->events && (double)options->events < options->rate * (double)DAY_MS / 1000);
    const struct generator_options generator = { .seed = (uint64_t)options->seed,
                                                 .customer_id = options->tenant,
                                                 .events_per_s = options->rate,
                                                 .start_ms = stretch->from_ms,
                                                 .end_ms = stretch->end_ms,
                                                 .events_max = options->events,
                                                 .visitors = options->visitors,
                                                 .flat = short_time || (options->live && !options->days),
                                                 .has_all_money = strcmp(options->format, "avro") == 0,
                                                 .bad = options->bad / 100,
                                                 .late = options->late / 100,
                                                 .duplicates = options->duplicates / 100 };
    return generator_new(domains, slice_from(options->domain), &generator, out, err);
}

/* ---- while it goes on ---- */

/* A bar unless standard output is read by a program that may draw one itself. */
static bool wants_bar(const struct generate_options *options)
{
    struct stat what;
    if (options->progress || options->output || options->url || options->kafka)
        return !options->quiet;
    return !options->quiet && fstat(STDOUT_FILENO, &what) == 0 && S_ISREG(what.st_mode);
}

static void draw(struct making *making, int64_t at_ms)
{
    char detail[80];
    const struct generate_options *options = making->options;
    int64_t made = generator_counts(making->generator)->events, us = now_us() - making->began_us;
    snprintf(detail, sizeof detail, "%ld events, %.0f/s", made, us > 0 ? (double)made * 1e6 / (double)us : 0);
    uint64_t done = options->events ? (uint64_t)made : (uint64_t)(at_ms - making->stretch->from_ms);
    term_progress_draw(&making->progress, done, detail, now_us());
}

static bool hand_on(struct making *making, int64_t at_ms)
{
    if (making->draws)
        draw(making, at_ms);
    return making->output->write(making->output, &making->piece);
}

/* Until the moment of the event. What was made so far leaves first. */
static bool wait_for(struct making *making, int64_t at_ms)
{
    for (;;) {
        int64_t ms = at_ms - world_wall_ms(world_real());
        if (ms <= 0)
            return true;
        if (making->piece.n && !hand_on(making, at_ms))
            return false;
        struct timespec pause = { 0, (ms < 100 ? ms : 100) * 1000000 };
        nanosleep(&pause, NULL);
    }
}

static void make(struct making *making)
{
    int64_t at_ms = making->stretch->from_ms;
    size_t before = 0;
    while (generator_next(making->generator, &making->piece, &at_ms)) {
        if (making->options->live) {
            size_t end = making->piece.n;
            making->piece.n = before; /* the new one is not handed on before its time */
            bool goes_on = wait_for(making, at_ms);
            if (!goes_on)
                return;
            memmove(making->piece.p + making->piece.n, making->piece.p + before, end - before);
            making->piece.n += end - before;
        }
        if (making->piece.n >= PIECE_BYTES && !hand_on(making, at_ms))
            return;
        before = making->piece.n;
    }
    (void)hand_on(making, at_ms);
}

/* ---- the end ---- */

static void add_json(const struct generator_counts *counts, double seconds, struct buf *out)
{
    int64_t broken = 0;
    for (int i = 0; i < BREAK_KINDS; i++)
        broken += counts->broken[i];
    buf_add_format(out,
                   "{\"events\":%ld,\"broken\":%ld,\"refused\":%ld,\"late\":%ld,\"duplicates\":%ld,\"broken_by\":{",
                   counts->events, broken, counts->refused, counts->late, counts->duplicates);
    for (int i = 0; i < BREAK_KINDS; i++)
        buf_add_format(out, "%s\"%s\":%ld", i ? "," : "", break_kind_name((enum break_kind)i), counts->broken[i]);
    buf_add_format(out, "},\"seconds\":%.3f}\n", seconds);
}

static void add_words(const struct generator_counts *counts, double seconds, struct buf *out)
{
    term_add_grouped(out, (uint64_t)counts->events);
    buf_add_text(out, " events");
    const char *between = " (";
    for (int i = 0; i < BREAK_KINDS; i++) {
        if (!counts->broken[i])
            continue;
        buf_add_format(out, "%s%s %ld", between == (void *)0 ? "" : between, break_kind_name((enum break_kind)i),
                       counts->broken[i]);
        between = ", ";
    }
    buf_add_text(out, between[0] == ',' ? " broken)" : "");
    if (counts->late)
        buf_add_format(out, ", %ld of them late", counts->late);
    if (counts->duplicates)
        buf_add_format(out, ", and %ld sent twice", counts->duplicates);
    buf_add_format(out, " in %.1f s (%.0f/s)\n", seconds, seconds > 0 ? (double)counts->events / seconds : 0);
}

static void report(const struct making *making)
{
    const struct generate_options *options = making->options;
    double seconds = (double)(now_us() - making->began_us) / 1e6;
    struct buf text;
    buf_init(&text, 4096);
    if (options->json)
        add_json(generator_counts(making->generator), seconds, &text);
    else
        add_words(generator_counts(making->generator), seconds, &text);
    if (options->json || !options->quiet)
        fprintf(options->json && (options->output || options->url || options->kafka) ? stdout : stderr, "%s",
                buf_text(&text));
    buf_done(&text);
}

static enum status open_output(const struct generate_options *options, const struct domain_set *domains,
                               struct generate_output **out, struct error *err)
{
    if (options->kafka)
        return generate_output_kafka(options, domains, out, err);
    return options->url ? generate_output_http(options->url, options->key, out, err)
                        : generate_output_file(options->output, out, err);
}

static int exit_code_of(const struct generate_options *options, enum status s)
{
    if (s == OK)
        return EX_OK;
    if (options->kafka)
        return s == ERR_RETRY ? EX_UNAVAILABLE : EX_CONFIG;
    return options->url ? http_client_exit_code(s, 0) : EX_IOERR;
}

const char *generate_output_wrong(const struct generate_options *options)
{
    const bool avro = strcmp(options->format, "avro") == 0;
    if (!options->domain && (options->output || options->url || options->kafka))
        return "--output, --url and --kafka want --domain NAME";
    if ((options->output != NULL) + (options->url != NULL) + (options->kafka != NULL) > 1)
        return "--output, --url or --kafka? Events go to one place";
    if ((options->kafka != NULL) != (options->topic != NULL))
        return "--kafka HOST:PORT and --topic NAME go together";
    if (!options->kafka && (avro || options->registry))
        return "--format avro and --registry are of --kafka";
    if (options->registry && !avro)
        return "--registry is of --format avro";
    if (avro && options->bad > 0)
        return "--bad breaks events in ways that Avro cannot write: it wants --format json";
    return NULL;
}

static int run(struct making *making, const struct domain_set *domains)
{
    const struct generate_options *options = making->options;
    const struct generate_stretch *stretch = making->stretch;
    struct error err;
    enum status s = open_output(options, domains, &making->output, &err);
    if (s == OK) {
        buf_init(&making->piece, PIECE_BYTES_MAX);
        making->began_us = now_us();
        making->draws = wants_bar(options);
        bool endless = stretch->end_ms == INT64_MAX && !options->events;
        uint64_t total =
            endless ? 0 : (uint64_t)(options->events ? options->events : stretch->end_ms - stretch->from_ms);
        term_progress_start(&making->progress, options->domain, total, making->began_us);
        make(making);
        term_progress_end(&making->progress);
        s = making->output->close(making->output, &err);
        buf_done(&making->piece);
        report(making);
    }
    if (s != OK)
        fprintf(stderr, "weir generate: %s\n", err.text);
    return exit_code_of(options, s);
}

int generate_domain(const struct generate_options *options, const struct generate_stretch *stretch)
{
    struct domain_set *domains;
    struct error err;
    if (load(options->config, &domains) != OK)
        return EX_CONFIG;
    struct making making = { .options = options, .stretch = stretch };
    int exit_code = EX_CONFIG;
    if (open_generator(options, stretch, domains, &making.generator, &err) == OK)
        exit_code = run(&making, domains);
    else
        fprintf(stderr, "weir generate: %s\n", err.text);
    generator_free(making.generator);
    domain_set_free(domains);
    return exit_code;
}
