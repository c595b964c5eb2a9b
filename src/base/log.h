/* One event, one line, one stable name: log_warn("journal.sync_slow", "ms=%u limit=%u", ms, limit).
 * Only roles and commands log; code below them returns errors. Error: someone must act. Warn: degraded, coping.
 * Info: state changed. Debug: off unless asked for. Lines go to standard error, whole, from any thread. Never a secret,
 * never an event's content. */
#pragma once
#include "base/compiler.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level);
void log_set_json(bool json); /* one JSON object a line, for collectors */
/* Both by the words of the settings: "debug" … "error", "text" or "json". */
void log_set(const char *level, const char *format);
PRINTF_LIKE(3, 4) void log_line(enum log_level level, const char *name, const char *format, ...);

#define log_debug(name, ...) log_line(LOG_DEBUG, name, __VA_ARGS__)
#define log_info(name, ...) log_line(LOG_INFO, name, __VA_ARGS__)
#define log_warn(name, ...) log_line(LOG_WARN, name, __VA_ARGS__)
#define log_error(name, ...) log_line(LOG_ERROR, name, __VA_ARGS__)

/* For what can repeat quickly: true at most once an interval; *out_skipped says how many were left out since. */
struct log_limit {
    int64_t next_us;
    uint64_t skipped;
};
bool log_limit_pass(struct log_limit *limit, int64_t now_us, int64_t interval_us, uint64_t *out_skipped);
