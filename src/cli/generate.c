/* `weir generate`: believable events on standard output, as many as asked for or, with --live, as time goes by. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/synth.h"
#include "cli/term.h"
#include "world/world.h"

struct generate_options {
    int64_t events, seed, visitors, days;
    double rate;
    const char *tenant, *start;
    bool live;
};

static const struct arg ARGS[] = {
    ARG_INTEGER(struct generate_options, events, "events", 'n', "N", "0", 0, 1000000000000,
                "how many; 0: until --days are over, or for ever"),
    ARG_REAL(struct generate_options, rate, "rate", 'r', "N", "5", "mean events a second, in the events' own time"),
    ARG_INTEGER(struct generate_options, seed, "seed", 's', "N", "1", 0, INT64_MAX,
                "the same seed gives the same bytes"),
    ARG_INTEGER(struct generate_options, visitors, "visitors", 0, "N", "5000", 1, 16000000,
                "how many people there are"),
    ARG_TEXT(struct generate_options, tenant, "tenant", 't', "NAME", "demo_tenant",
             "customer_id of the events; empty: leave it out"),
    ARG_TEXT(struct generate_options, start, "start", 0, "TIME", "2026-01-05T00:00:00Z", "time of the first event"),
    ARG_INTEGER(struct generate_options, days, "days", 'd', "N", "0", 0, 36500,
                "stop after so many days of event time; with --live: history up to now, first"),
    ARG_FLAG(struct generate_options, live, "live", 'l',
             "as time goes by: each event when it happens, until it is ended"),
};

static const struct args_command GENERATE = {
    .name = "generate",
    .summary = "make believable events",
    .description = "Writes the traffic of a small shop as NDJSON: visitors who return, sessions that browse, search, "
                   "fill a cart, buy or\n"
                   "leave, with the rhythm of days and weeks and a long tail of products. Not random noise, and the "
                   "same for the same seed.",
    .examples = "  weir generate --events 100000 --seed 7 > events.ndjson\n"
                "  weir generate --days 7 --rate 2 | weir send -\n"
                "  weir generate --live --rate 50 | weir send -\n",
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

static int run(const struct generate_options *options, int64_t start_ms, int64_t end_ms)
{
    struct synth_options synth_options = {
        .seed = (uint64_t)options->seed,
        .customer_id = options->tenant,
        .visitors = (uint32_t)options->visitors,
        .events_per_s = options->rate,
        .start_ms = start_ms,
        .end_ms = end_ms,
        .flat = options->live && !options->days,
    };
    struct synth *synth = synth_new(&synth_options);
    struct buf out, one;
    buf_init(&out, 1 << 20);
    buf_init(&one, 1 << 16);
    int64_t at_ms, made = 0;
    bool reader = true;
    while (reader && (options->events == 0 || made < options->events) && synth_next(synth, &one, &at_ms)) {
        if (options->live)
            reader = wait_for(at_ms, &out);
        buf_add_slice(&out, buf_slice(&one));
        buf_reset(&one);
        made++;
        if (out.n > 60000)
            reader = reader && write_out(&out);
    }
    if (reader)
        (void)write_out(&out);
    synth_free(synth);
    buf_done(&out);
    buf_done(&one);
    return EX_OK;
}

int command_generate(int argc, char **argv)
{
    struct generate_options options;
    int exit_code;
    if (!args_parse(&GENERATE, argc, argv, &options, &exit_code))
        return exit_code;
    if (!(options.rate > 0 && options.rate <= 1e7))
        return args_usage_error(&GENERATE, "--rate must be above 0 and at most 10,000,000");
    int64_t start_ms, end_ms = INT64_MAX, now_ms = world_wall_ms(world_real());
    if (!timestamp_parse(slice_from(options.start), &start_ms))
        return args_usage_error(&GENERATE, "--start '%s' is not a time like 2026-01-05T00:00:00Z", options.start);
    if (options.live)
        start_ms = now_ms - options.days * 86400000;
    else if (options.days)
        end_ms = start_ms + options.days * 86400000;
    else if (!options.events)
        return args_usage_error(&GENERATE, "how many? --events N, --days N or --live");
    return run(&options, start_ms, end_ms);
}
