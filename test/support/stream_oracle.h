/* What windows and sessions should say, worked out the plain way: every event is kept, every answer is computed anew by
 * looking at all of them. Nothing here is shared with src/process. It learns from outside only what the stream decides
 * by arrival (which order a partition took its events in, and which windows it told an event late for), and checks that
 * those decisions were right, too. One thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event/event.h"
#include "test/support/stream_rig.h"

#define ORACLE_EVENTS_MAX 1000 /* also what the milliseconds of a time can tell apart */
#define ORACLE_WINDOWS_MAX 8
#define ORACLE_TENANTS_MAX 5
#define ORACLE_KEY_MAX 96

enum oracle_filter { FILTER_NONE, FILTER_PURCHASES, FILTER_POSITIVE, ORACLE_FILTERS };
enum oracle_key { BY_NOTHING, BY_VISITOR, BY_PAGE, BY_TYPE_AND_PAGE, ORACLE_KEYS };

struct oracle_window {
    char name[16];
    bool sliding, session, processing_time, updates, closes;
    int64_t size_ms, slide_ms, lateness_ms; /* tumbling: slide_ms is size_ms; session: both are the gap */
    enum oracle_filter filter;
    enum oracle_key by;
};

/* An event in numbers; oracle_event makes the real one. Its own times have its number as milliseconds, so that first
 * and last are never in doubt. */
struct oracle_event {
    uint8_t tenant, visitor, type, page, user; /* user 0: nobody */
    int amount;
    int64_t time_ms;
    bool acknowledged, sent;
    /* What came out: */
    uint16_t partition;
    uint32_t times_enriched, order; /* order: among its partition's */
    char keys[ORACLE_WINDOWS_MAX][ORACLE_KEY_MAX];
};

struct oracle {
    int64_t gap_ms, disorder_ms;
    struct oracle_window windows[ORACLE_WINDOWS_MAX];
    size_t window_count;
    struct oracle_event events[ORACLE_EVENTS_MAX];
    size_t event_count;
    bool live[ORACLE_TENANTS_MAX]; /* its clock may go on by itself */
    int64_t none_silent_until_ms;  /* by the wall clock: before it no partition can have been silent for a minute */
    int64_t wall_most_ms;          /* how far the wall clock had come before it was set back; 0: it never was */
    uint64_t position, records;    /* how far the journal was read; everything once, as a sink does */
    uint32_t order[MACHINE_PARTITIONS_MAX];
    struct oracle_late *lates; /* in the order of the journal */
    size_t late_count, late_capacity;
    struct oracle_result *results; /* the same; every record */
    size_t result_count, result_capacity;
    struct oracle_result **newest; /* sorted; one for each tenant, window, start and key */
    size_t newest_count;
    struct oracle_session *sessions; /* as they are now, sorted */
    size_t session_count, session_capacity;
};

void oracle_done(struct oracle *oracle);
/* Appends the definition as YAML, as one entry of windows. */
void oracle_window_yaml(const struct oracle_window *window, struct buf *to);
/* The event as it is sent at that time of the wall clock; text: room for what it points to. */
#define ORACLE_EVENT_TEXT 256
void oracle_event(struct oracle *oracle, size_t number, int64_t now_ms, char text[ORACLE_EVENT_TEXT],
                  struct event *out);

/* Reads what is new in the journal; false: nothing. What was read may be forgotten there. */
bool oracle_read(struct oracle *oracle, struct machine *rig);
/* Reads everything that is there and fails the test when it is not what it should be. closed: every tenant's watermark
 * has passed up_to_ms[tenant], so that windows that end there must have given their result. NULL: nothing is known. */
void oracle_check(struct oracle *oracle, struct machine *rig, const int64_t *up_to_ms, const char *when);
/* counted + late + filtered = accepted for each window, in this life of the tasks, once all is settled. */
void oracle_check_metrics(struct oracle *oracle, struct machine *rig, const char *when);
