/* What the files of the oracle share. */
#pragma once
#include "test/support/stream_oracle.h"

#define NO_TIME INT64_MIN

struct oracle_late {
    int event; /* -1: a sum that another partition sent too late */
    uint8_t tenant;
    size_t window;
    int64_t start_ms, end_ms, watermark_ms;
    uint32_t events;
};

struct oracle_result {
    uint8_t tenant;
    size_t window, number; /* number: in the journal's order */
    int64_t start_ms, end_ms;
    uint64_t events;
    uint32_t revision;
    bool final, removed;
    char key[ORACLE_KEY_MAX], measures[512];
};

struct oracle_session {
    uint8_t tenant, visitor, user;
    int64_t start_ms, end_ms;
    uint32_t events, views;
};

/* ---- stream_oracle_late.c ---- */

int64_t oracle_start_of(int64_t time_ms, int64_t step_ms);
/* By the window's filter. */
bool oracle_passes(const struct oracle_window *window, const struct oracle_event *event);
/* How far any watermark of the tenant can have come. */
int64_t oracle_watermark_most(const struct oracle *oracle, struct machine *rig, uint8_t tenant);
bool oracle_told_late(const struct oracle *oracle, size_t event, size_t window, int64_t start_ms);
/* Sums came to the window's owner too late: which events they were is not told. */
bool oracle_is_doubtful(const struct oracle *oracle, uint8_t tenant, size_t window, int64_t start_ms);
/* Of two struct oracle_event *const, for qsort. */
int oracle_by_time(const void *a, const void *b);
/* Every late event was late, and every event that was late for sure is told. */
void oracle_check_lates(const struct oracle *oracle, struct machine *rig, const char *when);

/* ---- stream_oracle_results.c ---- */

/* Every result is right, and every one that must be there is. up_to_ms: as of oracle_check. */
void oracle_check_results(struct oracle *oracle, struct machine *rig, const int64_t *up_to_ms, const char *when);
