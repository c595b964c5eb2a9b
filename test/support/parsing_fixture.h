/* One request of the tenant acme to the parser of events: what was given, what came out. */
#pragma once
#include "event/event_parse.h"

#define PARSING_NOW_MS 1737455400000 /* received then */
#define PARSING_NOW_TEXT "2025-01-21T10:30:00.000Z"
#define PARSING_GOOD "{\"event_type\":\"t\",\"visitor_id\":\"v\"}"
extern const struct event_tenant PARSING_TENANT;

struct parsing {
    struct event_parse_options options;
    struct event_request request;
    struct event_parser *parser;
    struct arena arena;
    char *body;
    struct slice key;
    struct event_parse_result result;
    enum status status;
    struct error err;
};

struct parsing *parsing_begin(enum event_endpoint endpoint);
/* May be done again, with another body. */
void parsing_run(struct parsing *r, struct slice body);
void parsing_end(struct parsing *r);

/* One event is accepted, or one is refused, with nothing else beside it. */
const struct event *parsing_event(struct parsing *r);
const struct event_reject *parsing_reject(struct parsing *r, enum event_code code, const char *field);
void parsing_expect(struct slice got, const char *expected);
