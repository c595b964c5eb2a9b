/* `weir dead-letters list|show|replay`: what was refused, why, and how to send it again. Reads as the tenant does. */
#include <stdlib.h>
#include <sysexits.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/timestamp.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/letter_print.h"
#include "cli/letter_replay.h"
#include "cli/letters.h"
#include "cli/term.h"
#include "world/world.h"

#define OUT_MAX ((size_t)1 << 30)
#define LIST_MAX 10000

struct look_options {
    const char *url, *key, *stage, *reason, *since;
    bool json, summary;
    int64_t limit;
    struct args_rest id;
};

#define URL_ARGS                                                                                                       \
    ARG_TEXT_ENV(struct look_options, url, "url", 'u', "URL", "http://127.0.0.1:8001", "WEIR_URL", "address of weir"), \
        ARG_TEXT_ENV(struct look_options, key, "key", 'k', "KEY", "demo_read", "WEIR_KEY", "the tenant's read key"),   \
        ARG_FLAG(struct look_options, json, "json", 'j', "one JSON object instead of text")

static const struct arg LIST_ARGS[] = {
    ARG_TEXT(struct look_options, stage, "stage", 0, "STAGE", NULL, "only this stage, such as ingest or transform"),
    ARG_TEXT(struct look_options, reason, "reason", 0, "REASON", NULL, "only this reason, such as missing_field"),
    ARG_TEXT(struct look_options, since, "since", 0, "TIME", NULL, "only since then: 2h, 7d, or a time"),
    ARG_INTEGER(struct look_options, limit, "limit", 'n', "N", "50", 1, LIST_MAX, "the newest N"),
    ARG_FLAG(struct look_options, summary, "summary", 0, "how many there are, by stage and reason"),
    URL_ARGS,
};

static const struct arg SHOW_ARGS[] = {
    URL_ARGS,
    ARG_REST(struct look_options, id, "ID", 1, 1, "as `weir dead-letters list` shows it"),
};

static const struct args_command LIST = {
    .name = "dead-letters list",
    .summary = "show what was refused, the newest first",
    .description = "Every event that was refused is kept with its bytes, the reason and the field at fault.",
    .examples = "  weir dead-letters list --summary\n"
                "  weir dead-letters list --reason missing_field --since 2h\n"
                "  weir dead-letters list --json --limit 1000 > letters.json\n",
    .args = LIST_ARGS,
    .arg_count = COUNT_OF(LIST_ARGS),
};

static const struct args_command SHOW = {
    .name = "dead-letters show",
    .summary = "show one dead letter and what to do about it",
    .examples = "  weir dead-letters show 3-1842\n"
                "  weir dead-letters show 3-1842 --json\n",
    .args = SHOW_ARGS,
    .arg_count = COUNT_OF(SHOW_ARGS),
};

static int fail(int exit_code, const struct error *err)
{
    fprintf(stderr, "weir dead-letters: %s\n", err->text);
    return exit_code;
}

static int write_out(const struct buf *out)
{
    return fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static struct letter_filter filter_of(const struct look_options *options)
{
    return (struct letter_filter){ options->stage, options->reason, options->since, options->id };
}

/* --- tables: cells are texts in one buffer that never moves */

struct table {
    const struct term_column *columns;
    size_t column_count, cell_count, cells_max;
    struct slice *cells;
    struct buf text;
};

static void table_auto(struct table *table)
{
    free(table->cells);
    buf_done(&table->text);
}

static void table_init(struct table *table, const struct term_column *columns, size_t column_count, size_t rows_max)
{
    *table = (struct table){ .columns = columns, .column_count = column_count, .cells_max = rows_max * column_count };
    table->cells = calloc(table->cells_max, sizeof *table->cells);
    buf_init(&table->text, table->cells_max * 512);
    if (!table->cells || !buf_reserve(&table->text, table->cells_max * 512))
        abort();
}

/* At most 500 bytes of it: no terminal shows more. */
static void table_add(struct table *table, struct slice cell)
{
    size_t from = table->text.n, n = cell.n < 500 ? cell.n : 500;
    if (table->cell_count == table->cells_max)
        return;
    buf_add(&table->text, cell.p, n);
    table->cells[table->cell_count++] = slice_of(table->text.p + from, n);
}

/* A table on a terminal; lines of words between tabs for programs. */
static void table_print(const struct table *table, struct buf *out)
{
    if (term_is_terminal(stdout)) {
        term_add_table(out, table->columns, table->column_count, table->cells, table->cell_count / table->column_count,
                       term_columns());
        return;
    }
    for (size_t i = 0; i < table->column_count; i++)
        buf_add_format(out, "%s%.*s", i ? "\t" : "", SLICE_ARG(table->columns[i].name));
    for (size_t i = 0; i < table->cell_count; i++) {
        buf_add_char(out, i % table->column_count ? '\t' : '\n');
        term_add_cut(out, table->cells[i], 500);
    }
    buf_add_char(out, '\n');
}

/* --- list --summary */

static const struct term_column SUMMARY_COLUMNS[] = {
    { { "stage", 5 }, false }, { { "reason", 6 }, false }, { { "letters", 7 }, true },
    { { "first", 5 }, false }, { { "last", 4 }, false },
};

static void add_summary_json(struct buf *out, const struct table *table)
{
    buf_add_text(out, "{\"reasons\":[");
    for (size_t i = 0; i + 5 <= table->cell_count; i += 5) {
        buf_add_text(out, i ? ",{" : "{");
        json_add_field(out, "stage", table->cells[i]);
        json_add_field(out, "reason", table->cells[i + 1]);
        json_add_key(out, "letters");
        buf_add_slice(out, table->cells[i + 2]);
        json_add_field(out, "first", table->cells[i + 3]);
        json_add_field(out, "last", table->cells[i + 4]);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "]}\n");
}

static void read_summary(struct slice answer, struct table *table)
{
    struct slice rows;
    struct json_walk walk, row;
    char cell[512];
    if (!json_find(answer, "rows", &rows))
        return;
    for (json_walk_begin(&walk, rows); json_walk_next(&walk);)
        for (json_walk_begin(&row, walk.value); json_walk_next(&row);) {
            AUTO(buf) struct buf text;
            buf_init(&text, sizeof cell);
            if (!json_scan_string(row.value, &text))
                buf_add_slice(&text, row.value);
            table_add(table, buf_slice(&text));
        }
}

static int summarize(const struct look_options *options, struct http_client *client)
{
    AUTO(buf) struct buf sql, out;
    AUTO(table) struct table table;
    struct letter_filter filter = filter_of(options);
    struct error err;
    struct slice answer;
    int exit_code = EX_USAGE;
    buf_init(&sql, 65536);
    buf_init(&out, OUT_MAX);
    table_init(&table, SUMMARY_COLUMNS, COUNT_OF(SUMMARY_COLUMNS), 1000);
    buf_add_text(&sql, "SELECT stage, reason, count() AS letters, min(received_at) AS first, max(received_at) AS last"
                       " FROM dead_letters");
    enum status s = letter_filter_add(&filter, world_wall_ms(world_real()), &sql, &err);
    buf_add_text(&sql, " GROUP BY stage, reason ORDER BY letters DESC, stage, reason LIMIT 1000");
    if (s == OK)
        s = letters_ask(client, buf_slice(&sql), &answer, &exit_code, &err);
    if (s != OK)
        return fail(exit_code, &err);
    read_summary(answer, &table);
    if (options->json)
        add_summary_json(&out, &table);
    else if (table.cell_count)
        table_print(&table, &out);
    else
        buf_add_text(&out, "no dead letters: nothing was refused\n");
    return write_out(&out);
}

/* --- list */

static const struct term_column LIST_COLUMNS[] = {
    { { "id", 2 }, false },      { { "received_at", 11 }, false }, { { "stage", 5 }, false },
    { { "reason", 6 }, false },  { { "field", 5 }, false },        { { "event_id", 8 }, false },
    { { "message", 7 }, false },
};

static void add_row(struct table *table, const struct letter *letter)
{
    char time[TIMESTAMP_TEXT_BYTES];
    bool datable = letter->received_ms >= TIMESTAMP_MIN_MS && letter->received_ms <= TIMESTAMP_MAX_MS;
    if (datable)
        timestamp_format(letter->received_ms, time);
    table_add(table, letter->id);
    table_add(table, datable ? slice_of(time, sizeof time) : SLICE(""));
    table_add(table, letter->stage);
    table_add(table, letter->reason);
    table_add(table, letter->field);
    table_add(table, letter->event_id);
    table_add(table, letter->message);
}

static void add_footer(const struct look_options *options, struct http_client *client, size_t shown, struct buf *out)
{
    struct letter_filter filter = filter_of(options);
    struct error err;
    uint64_t all = 0;
    int exit_code;
    if (!term_is_terminal(stdout))
        return;
    if (shown < (size_t)options->limit ||
        letters_count(client, &filter, world_wall_ms(world_real()), &all, &exit_code, &err) != OK)
        all = shown;
    buf_add_text(out, term_style(stdout, TERM_DIM));
    term_add_grouped(out, shown);
    buf_add_text(out, " of ");
    term_add_grouped(out, all);
    buf_add_text(out, "; `weir dead-letters show ID` says what to do about one");
    buf_add_text(out, term_style(stdout, TERM_PLAIN));
    buf_add_char(out, '\n');
}

static int list(const struct look_options *options, struct http_client *client)
{
    AUTO(buf) struct buf out;
    AUTO(letters) struct letters *letters = NULL;
    AUTO(table) struct table table;
    struct letter_filter filter = filter_of(options);
    const struct letter *letter = NULL;
    struct error err;
    size_t shown = 0;
    int exit_code = EX_USAGE;
    buf_init(&out, OUT_MAX);
    table_init(&table, LIST_COLUMNS, COUNT_OF(LIST_COLUMNS), (size_t)options->limit);
    enum status s =
        letters_open(client, &filter, world_wall_ms(world_real()), true, (uint64_t)options->limit, &letters, &err);
    buf_add_text(&out, options->json ? "{\"dead_letters\":[" : "");
    while (s == OK && (s = letters_next(letters, &letter, &exit_code, &err)) == OK && letter) {
        if (options->json && shown++)
            buf_add_char(&out, ',');
        if (options->json)
            letter_add_json(&out, letter);
        else
            add_row(&table, letter);
    }
    if (s != OK)
        return fail(exit_code, &err);
    if (options->json) {
        buf_add_text(&out, "]}\n");
        if (out.full) {
            error_set(&err, ERR_FULL, "more than 1 GiB of them: lower --limit");
            return fail(EX_DATAERR, &err);
        }
        return write_out(&out);
    }
    if (!table.cell_count) {
        buf_add_text(&out, letter_filter_is_empty(&filter) ? "no dead letters: nothing was refused\n"
                                                           : "no dead letters fit these filters\n");
        return write_out(&out);
    }
    table_print(&table, &out);
    add_footer(options, client, table.cell_count / COUNT_OF(LIST_COLUMNS), &out);
    return write_out(&out);
}

static int show(const struct look_options *options, struct http_client *client)
{
    AUTO(buf) struct buf out;
    AUTO(letters) struct letters *letters = NULL;
    struct letter_filter filter = filter_of(options);
    const struct letter *letter = NULL;
    struct error err;
    int exit_code = EX_USAGE;
    buf_init(&out, OUT_MAX);
    enum status s = letters_open(client, &filter, world_wall_ms(world_real()), true, 1, &letters, &err);
    if (s == OK)
        s = letters_next(letters, &letter, &exit_code, &err);
    if (s == OK && !letter) {
        exit_code = EX_DATAERR;
        s = error_set(&err, ERR_NOT_FOUND,
                      "there is no dead letter %s (of this key's tenant): see `weir dead-letters "
                      "list`",
                      options->id.items[0]);
    }
    if (s != OK)
        return fail(exit_code, &err);
    if (options->json) {
        letter_add_json(&out, letter);
        buf_add_char(&out, '\n');
    } else {
        letter_add_page(&out, letter);
    }
    return write_out(&out);
}

static int run(const struct args_command *command, int argc, char **argv)
{
    struct look_options options = { 0 };
    struct error err;
    int exit_code;
    if (!args_parse(command, argc, argv, &options, &exit_code))
        return exit_code;
    AUTO(http_client) struct http_client *client = NULL;
    struct http_client_options to = { .url = options.url, .key = options.key };
    if (http_client_open(&to, &client, &err) != OK)
        return fail(EX_USAGE, &err);
    if (command == &SHOW)
        return show(&options, client);
    return options.summary ? summarize(&options, client) : list(&options, client);
}

static int run_list(int argc, char **argv)
{
    return run(&LIST, argc, argv);
}

static int run_show(int argc, char **argv)
{
    return run(&SHOW, argc, argv);
}

int command_dead_letters(int argc, char **argv)
{
    static const struct subcommand ROWS[] = {
        { "list", "show what was refused, the newest first", run_list },
        { "show", "show one and what to do about it", run_show },
        { "replay", "send originals again, mended", letter_replay },
    };
    return args_dispatch("dead-letters", "what was refused: look at it, mend it, send it again", ROWS, COUNT_OF(ROWS),
                         argc, argv);
}
