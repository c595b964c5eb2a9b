/* `weir generate`: believable events on standard output, as many as asked for or, with --live, as time goes by. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/generate.h"
#include "cli/synth.h"
#include "cli/synth_faults.h"
#include "cli/term.h"
#include "config/generate_hint.h"
#include "registry/registry.h"
#include "world/world.h"

#define DAY_MS INT64_C(86400000)
#define WARM_UP_MS INT64_C(1800000)
#define SHOP_VISITORS 5000
#define DEFAULT_TENANT "demo_tenant"

static const struct arg ARGS[] = {
    ARG_TEXT(struct generate_options, domain, "domain", 0, "NAME", NULL,
             "events of this domain's declared types, as its file says; unless said, a small shop that is built in"),
    ARG_TEXT(struct generate_options, config, "config", 'c', "DIR", "config", "directory with domains/"),
    ARG_INTEGER(struct generate_options, events, "events", 'n', "N", "0", 0, 1000000000000,
                "how many; 0: until --days or --for are over, or for ever"),
    ARG_INTEGER(struct generate_options, count, "count", 0, "N", "0", 0, 1000000000000, "the same as --events"),
    ARG_REAL(struct generate_options, rate, "rate", 'r', "N", "5", "mean events a second, in the events' own time"),
    ARG_INTEGER(struct generate_options, seed, "seed", 's', "N", "1", 0, INT64_MAX,
                "the same seed gives the same bytes"),
    ARG_INTEGER(struct generate_options, visitors, "visitors", 0, "N", "0", 0, GENERATE_VISITORS_MAX,
                "how many people (or devices) there are; 0: 5000, with --domain as its file says, or by the rate"),
    ARG_TEXT(struct generate_options, tenant, "tenant", 't', "NAME", DEFAULT_TENANT,
             "customer_id of the events; empty: leave it out"),
    ARG_TEXT(struct generate_options, start, "start", 0, "TIME", NULL,
             "time of the first event; 2026-01-05T00:00:00Z unless said, with --live now"),
    ARG_INTEGER(struct generate_options, days, "days", 'd', "N", "0", 0, 36500,
                "stop after so many days of event time; with --live: history up to now, first"),
    ARG_DURATION(struct generate_options, for_ms, "for", 0, "TIME", "0", "as --days, but 10m, 2h, 7d"),
    ARG_TEXT(struct generate_options, until, "until", 'u', "TIME", NULL,
             "history: it ends then (or: now), and begins --days before, or at --start"),
    ARG_FLAG(struct generate_options, live, "live", 'l',
             "as time goes by: each event when it happens, until it is ended"),
    ARG_REAL(struct generate_options, growth, "growth", 0, "PERCENT", "0", "more visitors each week, up to --rate"),
    ARG_REAL(struct generate_options, surge, "surge", 0, "N", "0",
             "events a second more at the end: a campaign that began three hours before"),
    ARG_REAL(struct generate_options, faults, "faults", 0, "PERCENT", "0",
             "events that are broken on their way, or sent twice"),
    ARG_PERCENT(struct generate_options, bad, "bad", 0, "PERCENT", "0",
                "with --domain: events that break what is declared, each saying how in its context"),
    ARG_PERCENT(struct generate_options, late, "late", 0, "PERCENT", "0",
                "with --domain: events that are sent a minute to an hour after they happened"),
    ARG_PERCENT(struct generate_options, duplicates, "duplicates", 0, "PERCENT", "0",
                "with --domain: events that are sent again within a minute"),
    ARG_TEXT(struct generate_options, output, "output", 'o', "FILE", NULL, "write there, not to standard output"),
    ARG_TEXT(struct generate_options, url, "url", 0, "URL", NULL,
             "with --domain: send them to a running weir, such as http://127.0.0.1:8000"),
    ARG_TEXT_ENV(struct generate_options, key, "key", 'k', "KEY", NULL, "WEIR_WRITE_KEY",
                 "write key for --url; not needed for the open tenant of the dev environment"),
    ARG_TEXT(
        struct generate_options, kafka, "kafka", 0, "HOST:PORT,…", NULL,
        "with --domain: into a topic of these brokers, each event once; kafka.security and those behind it are read "
        "from --config"),
    ARG_TEXT(struct generate_options, topic, "topic", 0, "NAME", NULL, "of --kafka; it must be there"),
    ARG_TEXT(struct generate_options, format, "format", 'f', "json|avro", "json",
             "of --kafka; avro: in Confluent's framing, as the events are kept (weir schema avro)"),
    ARG_TEXT(struct generate_options, registry, "registry", 0, "URL", NULL,
             "of --format avro: where the schemas go; default: the setting registry.url"),
    ARG_TEXT(struct generate_options, subjects, "subject-strategy", 0, SUBJECT_STRATEGIES, "topic-record",
             "how the schemas' subjects are named, as of weir schema register"),
    ARG_TEXT(struct generate_options, env, "env", 'e', "NAME", NULL,
             "of --kafka: environments/NAME.yaml; unless said dev, where that is there"),
    ARG_FLAG(struct generate_options, progress, "progress", 0, "a bar on standard error, where that is a terminal"),
    ARG_FLAG(struct generate_options, json, "json", 0,
             "with --domain: what was made as one JSON object at the end, on standard error"),
    ARG_FLAG(struct generate_options, quiet, "quiet", 'q', "with --domain: nothing is said at the end"),
};

static const struct args_command GENERATE = {
    .name = "generate",
    .summary = "make believable events",
    .description =
        "Writes the traffic of a small shop as NDJSON: visitors who return, sessions that browse, search, "
        "fill a cart, buy or\n"
        "leave, with the rhythm of days and weeks and a long tail of products. Not random noise, and the "
        "same for the same seed.\n"
        "With --domain the events are those that the domain's file declares (docs/generate.md): right in every "
        "field, but for\n"
        "the share that --bad breaks.",
    .examples = "  weir generate --events 100000 --seed 7 > events.ndjson\n"
                "  weir generate --days 7 --rate 2 | weir send -\n"
                "  weir generate --until now --days 30 --growth 8 --faults 0.5 --progress | weir send - --quiet\n"
                "  weir generate --live --rate 50 | weir send -\n"
                "  weir generate --domain shop --live --rate 50 --url http://127.0.0.1:8000 --key wk_…\n"
                "  weir generate --domain shop --count 1000000 --kafka kafka1:9092 --topic events --format avro "
                "--registry http://registry:8081\n"
                "  weir generate --domain shop --rate 5000 --for 10m --seed 7 --bad 0.1% --late 1% --duplicates 1% > "
                "events.ndjson\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

/* False: whoever reads has gone. */
static bool write_out(struct buf *out)
{
    size_t done = 0;
    while (done < out->n) {
        ssize_t n = write(STDOUT_FILENO, out->p + done, out->n - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    buf_reset(out);
    return true;
}

/* Until the moment of the event. What was written so far leaves first. */
static bool wait_for(int64_t at_ms, struct buf *out)
{
    for (;;) {
        int64_t ms = at_ms - world_wall_ms(world_real());
        if (ms <= 0)
            return true;
        if (out->n && !write_out(out))
            return false;
        struct timespec pause = { 0, (ms < 100 ? ms : 100) * 1000000 };
        nanosleep(&pause, NULL);
    }
}

static struct synth *make_synth(const struct generate_options *options, int64_t start_ms, int64_t end_ms)
{
    struct synth_options synth_options = {
        .seed = (uint64_t)options->seed,
        .customer_id = options->tenant,
        .visitors = options->visitors ? (uint32_t)options->visitors : SHOP_VISITORS,
        .events_per_s = options->rate,
        .start_ms = start_ms,
        .end_ms = end_ms,
        .flat = options->live && !options->days,
        .anchor_ms = options->until  ? end_ms
                     : options->live ? world_wall_ms(world_real())
                                     : start_ms,
        .growth_per_week = log1p(options->growth / 100),
        .surge_events_per_s = options->surge,
    };
    return synth_new(&synth_options);
}

static void draw(struct term_progress *progress, int64_t start_ms, int64_t at_ms, int64_t made)
{
    char day[TIMESTAMP_TEXT_BYTES], detail[64];
    timestamp_format(at_ms, day);
    snprintf(detail, sizeof detail, "%.10s, %ld events", day, made);
    term_progress_draw(progress, (uint64_t)(at_ms - start_ms), detail, world_mono_us(world_real()));
}

static int run(const struct generate_options *options, const struct generate_stretch *stretch)
{
    int64_t start_ms = stretch->start_ms, end_ms = stretch->end_ms;
    struct synth *synth = make_synth(options, start_ms, end_ms);
    struct synth_faults faults = { (uint64_t)options->seed ^ (uint64_t)start_ms, options->faults / 100 };
    struct term_progress progress = { 0 };
    term_progress_start(&progress, "history", (uint64_t)(end_ms - start_ms), world_mono_us(world_real()));
    progress.by_share = true; /* of time */
    struct buf out, one;
    buf_init(&out, 1 << 20);
    buf_init(&one, 1 << 16);
    int64_t at_ms, made = 0;
    bool reader = true;
    while (reader && (options->events == 0 || made < options->events) && synth_next(synth, &one, &at_ms)) {
        if (at_ms >= stretch->from_ms) {
            if (options->live)
                reader = wait_for(at_ms, &out);
            synth_faults_add(&faults, &out, buf_slice(&one));
            made++;
        }
        buf_reset(&one);
        if (out.n > 60000) {
            reader = reader && write_out(&out);
            if (options->progress && end_ms != INT64_MAX)
                draw(&progress, start_ms, at_ms, made);
        }
    }
    if (reader)
        (void)write_out(&out);
    term_progress_end(&progress);
    synth_free(synth);
    buf_done(&out);
    buf_done(&one);
    return EX_OK;
}

static const char *wrong_with(const struct generate_options *options)
{
    if (!(options->rate > 0 && options->rate <= 1e7) || !(options->surge >= 0 && options->surge <= 1e7))
        return "--rate must be above 0, --surge at least 0, and both at most 10,000,000";
    if (!(options->growth > -90 && options->growth <= 1000) || !(options->faults >= 0 && options->faults <= 100))
        return "--growth is a percentage above -90 and up to 1000, --faults one from 0 to 100";
    if (options->live && options->until)
        return "--live or --until? history ends where live traffic begins: run one after the other";
    if (options->days && options->for_ms)
        return "--days or --for? They say the same";
    if (!options->events && !options->days && !options->for_ms && !options->live && !options->until)
        return "how many? --events N, --for TIME, --days N, --until TIME or --live";
    if (options->domain && (options->growth != 0 || options->surge > 0 || options->faults > 0))
        return "--growth, --surge and --faults are of the shop that is built in; with --domain say --bad, --late, "
               "--duplicates";
    if (!options->domain && options->rate + options->surge > SYNTH_RATE_MAX)
        return "the shop that is built in has room for a --rate (with --surge) of 100,000; --domain NAME takes more";
    if (!options->domain && (options->bad > 0 || options->late > 0 || options->duplicates > 0))
        return "--bad, --late and --duplicates want --domain NAME";
    return generate_output_wrong(options);
}

/* EX_OK, or EX_USAGE: said why. */
static int find_stretch(const struct generate_options *options, struct generate_stretch *out)
{
    const char *start = options->start ? options->start : "2026-01-05T00:00:00Z";
    int64_t now_ms = world_wall_ms(world_real()), from_ms, end_ms = INT64_MAX;
    if (!timestamp_parse(slice_from(start), &from_ms))
        return args_usage_error(&GENERATE, "--start '%s' is not a time like 2026-01-05T00:00:00Z", start);
    if (options->until && strcmp(options->until, "now") == 0)
        end_ms = now_ms;
    else if (options->until && !timestamp_parse(slice_from(options->until), &end_ms))
        return args_usage_error(&GENERATE, "--until '%s' is neither now nor a time like 2026-01-05T00:00:00Z",
                                options->until);
    int64_t length_ms = options->for_ms ? options->for_ms : options->days * DAY_MS;
    if (options->until && length_ms)
        from_ms = end_ms - length_ms;
    else if (options->live && (options->days || !options->start))
        from_ms = now_ms - options->days * DAY_MS;
    else if (length_ms)
        end_ms = from_ms + length_ms;
    if (options->live && options->for_ms)
        end_ms = from_ms + options->for_ms;
    if (end_ms <= from_ms)
        return args_usage_error(&GENERATE, "--start '%s' is not before --until", start);
    *out = (struct generate_stretch){ options->live ? from_ms - WARM_UP_MS : from_ms, from_ms, end_ms };
    return EX_OK;
}

int command_generate(int argc, char **argv)
{
    struct generate_options options;
    int exit_code;
    if (!args_parse(&GENERATE, argc, argv, &options, &exit_code))
        return exit_code;
    if (options.count)
        options.events = options.count;
    if (options.url && options.key && options.key[0] && strcmp(options.tenant, DEFAULT_TENANT) == 0)
        options.tenant = ""; /* the key says whose they are */
    const char *wrong = wrong_with(&options);
    if (wrong)
        return args_usage_error(&GENERATE, "%s", wrong);
    struct generate_stretch stretch = { 0 };
    exit_code = find_stretch(&options, &stretch);
    if (exit_code != EX_OK)
        return exit_code;
    return options.domain ? generate_domain(&options, &stretch) : run(&options, &stretch);
}
