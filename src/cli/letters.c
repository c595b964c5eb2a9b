/* Pages follow each other by (received_at, id), not by OFFSET: letters that arrive meanwhile shift nothing. Originals
 * travel as hex: they may be any bytes, and JSON knows only text. */
#include "cli/letters.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/timestamp.h"

#define SQL_MAX 65536
#define PAGE_BYTES_MAX ((size_t)256 << 20)

/* The order of SELECT. */
enum {
    COLUMN_ID,
    COLUMN_STAGE,
    COLUMN_REASON,
    COLUMN_FIELD,
    COLUMN_MESSAGE,
    COLUMN_EVENT_ID,
    COLUMN_RECEIVED,
    COLUMN_ORIGINAL,
    COLUMNS
};

struct letters {
    struct http_client *client;
    struct buf where; /* " WHERE …" or empty */
    struct buf text;  /* what the page's letters point into: one allocation a page */
    struct letter page[LETTERS_PAGE];
    size_t count, at;
    uint64_t left;
    bool newest_first, ended;
    int64_t last_ms;
    char last_id[LETTER_ID_BYTES_MAX + 1]; /* "": before the first page */
};

static void add_literal(struct buf *sql, struct slice text)
{
    buf_add_char(sql, '\'');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\'' || text.p[i] == '\\')
            buf_add_char(sql, '\\');
        buf_add_char(sql, text.p[i]);
    }
    buf_add_char(sql, '\'');
}

static void add_and(struct buf *sql, bool *io_first)
{
    buf_add_text(sql, *io_first ? " WHERE " : " AND ");
    *io_first = false;
}

static void add_equal(struct buf *sql, bool *io_first, const char *column, const char *value)
{
    if (!value)
        return;
    add_and(sql, io_first);
    buf_add_format(sql, "%s = ", column);
    add_literal(sql, slice_from(value));
}

static bool is_id(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    size_t more = text[digits] == '-' ? strspn(text + digits + 1, "0123456789") : 0;
    return digits && more && !text[digits + 1 + more] && digits + 1 + more <= LETTER_ID_BYTES_MAX;
}

static bool read_since(const char *text, int64_t now_ms, int64_t *out_ms)
{
    int64_t ago_ms;
    if (timestamp_parse(slice_from(text), out_ms))
        return true;
    if (!args_read_duration(text, &ago_ms))
        return false;
    *out_ms = now_ms - ago_ms;
    return true;
}

enum status letter_filter_add(const struct letter_filter *filter, int64_t now_ms, struct buf *sql, struct error *err)
{
    bool first = true;
    int64_t since_ms;
    add_equal(sql, &first, "stage", filter->stage);
    add_equal(sql, &first, "reason", filter->reason);
    if (filter->since) {
        if (!read_since(filter->since, now_ms, &since_ms))
            return error_set(err, ERR_INVALID,
                             "--since wants a span like 2h or 7d, or a time like 2026-01-31T10:00:00Z, not '%s'",
                             filter->since);
        add_and(sql, &first);
        buf_add_format(sql, "received_at >= fromUnixTimestamp64Milli(%" PRId64 ")", since_ms);
    }
    for (int64_t i = 0; i < filter->ids.count; i++) {
        if (!is_id(filter->ids.items[i]))
            return error_set(err, ERR_INVALID,
                             "'%s' is no dead letter's id: they look like 3-1842 (see `weir dead-letters list`)",
                             filter->ids.items[i]);
        if (i == 0) {
            add_and(sql, &first);
            buf_add_text(sql, "id IN (");
        }
        buf_add_format(sql, "%s'%s'", i ? "," : "", filter->ids.items[i]);
    }
    if (filter->ids.count)
        buf_add_char(sql, ')');
    return sql->full ? error_set(err, ERR_INVALID, "too many ids at once: at most some 2,000") : OK;
}

enum status letters_ask(struct http_client *client, struct slice sql, struct slice *out_answer, int *out_exit_code,
                        struct error *err)
{
    struct http_reply reply;
    AUTO(buf) struct buf body;
    buf_init(&body, SQL_MAX * 7);
    buf_add_char(&body, '{');
    json_add_field(&body, "sql", sql);
    buf_add_char(&body, '}');
    enum status s =
        http_client_send(client, "POST", "/v1/sql", "application/json", buf_slice(&body), NULL, &reply, err);
    unsigned status = s == OK ? reply.status : 0;
    if (s == OK && reply.status == 200) {
        *out_answer = reply.body;
        return OK;
    }
    if (s == OK)
        s = http_reply_error(&reply, "read dead letters", err);
    *out_exit_code = http_client_exit_code(s, status);
    return s;
}

static struct slice without_quotes(struct slice value)
{
    return value.n >= 2 && value.p[0] == '"' ? slice_of(value.p + 1, value.n - 2) : value;
}

enum status letters_count(struct http_client *client, const struct letter_filter *filter, int64_t now_ms,
                          uint64_t *out_count, int *out_exit_code, struct error *err)
{
    AUTO(buf) struct buf sql;
    struct slice answer, rows;
    struct json_walk walk, row;
    buf_init(&sql, SQL_MAX);
    buf_add_text(&sql, "SELECT count() FROM dead_letters");
    *out_exit_code = EX_USAGE;
    enum status s = letter_filter_add(filter, now_ms, &sql, err);
    if (s == OK)
        s = letters_ask(client, buf_slice(&sql), &answer, out_exit_code, err);
    if (s != OK)
        return s;
    if (json_find(answer, "rows", &rows)) {
        json_walk_begin(&walk, rows);
        if (json_walk_next(&walk)) {
            json_walk_begin(&row, walk.value);
            if (json_walk_next(&row) && slice_to_u64(without_quotes(row.value), out_count))
                return OK;
        }
    }
    *out_exit_code = EX_PROTOCOL;
    return error_set(err, ERR_CORRUPT, "the answer makes no sense: is --url the address of weir's API?");
}

enum status letters_open(struct http_client *client, const struct letter_filter *filter, int64_t now_ms,
                         bool newest_first, uint64_t limit, struct letters **out, struct error *err)
{
    AUTO(letters) struct letters *letters = calloc(1, sizeof *letters);
    if (!letters)
        abort();
    letters->client = client;
    letters->newest_first = newest_first;
    letters->left = limit ? limit : UINT64_MAX;
    buf_init(&letters->where, SQL_MAX - 1024);
    buf_init(&letters->text, PAGE_BYTES_MAX);
    enum status s = letter_filter_add(filter, now_ms, &letters->where, err);
    if (s == OK)
        *out = GIVE(letters);
    return s;
}

void letters_close(struct letters *letters)
{
    if (!letters)
        return;
    buf_done(&letters->where);
    buf_done(&letters->text);
    free(letters);
}

static void page_sql(const struct letters *letters, uint64_t wanted, struct buf *sql)
{
    const char *beyond = letters->newest_first ? "<" : ">", *order = letters->newest_first ? "DESC" : "ASC";
    buf_add_text(sql, "SELECT id, stage, reason, field, message, event_id, toUnixTimestamp64Milli(received_at) AS ms,"
                      " hex(original) AS bytes FROM dead_letters");
    buf_add_slice(sql, buf_slice(&letters->where));
    if (letters->last_id[0]) {
        buf_add_text(sql, letters->where.n ? " AND " : " WHERE ");
        buf_add_format(sql,
                       "(received_at %s fromUnixTimestamp64Milli(%" PRId64 ") OR (received_at = "
                       "fromUnixTimestamp64Milli(%" PRId64 ") AND id %s '%s'))",
                       beyond, letters->last_ms, letters->last_ms, beyond, letters->last_id);
    }
    buf_add_format(sql, " ORDER BY received_at %s, id %s LIMIT %" PRIu64, order, order, wanted);
}

static bool add_hex(struct slice hex, struct buf *out)
{
    if (hex.n % 2)
        return false;
    for (size_t i = 0; i < hex.n; i += 2) {
        char pair[3] = { hex.p[i], hex.p[i + 1], '\0' };
        if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
            return false;
        buf_add_char(out, (char)strtoul(pair, NULL, 16));
    }
    return true;
}

static bool read_row(struct letters *letters, struct slice row, struct letter *letter)
{
    struct json_walk walk;
    struct slice texts[COLUMNS];
    size_t column = 0;
    for (json_walk_begin(&walk, row); column < COLUMNS && json_walk_next(&walk); column++) {
        size_t from = letters->text.n;
        if (column == COLUMN_ORIGINAL ? !add_hex(without_quotes(walk.value), &letters->text)
                                      : !json_scan_string(walk.value, &letters->text))
            buf_add_slice(&letters->text, without_quotes(walk.value)); /* a number */
        texts[column] = slice_of(letters->text.p + from, letters->text.n - from);
    }
    if (column < COLUMNS || texts[COLUMN_ID].n > LETTER_ID_BYTES_MAX)
        return false;
    char ms[32];
    snprintf(ms, sizeof ms, "%.*s", SLICE_ARG(texts[COLUMN_RECEIVED]));
    *letter = (struct letter){ .id = texts[COLUMN_ID],
                               .stage = texts[COLUMN_STAGE],
                               .reason = texts[COLUMN_REASON],
                               .field = texts[COLUMN_FIELD],
                               .message = texts[COLUMN_MESSAGE],
                               .event_id = texts[COLUMN_EVENT_ID],
                               .original = texts[COLUMN_ORIGINAL],
                               .received_ms = strtoll(ms, NULL, 10) };
    return true;
}

/* Texts are never longer than in the answer, so the room reserved at first is enough and nothing moves. */
static bool read_page(struct letters *letters, struct slice answer)
{
    struct slice rows;
    struct json_walk walk;
    letters->count = letters->at = 0;
    buf_reset(&letters->text);
    if (!json_find(answer, "rows", &rows) || !buf_reserve(&letters->text, answer.n + 64))
        return false;
    for (json_walk_begin(&walk, rows); letters->count < LETTERS_PAGE && json_walk_next(&walk);)
        if (!read_row(letters, walk.value, &letters->page[letters->count++]))
            return false;
    return !walk.bad && !letters->text.full;
}

static enum status turn_page(struct letters *letters, int *out_exit_code, struct error *err)
{
    AUTO(buf) struct buf sql;
    struct slice answer;
    uint64_t wanted = letters->left < LETTERS_PAGE ? letters->left : LETTERS_PAGE;
    buf_init(&sql, SQL_MAX);
    page_sql(letters, wanted, &sql);
    enum status s = letters_ask(letters->client, buf_slice(&sql), &answer, out_exit_code, err);
    if (s != OK)
        return s;
    if (!read_page(letters, answer)) {
        *out_exit_code = EX_PROTOCOL;
        return error_set(err, ERR_CORRUPT, "the answer makes no sense: is --url the address of weir's API?");
    }
    letters->ended = letters->count < wanted;
    if (letters->count) {
        const struct letter *last = &letters->page[letters->count - 1];
        letters->last_ms = last->received_ms;
        snprintf(letters->last_id, sizeof letters->last_id, "%.*s", SLICE_ARG(last->id));
    }
    return OK;
}

enum status letters_next(struct letters *letters, const struct letter **out, int *out_exit_code, struct error *err)
{
    if (letters->at == letters->count && !letters->ended && letters->left) {
        enum status s = turn_page(letters, out_exit_code, err);
        if (s != OK)
            return s;
    }
    bool one = letters->at < letters->count && letters->left;
    *out = one ? &letters->page[letters->at++] : NULL;
    letters->left -= one;
    return OK;
}
