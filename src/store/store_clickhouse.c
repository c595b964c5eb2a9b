/* Inserts by HTTP: one Native block a request. Every setting that exactly-once rests on is sent with the insert and
 * not left to a profile somewhere: a remote server's profile is somebody else's. The engine's 26.x would otherwise put
 * inserts into an asynchronous queue and answer before they are stored (async_insert), and cut a block into several
 * with tokens of their own (min/max_insert_block_size).
 *
 * What an error number means for the sink is a table below. Only numbers that the engine raises while it reads and
 * converts the block, before it writes any part, may become ERR_INVALID: an insert over several partitions is not
 * atomic, and after a part was written only the same token is safe. Everything unknown is therefore ERR_RETRY. */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/store_http.h"

struct clickhouse {
    struct store store;
    struct store_http *http;
    char *database;
    uint32_t insert_wait_ms;
    struct buf parameters, answer;
    struct native_parts parts;
};

static const char SETTINGS[] =
    "async_insert=0&insert_deduplicate=1&deduplicate_blocks_in_dependent_materialized_views=1"
    "&max_partitions_per_insert_block=5000&max_insert_block_size=4294967295&min_insert_block_size_rows=4294967295"
    "&min_insert_block_size_bytes=0";

struct code_meaning {
    long code;
    enum status status;
};

static const struct code_meaning MEANINGS[] = {
    { 6, ERR_INVALID },     /* CANNOT_PARSE_TEXT */
    { 27, ERR_INVALID },    /* CANNOT_PARSE_INPUT_ASSERTION_FAILED */
    { 53, ERR_INVALID },    /* TYPE_MISMATCH */
    { 69, ERR_INVALID },    /* ARGUMENT_OUT_OF_BOUND */
    { 70, ERR_INVALID },    /* CANNOT_CONVERT_TYPE */
    { 72, ERR_INVALID },    /* CANNOT_PARSE_NUMBER */
    { 117, ERR_INVALID },   /* INCORRECT_DATA */
    { 131, ERR_INVALID },   /* TOO_LARGE_STRING_SIZE */
    { 306, ERR_INVALID },   /* TOO_DEEP_RECURSION */
    { 321, ERR_INVALID },   /* VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE */
    { 349, ERR_INVALID },   /* CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN */
    { 469, ERR_INVALID },   /* VIOLATED_CONSTRAINT */
    { 16, ERR_NOT_FOUND },  /* NO_SUCH_COLUMN_IN_TABLE */
    { 20, ERR_NOT_FOUND },  /* NUMBER_OF_COLUMNS_DOESNT_MATCH */
    { 47, ERR_NOT_FOUND },  /* UNKNOWN_IDENTIFIER */
    { 60, ERR_NOT_FOUND },  /* UNKNOWN_TABLE */
    { 62, ERR_NOT_FOUND },  /* SYNTAX_ERROR */
    { 73, ERR_NOT_FOUND },  /* UNKNOWN_FORMAT */
    { 81, ERR_NOT_FOUND },  /* UNKNOWN_DATABASE */
    { 115, ERR_NOT_FOUND }, /* UNKNOWN_SETTING */
    { 164, ERR_NOT_FOUND }, /* READONLY */
    { 192, ERR_NOT_FOUND }, /* UNKNOWN_USER */
    { 193, ERR_NOT_FOUND }, /* WRONG_PASSWORD */
    { 194, ERR_NOT_FOUND }, /* REQUIRED_PASSWORD */
    { 291, ERR_NOT_FOUND }, /* DATABASE_ACCESS_DENIED */
    { 497, ERR_NOT_FOUND }, /* ACCESS_DENIED */
    { 516, ERR_NOT_FOUND }, /* AUTHENTICATION_FAILED */
};

static enum status meaning_of(long code)
{
    for (size_t i = 0; i < COUNT_OF(MEANINGS); i++)
        if (MEANINGS[i].code == code)
            return MEANINGS[i].status;
    return ERR_RETRY;
}

static enum status clickhouse_open(const struct store_options *options, struct world *world, struct store **out,
                                   struct error *err)
{
    assert(options->database && options->insert_wait_ms > 0);
    struct clickhouse *self = calloc(1, sizeof *self);
    if (!self)
        return error_set(err, ERR_FULL, "open the store: out of memory");
    self->store.backend = &store_clickhouse;
    self->insert_wait_ms = options->insert_wait_ms;
    buf_init(&self->parameters, 4096);
    buf_init(&self->answer, 4096);
    self->database = strdup(options->database);
    const struct store_http_options http = { .url = options->url,
                                             .user = options->user,
                                             .password = options->password,
                                             .tls_ca = options->tls_ca,
                                             .connect_wait_ms = options->connect_wait_ms };
    enum status s = self->database ? OK : error_set(err, ERR_FULL, "open the store: out of memory");
    if (s == OK)
        s = store_http_open(&http, &self->http, err);
    if (s != OK) {
        store_clickhouse.close(&self->store);
        return s;
    }
    *out = &self->store;
    return OK;
}

/* The first line of what the engine says, without the version in brackets at its end. */
static struct slice first_line(struct buf *answer)
{
    struct slice text = buf_slice(answer);
    const char *end = text.n ? memchr(text.p, '\n', text.n) : NULL;
    if (end)
        text.n = (size_t)(end - text.p);
    if (text.n > 400)
        text.n = 400;
    return slice_trim(text);
}

static enum status ask(struct clickhouse *self, const struct iovec *parts, size_t part_count, uint32_t wait_ms,
                       struct error *err)
{
    struct store_http_answer answer;
    struct store_http_request request = { .parameters = buf_text(&self->parameters),
                                          .parts = parts,
                                          .part_count = part_count,
                                          .wait_ms = wait_ms,
                                          .answer = &self->answer };
    buf_reset(&self->answer);
    enum status s = store_http_ask(self->http, &request, &answer, err);
    if (s != OK)
        return s;
    if (answer.http_status == 200 && answer.exception_code == 0)
        return OK;
    struct slice why = first_line(&self->answer);
    return error_set(err, meaning_of(answer.exception_code), "the engine answered %ld: %.*s", answer.http_status,
                     SLICE_ARG(why));
}

static enum status clickhouse_insert(struct store *store, const struct store_insert *insert, struct error *err)
{
    struct clickhouse *self = (struct clickhouse *)store;
    char sql[256];
    assert(strlen(insert->token) < STORE_TOKEN_MAX);
    snprintf(sql, sizeof sql, "INSERT INTO %s.%s FORMAT Native", self->database, insert->table);
    buf_reset(&self->parameters);
    store_http_add_parameter(&self->parameters, "query", slice_from(sql));
    store_http_add_parameter(&self->parameters, "insert_deduplication_token", slice_from(insert->token));
    buf_add_char(&self->parameters, '&');
    buf_add_text(&self->parameters, SETTINGS);
    assert(!self->parameters.full);
    native_parts(insert->block, insert->first, insert->end, &self->parts);
    enum status s = ask(self, self->parts.parts, self->parts.count, self->insert_wait_ms, err);
    return s == OK ? OK : error_wrap(err, s, "insert %u rows into %s", insert->end - insert->first, insert->table);
}

static enum status clickhouse_ping(struct store *store, struct error *err)
{
    struct clickhouse *self = (struct clickhouse *)store;
    buf_reset(&self->parameters);
    store_http_add_parameter(&self->parameters, "query", SLICE("SELECT 1"));
    enum status s = ask(self, NULL, 0, 5000, err);
    return s == OK || s == ERR_CLOSED ? s : error_wrap(err, ERR_RETRY, "ping");
}

static void clickhouse_cancel(struct store *store)
{
    store_http_cancel(((struct clickhouse *)store)->http, true);
}

static void clickhouse_close(struct store *store)
{
    struct clickhouse *self = (struct clickhouse *)store;
    if (!self)
        return;
    store_http_close(self->http);
    buf_done(&self->parameters);
    buf_done(&self->answer);
    free(self->database);
    free(self);
}

const struct store_backend store_clickhouse = {
    .name = "clickhouse",
    .open = clickhouse_open,
    .insert = clickhouse_insert,
    .ping = clickhouse_ping,
    .cancel = clickhouse_cancel,
    .close = clickhouse_close,
};
