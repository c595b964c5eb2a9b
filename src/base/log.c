#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int level_least = LOG_INFO;
static _Atomic bool as_json;

static const char *const LEVEL_NAMES[] = { "debug", "info", "warn", "error" };
static const char *const LEVEL_COLOURS[] = { "\033[2m", "\033[36m", "\033[33m", "\033[31m" };

void log_set_level(enum log_level level)
{
    atomic_store(&level_least, (int)level);
}

void log_set_json(bool json)
{
    atomic_store(&as_json, json);
}

void log_set(const char *level, const char *format)
{
    static const char *const LEVELS[] = { "debug", "info", "warn", "error" };
    for (size_t i = 0; i < COUNT_OF(LEVELS); i++)
        if (strcmp(level, LEVELS[i]) == 0)
            log_set_level((enum log_level)i);
    log_set_json(strcmp(format, "json") == 0);
}

/* Names and words of others are in there: they neither end a line nor steer a terminal. */
static void make_plain(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
}

/* Not within a character. */
static void cut(char *text, size_t n)
{
    while (n && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
        n--;
    if (n && (unsigned char)text[n - 1] & 0x80)
        n--;
    text[n] = '\0';
}

static void json_escape(char *to, size_t size, const char *from)
{
    size_t n = 0;
    for (; *from && n + 2 < size; from++) {
        if (*from == '"' || *from == '\\')
            to[n++] = '\\';
        to[n++] = *from;
    }
    to[n] = '\0';
}

void log_line(enum log_level level, const char *name, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&level_least, memory_order_relaxed))
        return;
    char text[1024], line[2560], at[32];
    va_list arguments;
    va_start(arguments, format);
    const int whole = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (whole >= (int)sizeof text)
        cut(text, sizeof text - 1);
    make_plain(text);
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now); /* a log's own time stamp is not part of the simulated world */
    gmtime_r(&now.tv_sec, &parts);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", &parts);
    int n;
    if (atomic_load(&as_json)) {
        char escaped[2048];
        json_escape(escaped, sizeof escaped, text);
        n = snprintf(line, sizeof line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"event\":\"%s\",\"text\":\"%s\"}\n",
                     at, now.tv_nsec / 1000000, LEVEL_NAMES[level], name, escaped);
    } else {
        bool colour = isatty(STDERR_FILENO);
        n = snprintf(line, sizeof line, "%s.%03ldZ %s%-5s%s %s %s\n", at, now.tv_nsec / 1000000,
                     colour ? LEVEL_COLOURS[level] : "", LEVEL_NAMES[level], colour ? "\033[0m" : "", name, text);
    }
    if (n > (int)sizeof line - 1)
        n = sizeof line - 1;
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* nowhere left to complain */
}

bool log_limit_pass(struct log_limit *limit, int64_t now_us, int64_t interval_us, uint64_t *out_skipped)
{
    if (now_us < limit->next_us) {
        limit->skipped++;
        return false;
    }
    *out_skipped = limit->skipped;
    limit->skipped = 0;
    limit->next_us = now_us + interval_us;
    return true;
}
