/* How fast a request body becomes encoded records, on one core: event_body_open, event_body_parse, event_encode.
 * usage: event_parse_bench [--json]. Each line: what the body is, then GB/s of body, events/s and ns an event; the best
 * of many short rounds. Seeded, so that every run parses the same bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "event/event_parse.h"
#include "world/world.h"

#define EVENTS 1000
#define REPEATS 2 /* short rounds: the best of many meets a quiet moment of a busy machine */
#define ROUNDS 500
#define BODY_MAX (4u << 20)
#define SALT "0123456789abcdef0123456789abcdef"

static uint64_t seed = 42;
static bool json;
static unsigned json_rows;

static unsigned dice(unsigned sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

/* Benchmarks need no secrecy. */
static void dice_random(struct world *world, void *out, size_t n)
{
    (void)world;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = (uint8_t)dice(256);
}

static void add_track(struct buf *body, bool with_id)
{
    static const char *const PAGES[] = { "/", "/pricing", "/docs/start", "/blog/2025/01/streams", "/checkout" };
    const char *page = PAGES[dice(COUNT_OF(PAGES))];
    buf_add_text(body, "{");
    if (with_id)
        buf_add_format(body, "\"event_id\":\"%08x-%04x-4%03x-8%03x-%08x%04x\",", dice(1u << 31), dice(65536),
                       dice(4096), dice(4096), dice(1u << 31), dice(65536));
    buf_add_format(body,
                   "\"visitor_id\":\"v_%06x\",\"session_id\":\"s_%06x\",\"event_type\":\"page_view\",\"event_name\":"
                   "\"Page\",\"properties\":{\"page\":\"%s\",\"title\":\"Page %u\",\"value_cents\":%u,\"new\":%s},"
                   "\"timestamp\":\"2025-01-21T10:%02u:%02u.%03uZ\"}",
                   dice(1u << 20), dice(1u << 20), page, dice(1000), dice(100000), dice(2) ? "true" : "false", dice(60),
                   dice(60), dice(1000));
}

static void add_segment(struct buf *body)
{
    buf_add_format(
        body,
        "{\"type\":\"track\",\"event\":\"Order Completed\",\"anonymousId\":\"%08x-anon\",\"userId\":null,"
        "\"properties\":{\"total\":%u.%02u,\"currency\":\"EUR\",\"coupon\":\"caf\\u00e9 \\\"10\\\"\"},"
        "\"context\":{\"library\":{\"name\":\"analytics.js\",\"version\":\"1.84.0\"},\"ip\":\"203.0.113.%u\","
        "\"locale\":\"en-US\",\"userAgent\":\"Mozilla/5.0 (X11; Linux x86_64)\"},\"integrations\":{},"
        "\"messageId\":\"ajs-%08x%08x\",\"timestamp\":\"2025-01-21T10:%02u:%02u.%03uZ\"}",
        dice(1u << 31), dice(500), dice(100), dice(4), dice(1u << 31), dice(1u << 31), dice(60), dice(60), dice(1000));
}

static void measure(const char *name, struct event_parser *parser, struct slice body, size_t events)
{
    struct world *world = world_real();
    struct event_tenant tenant = { SLICE("acme"), SLICE(""), INT64_MIN };
    struct event_request request = { .received_ms = 1737455400000,
                                     .tenant = &tenant,
                                     .remote_address = SLICE("203.0.113.7"),
                                     .ip_salt = (const uint8_t *)SALT };
    struct arena arena;
    char *records = malloc(2 * BODY_MAX);
    int64_t best_us = INT64_MAX;
    arena_init(&arena, 64u << 20);
    for (int round = 0; round < ROUNDS && records; round++) {
        struct event_parse_result result;
        struct slice key;
        struct error err;
        int64_t from = world_mono_us(world);
        for (int repeat = 0; repeat < REPEATS; repeat++) {
            if (event_body_open(parser, body, &key, &err) != OK ||
                event_body_parse(parser, &request, &arena, &result, &err) != OK || result.event_count != events) {
                printf("%s: %s\n", name, result.reject_count ? result.rejects[0].message.p : err.text);
                exit(1);
            }
            char *to = records;
            for (size_t i = 0; i < result.event_count; i++) {
                event_encode(&result.events[i], to);
                to += event_encoded_size(&result.events[i]);
            }
            arena_reset(&arena);
        }
        int64_t us = world_mono_us(world) - from;
        best_us = us < best_us ? us : best_us;
    }
    arena_done(&arena);
    free(records);
    double bytes = (double)REPEATS * (double)body.n, count = (double)REPEATS * (double)events, us = (double)best_us;
    if (json) {
        printf("%s{\"what\":\"bytes → records, one core: %s, %zu B\",\"value\":%.0f,\"unit\":\"events/s\","
               "\"beside\":\"%.2f GB/s\"}",
               json_rows++ ? "," : "[", name, body.n / events, count / us * 1e6, bytes / us / 1000);
        return;
    }
    printf("%-28s %6zu B/event  %5.2f GB/s  %5.2f M events/s  %4.0f ns/event\n", name, body.n / events,
           bytes / us / 1000, count / us, us * 1000 / count);
}

int main(int argc, char **argv)
{
    static struct world bench_world = { .random = dice_random };
    struct event_parse_options options = { 0 };
    struct event_parser *parser = event_parser_new(&options, &bench_world);
    json = argc > 1 && strcmp(argv[1], "--json") == 0;
    struct buf body;
    buf_init(&body, BODY_MAX);
    for (int form = 0; form < 4; form++) {
        static const char *const NAMES[] = { "track, array", "track, NDJSON", "track, array, no event_id",
                                             "Segment batch" };
        buf_reset(&body);
        buf_add_text(&body, form == 1 ? "" : form == 3 ? "{\"batch\":[" : "[");
        for (int i = 0; i < EVENTS; i++) {
            if (i)
                buf_add_text(&body, form == 1 ? "\n" : ",");
            if (form == 3)
                add_segment(&body);
            else
                add_track(&body, form != 2);
        }
        buf_add_text(&body, form == 1 ? "\n" : form == 3 ? "],\"sentAt\":\"2025-01-21T10:30:00.000Z\"}" : "]");
        size_t n = body.n;
        char *padding = buf_reserve(&body, EVENT_BODY_PADDING);
        if (!padding)
            return 1;
        memset(padding, 0, EVENT_BODY_PADDING);
        measure(NAMES[form], parser, slice_of(body.p, n), EVENTS);
    }
    if (json)
        printf("]\n");
    buf_done(&body);
    event_parser_free(parser);
    return 0;
}
