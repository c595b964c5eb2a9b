/* Two spans of the engine's answer are what we need, "meta" and "data"; they are found by walking the top level and
 * copied. Only rows are counted one by one. An answer that was cut at our bound ends somewhere inside "data": the walk
 * over the rows stops at the first that is not whole. */
#include "serve/sql_result.h"

#include "base/json_scan.h"
#include "base/json_text.h"

#define ERROR_WORDS_MAX 1000

struct parts {
    struct slice meta, data, exception;
};

/* The members that matter; in a cut answer data runs to the end of the text. */
static void find_parts(struct slice json, bool cut, struct parts *out)
{
    struct json_walk walk;
    *out = (struct parts){ 0 };
    json_walk_begin(&walk, json);
    while (json_walk_next(&walk)) {
        if (slice_equal(walk.name, SLICE("\"meta\"")))
            out->meta = walk.value;
        else if (slice_equal(walk.name, SLICE("\"data\"")))
            out->data = walk.value;
        else if (slice_equal(walk.name, SLICE("\"exception\"")))
            out->exception = walk.value;
    }
    if (walk.bad && cut && slice_equal(walk.name, SLICE("\"data\"")))
        out->data = walk.rest;
    else if (walk.bad && !cut)
        *out = (struct parts){ 0 };
}

/* "meta" without the blanks that the engine puts between its tokens. */
static void add_columns(struct slice meta, struct buf *out)
{
    struct json_walk walk, member;
    bool first = true;
    for (json_walk_begin(&walk, meta); json_walk_next(&walk); first = false) {
        buf_add_text(out, first ? "{" : ",{");
        for (json_walk_begin(&member, walk.value); json_walk_next(&member);) {
            if (out->n && out->p[out->n - 1] != '{')
                buf_add_char(out, ',');
            buf_add_slice(out, member.name);
            buf_add_char(out, ':');
            buf_add_slice(out, member.value);
        }
        buf_add_char(out, '}');
    }
}

static uint64_t add_rows(struct slice data, uint32_t rows_max, struct buf *out, bool *out_more)
{
    struct json_walk walk;
    uint64_t rows = 0;
    json_walk_begin(&walk, data);
    while (json_walk_next(&walk)) {
        if (rows == rows_max) {
            *out_more = true;
            break;
        }
        if (rows++)
            buf_add_char(out, ',');
        buf_add_slice(out, walk.value);
    }
    *out_more = *out_more || walk.bad;
    return rows;
}

enum status sql_result_write(struct slice engine_json, const struct sql_result_options *options, struct buf *out,
                             struct error *err)
{
    struct parts parts;
    find_parts(engine_json, options->cut, &parts);
    if (parts.exception.p) {
        AUTO(buf) struct buf raw, words;
        buf_init(&raw, 64 << 10);
        buf_init(&words, 4096);
        if (!json_scan_string(parts.exception, &raw))
            return error_set(err, ERR_CORRUPT, "the engine broke off");
        sql_error_clean(buf_slice(&raw), &words);
        return error_set(err, ERR_RETRY, "%s", buf_text(&words));
    }
    if (!parts.meta.p || !parts.data.p)
        return error_set(err, ERR_CORRUPT, "the engine's answer makes no sense");
    bool more = false;
    buf_add_text(out, "{\"columns\":[");
    add_columns(parts.meta, out);
    buf_add_text(out, "],\"rows\":[");
    uint64_t rows = add_rows(parts.data, options->rows_max, out, &more);
    buf_add_format(out, "],\"row_count\":%llu,\"truncated\":%s,\"elapsed_ms\":%.3f}", (unsigned long long)rows,
                   more || options->cut ? "true" : "false", (double)options->elapsed_us / 1000);
    return out->full ? error_set(err, ERR_FULL, "the answer is too large: ask for fewer rows or columns") : OK;
}

static struct slice cut_before(struct slice text, const char *mark)
{
    const char *at = text.n ? memmem(text.p, text.n, mark, strlen(mark)) : NULL;
    return at ? slice_of(text.p, (size_t)(at - text.p)) : text;
}

static struct slice cut_behind(struct slice text, const char *mark)
{
    const char *at = text.n ? memmem(text.p, text.n, mark, strlen(mark)) : NULL;
    return at ? slice_after(text, (size_t)(at - text.p) + strlen(mark)) : text;
}

void sql_error_clean(struct slice engine_text, struct buf *out)
{
    struct slice text = cut_before(engine_text, " (version ");
    text = cut_before(text, "\n\nStack trace");
    text = cut_before(text, ", Stack trace");
    if (slice_starts(text, SLICE("Code: ")))
        text = cut_behind(text, "DB::Exception: ");
    text = slice_trim(text);
    /* The name of the error in brackets at the end: "(UNKNOWN_IDENTIFIER)". */
    const char *open = text.n && text.p[text.n - 1] == ')' ? memrchr(text.p, '(', text.n) : NULL;
    bool name = open != NULL;
    for (const char *p = open ? open + 1 : NULL; p && p < text.p + text.n - 1; p++)
        name = name && ((*p >= 'A' && *p <= 'Z') || *p == '_' || (*p >= '0' && *p <= '9'));
    if (name)
        text = slice_trim(slice_of(text.p, (size_t)(open - text.p)));
    buf_add(out, text.p, text.n < ERROR_WORDS_MAX ? text.n : ERROR_WORDS_MAX);
    if (text.n > ERROR_WORDS_MAX)
        buf_add_text(out, "…");
}

struct sql_verdict sql_verdict_of(long exception_code, long http_status)
{
    static const struct {
        long number;
        struct sql_verdict verdict;
    } KNOWN[] = {
        { 159, { 408, "query_timeout", true } },     /* TIMEOUT_EXCEEDED */
        { 160, { 408, "query_timeout", true } },     /* TOO_SLOW */
        { 158, { 400, "query_too_large", true } },   /* TOO_MANY_ROWS */
        { 307, { 400, "query_too_large", true } },   /* TOO_MANY_BYTES */
        { 396, { 400, "query_too_large", true } },   /* TOO_MANY_ROWS_OR_BYTES */
        { 241, { 400, "query_too_large", true } },   /* MEMORY_LIMIT_EXCEEDED */
        { 202, { 429, "too_many_queries", false } }, /* TOO_MANY_SIMULTANEOUS_QUERIES */
        { 497, { 403, "not_allowed", true } },       /* ACCESS_DENIED */
        { 164, { 403, "not_allowed", true } },       /* READONLY */
        { 192, { 503, "engine_not_ready", false } }, /* UNKNOWN_USER */
        { 193, { 503, "engine_not_ready", false } }, /* WRONG_PASSWORD */
        { 516, { 503, "engine_not_ready", false } }, /* AUTHENTICATION_FAILED */
        { 243, { 503, "engine_not_ready", false } }, /* NOT_ENOUGH_SPACE */
        { 236, { 503, "engine_not_ready", false } }, /* ABORTED */
    };
    for (size_t i = 0; i < COUNT_OF(KNOWN); i++)
        if (KNOWN[i].number == exception_code)
            return KNOWN[i].verdict;
    if (exception_code == 0 && http_status != 400)
        return (struct sql_verdict){ 503, "engine_not_ready", false };
    return (struct sql_verdict){ 400, "bad_sql", true };
}

const char *sql_error_hint(long exception_code)
{
    const long unknown_table = 60;
    return exception_code == unknown_table
               ? " The tables are events_raw, events_hourly, events_daily, sessions, windows, late_events, "
                 "dead_letters,"
                 " data_quality, replays, and those that event_types and dimension_tables list."
               : "";
}
