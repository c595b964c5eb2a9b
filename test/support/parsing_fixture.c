#include "test/support/parsing_fixture.h"

#include <stdlib.h>

#include "base/test.h"
#include "world/world.h"

static void dice(struct world *world, void *out, size_t n)
{
    static uint8_t next;
    (void)world;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = next++;
}

static struct world world = { .random = dice };
const struct event_tenant PARSING_TENANT = { { "acme", 4 }, { "p_acme", 6 }, INT64_MIN };

struct parsing *parsing_begin(enum event_endpoint endpoint)
{
    struct parsing *r = calloc(1, sizeof *r);
    r->request.endpoint = endpoint;
    r->request.received_ms = PARSING_NOW_MS;
    r->request.tenant = &PARSING_TENANT;
    arena_init(&r->arena, 64u << 20);
    return r;
}

void parsing_run(struct parsing *r, struct slice body)
{
    if (!r->parser)
        r->parser = event_parser_new(&r->options, &world);
    free(r->body);
    r->body = malloc(body.n + EVENT_BODY_PADDING);
    memcpy(r->body, body.p, body.n);
    memset(r->body + body.n, '"', EVENT_BODY_PADDING);
    r->status = event_body_open(r->parser, slice_of(r->body, body.n), &r->key, &r->err);
    if (r->status == OK)
        r->status = event_body_parse(r->parser, &r->request, &r->arena, &r->result, &r->err);
}

void parsing_end(struct parsing *r)
{
    event_parser_free(r->parser);
    arena_done(&r->arena);
    free(r->body);
    free(r);
}

void parsing_expect(struct slice got, const char *expected)
{
    if (!slice_equal(got, slice_from(expected)))
        fail_msg("'%.*s' instead of '%s'", SLICE_ARG(got), expected);
}

const struct event *parsing_event(struct parsing *r)
{
    if (r->status != OK || r->result.event_count != 1 || r->result.reject_count != 0)
        fail_msg("no single event: %s", r->status != OK          ? r->err.text
                                        : r->result.reject_count ? event_code_name(r->result.rejects[0].code)
                                                                 : "none at all");
    return &r->result.events[0];
}

const struct event_reject *parsing_reject(struct parsing *r, enum event_code code, const char *field)
{
    if (r->status != OK)
        fail_msg("%s", r->err.text);
    assert_int_equal(r->result.event_count, 0);
    assert_int_equal(r->result.reject_count, 1);
    const struct event_reject *reject = &r->result.rejects[0];
    if (reject->code != code)
        fail_msg("%s instead of %s: %.*s", event_code_name(reject->code), event_code_name(code),
                 SLICE_ARG(reject->message));
    parsing_expect(reject->field, field);
    assert_true(reject->message.n > 0 && reject->count == 1);
    return reject;
}
