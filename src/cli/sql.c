/* `weir sql`: asks POST /v1/sql and shows the rows: a table for people, CSV, TSV or the API's own JSON for programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "http/http_client.h"
#include "world/disk.h"
#include "world/world.h"

#define SQL_MAX (1 << 20)

struct sql_options {
    const char *url, *key, *format, *file;
    bool json, csv, tsv;
    int64_t timeout_ms;
    struct args_rest sql;
};

static const struct arg ARGS[] = {
    ARG_TEXT_ENV(struct sql_options, url, "url", 'u', "URL", "http://127.0.0.1:8001", "WEIR_URL", "address of weir"),
    ARG_TEXT_ENV(struct sql_options, key, "key", 'k', "KEY", "demo_read", "WEIR_KEY", "the tenant's read key"),
    ARG_TEXT(struct sql_options, format, "format", 0, "table|json|csv|tsv", NULL,
             "how to print; a table on a terminal, else tsv"),
    ARG_FLAG(struct sql_options, json, "json", 'j', "the API's answer: columns, rows, elapsed_ms"),
    ARG_FLAG(struct sql_options, csv, "csv", 0, "comma-separated, with a line of names"),
    ARG_FLAG(struct sql_options, tsv, "tsv", 0, "tab-separated, with a line of names"),
    ARG_TEXT(struct sql_options, file, "file", 'f', "FILE", NULL, "read the query from a file"),
    ARG_DURATION(struct sql_options, timeout_ms, "timeout", 0, "TIME", "60s", "how long to wait for the answer"),
    ARG_REST(struct sql_options, sql, "SQL", 0, 1, "one SELECT; without it (or with -) it is read from standard input"),
};

static const struct args_command SQL = {
    .name = "sql",
    .summary = "ask a question in SQL",
    .description =
        "One SELECT (or WITH … SELECT) over the tenant's own tables: events_raw, events_hourly, events_daily, "
        "sessions,\n"
        "windows, late_events, dead_letters, data_quality, and those that event_types and dimension_tables list\n"
        "(docs/query.md). At most 10,000 rows come back.",
    .examples = "  weir sql \"SELECT event_type, count() AS n FROM events_raw GROUP BY event_type ORDER BY n DESC\"\n"
                "  weir sql --key rk_… \"SELECT max(timestamp) FROM events_raw\"\n"
                "  weir sql --csv --file report.sql > report.csv\n"
                "  echo 'SELECT count() FROM dead_letters' | weir sql\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

static enum status read_all(FILE *from, struct buf *out, struct error *err)
{
    char part[4096];
    size_t n;
    while ((n = fread(part, 1, sizeof part, from)) > 0)
        buf_add(out, part, n);
    return out->full ? error_set(err, ERR_INVALID, "the query is longer than %d bytes", SQL_MAX) : OK;
}

static enum status read_query(const struct sql_options *options, struct buf *out, struct error *err)
{
    const char *word = options->sql.count ? options->sql.items[0] : "-";
    if (options->file && options->sql.count)
        return error_set(err, ERR_INVALID, "give the query or --file, not both");
    if (options->file && strcmp(options->file, "-") != 0) {
        char *bytes;
        size_t n;
        enum status s = disk_read_whole(world_real()->disk, options->file, SQL_MAX, &bytes, &n, err);
        if (s == OK) {
            buf_add(out, bytes, n);
            free(bytes);
        }
        return s;
    }
    if (strcmp(word, "-") != 0) {
        buf_add_text(out, word);
        return OK;
    }
    if (isatty(STDIN_FILENO) && !options->sql.count && !options->file)
        fputs("SQL, then Ctrl-D:\n", stderr);
    return read_all(stdin, out, err);
}

/* --- printing --- */

struct result {
    struct term_column *columns;
    struct slice *cells; /* text of the values, unescaped; NULL values are empty */
    bool *is_null;
    size_t column_count, cell_count;
    struct buf text; /* what the cells point into: one allocation that never moves */
};

static void result_auto(struct result *result)
{
    free(result->columns);
    free(result->cells);
    free(result->is_null);
    buf_done(&result->text);
}

/* Numbers of the engine's types, wherever they are wrapped (Nullable(UInt64), LowCardinality(…)). */
static bool is_number_type(struct slice type)
{
    static const char *const NUMBERS[] = { "Int", "Float", "Decimal", "BFloat" };
    for (size_t i = 0; i < COUNT_OF(NUMBERS); i++) {
        const char *at = memmem(type.p, type.n, NUMBERS[i], strlen(NUMBERS[i]));
        if (at && !memmem(type.p, type.n, "Array", 5) && !memmem(type.p, type.n, "Map", 3) &&
            !memmem(type.p, type.n, "Tuple", 5))
            return true;
    }
    return false;
}

static struct slice add_value(struct result *result, struct slice value)
{
    size_t from = result->text.n;
    if (value.p[0] != '"')
        buf_add_slice(&result->text, value);
    else if (!json_scan_string(value, &result->text))
        buf_add_slice(&result->text, value);
    return slice_of(result->text.p + from, result->text.n - from);
}

static size_t count_items(struct slice array)
{
    struct json_walk walk;
    size_t count = 0;
    for (json_walk_begin(&walk, array); json_walk_next(&walk);)
        count++;
    return count;
}

static void read_columns(struct result *result, struct slice columns)
{
    struct json_walk walk;
    size_t i = 0;
    for (json_walk_begin(&walk, columns); json_walk_next(&walk); i++) {
        struct slice name = SLICE("\"\""), type = SLICE("\"\"");
        if (!json_find(walk.value, "name", &name) || !json_find(walk.value, "type", &type))
            continue;
        result->columns[i] = (struct term_column){ add_value(result, name), is_number_type(type) };
    }
}

static bool result_read(struct result *result, struct slice json)
{
    struct slice columns, rows;
    struct json_walk walk, row;
    if (!json_find(json, "columns", &columns) || !json_find(json, "rows", &rows))
        return false;
    size_t row_count = count_items(rows);
    result->column_count = count_items(columns);
    result->columns = calloc(result->column_count + 1, sizeof *result->columns);
    result->cells = calloc(row_count * result->column_count + 1, sizeof *result->cells);
    result->is_null = calloc(row_count * result->column_count + 1, sizeof *result->is_null);
    buf_init(&result->text, json.n + 64);
    if (!result->columns || !result->cells || !result->is_null || !buf_reserve(&result->text, json.n + 64))
        return false;
    read_columns(result, columns);
    for (json_walk_begin(&walk, rows); json_walk_next(&walk);) {
        size_t in_row = 0;
        for (json_walk_begin(&row, walk.value); json_walk_next(&row) && in_row < result->column_count; in_row++) {
            result->is_null[result->cell_count] = json_is_null(row.value);
            result->cells[result->cell_count++] = add_value(result, row.value);
        }
        if (in_row != result->column_count)
            return false;
    }
    return !walk.bad;
}

/* A cell of CSV (RFC 4180) or TSV (\t, \n and \\ escaped). NULL is empty in CSV and \N in TSV, as the engine has it. */
static void add_cell(struct buf *out, struct slice text, bool is_null, bool csv)
{
    if (is_null) {
        buf_add_text(out, csv ? "" : "\\N");
        return;
    }
    bool quote = csv;
    if (csv)
        quote = text.n && (memchr(text.p, ',', text.n) || memchr(text.p, '"', text.n) || memchr(text.p, '\n', text.n) ||
                           memchr(text.p, '\r', text.n));
    if (quote)
        buf_add_char(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (csv && c == '"')
            buf_add_text(out, "\"\"");
        else if (!csv && (c == '\t' || c == '\n' || c == '\\' || c == '\r'))
            buf_add_text(out, c == '\t' ? "\\t" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\\\");
        else
            buf_add_char(out, c);
    }
    if (quote)
        buf_add_char(out, '"');
}

static void add_separated(struct buf *out, const struct result *result, bool csv)
{
    char between = csv ? ',' : '\t';
    for (size_t i = 0; i < result->column_count; i++) {
        if (i)
            buf_add_char(out, between);
        add_cell(out, result->columns[i].name, false, csv);
    }
    for (size_t i = 0; i < result->cell_count; i++) {
        buf_add_char(out, i % result->column_count ? between : '\n');
        add_cell(out, result->cells[i], result->is_null[i], csv);
    }
    buf_add_char(out, '\n');
}

static void add_pretty(struct buf *out, struct result *result, struct slice json)
{
    size_t rows = result->column_count ? result->cell_count / result->column_count : 0;
    struct slice value;
    for (size_t i = 0; i < result->cell_count; i++)
        if (result->is_null[i])
            result->cells[i] = SLICE("NULL");
    term_add_table(out, result->columns, result->column_count, result->cells, rows, term_columns());
    buf_add_text(out, term_style(stdout, TERM_DIM));
    term_add_grouped(out, rows);
    buf_add_text(out, rows == 1 ? " row" : " rows");
    if (json_find(json, "truncated", &value) && slice_equal(value, SLICE("true")))
        buf_add_text(out, ", and more that were left out");
    if (json_find(json, "elapsed_ms", &value)) {
        buf_add_text(out, ", ");
        term_add_ms(out, strtod(value.p, NULL));
    }
    buf_add_text(out, term_style(stdout, TERM_PLAIN));
    buf_add_char(out, '\n');
}

/* A file of rows cannot say of itself that it was cut. */
static void warn_if_cut(struct slice json)
{
    struct slice value;
    if (json_find(json, "truncated", &value) && slice_equal(value, SLICE("true")))
        fputs("weir sql: these are the first rows only, 10,000 at most: ask for fewer (WHERE, GROUP BY), or page with "
              "ORDER BY … LIMIT … OFFSET\n",
              stderr);
}

static int print(const char *format, struct slice json)
{
    AUTO(buf) struct buf out;
    AUTO(result) struct result result = { 0 };
    buf_init(&out, (size_t)1 << 30);
    if (strcmp(format, "json") == 0) {
        buf_add_slice(&out, json);
        buf_add_char(&out, '\n');
    } else if (!result_read(&result, json)) {
        fputs("weir sql: the answer makes no sense: is --url the address of weir's API?\n", stderr);
        return EX_PROTOCOL;
    } else if (strcmp(format, "table") == 0) {
        add_pretty(&out, &result, json);
    } else {
        add_separated(&out, &result, strcmp(format, "csv") == 0);
        warn_if_cut(json);
    }
    bool written = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    return written ? EX_OK : EX_IOERR;
}

static int ask(const struct sql_options *options, struct slice query, struct http_client *client, const char *format)
{
    struct error err;
    struct http_reply reply;
    AUTO(buf) struct buf body;
    buf_init(&body, SQL_MAX * 7);
    buf_add_char(&body, '{');
    json_add_field(&body, "sql", query);
    buf_add_char(&body, '}');
    enum status s =
        http_client_send(client, "POST", "/v1/sql", "application/json", buf_slice(&body), NULL, &reply, &err);
    unsigned status = s == OK ? reply.status : 0;
    if (s == OK && reply.status == 200)
        return print(format, reply.body);
    if (s == OK)
        s = http_reply_error(&reply, status == 400 ? "the query was refused" : "no answer", &err);
    fprintf(stderr, "weir sql: %s\n", err.text);
    (void)options;
    return http_client_exit_code(s, status);
}

int command_sql(int argc, char **argv)
{
    struct sql_options options;
    struct error err;
    int exit_code;
    if (!args_parse(&SQL, argc, argv, &options, &exit_code))
        return exit_code;
    if (options.json + options.csv + options.tsv + (options.format != NULL) > 1)
        return args_usage_error(&SQL, "choose one of --json, --csv, --tsv, --format");
    const char *format = options.json            ? "json"
                         : options.csv           ? "csv"
                         : options.tsv           ? "tsv"
                         : options.format        ? options.format
                         : isatty(STDOUT_FILENO) ? "table"
                                                 : "tsv";
    AUTO(buf) struct buf query;
    buf_init(&query, SQL_MAX);
    if (read_query(&options, &query, &err) != OK) {
        fprintf(stderr, "weir sql: %s\n", err.text);
        return EX_NOINPUT;
    }
    AUTO(http_client) struct http_client *client = NULL;
    struct http_client_options to = { .url = options.url, .key = options.key, .timeout_ms = options.timeout_ms };
    if (http_client_open(&to, &client, &err) != OK) {
        fprintf(stderr, "weir sql: %s\n", err.text);
        return EX_USAGE;
    }
    return ask(&options, buf_slice(&query), client, format);
}
