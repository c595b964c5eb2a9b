/* libpq is used without its blocking calls, since these wait for ever on a server that stands still: a question is
 * sent, and its socket is looked at until the answer is there or the time is over. Then the connection is given up,
 * because what it would say next belongs to nobody. The server's own statement_timeout is set shorter than that, so
 * that a slow statement ends with a word from the server and the connection stays. Looking up the host's name is
 * libpq's, and the one wait without our bound (the resolver has its own).
 *
 * Which failure it was is read from its SQLSTATE, which no language of the server changes. While connecting, libpq 15
 * gives it in the text alone, and only when asked to be verbose: that is asked for. */
#include "catalog/postgres_link.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world/world.h"

#define STATEMENTS_MAX 48
#define GRACE_MS 1000 /* beyond the server's own limit */
#define SQLSTATE_BYTES 6

struct postgres_link {
    struct postgres_link_options options;
    struct world *world;
    PGconn *connection;                   /* NULL: not connected */
    const char *prepared[STATEMENTS_MAX]; /* by number; of this connection */
    int prepared_count;
    char sqlstate[SQLSTATE_BYTES];
};

/* --- parameters and answers --- */

/* As binary, because a text needs no terminating zero then: the bytes are the same. */
void link_text(struct link_params *params, struct slice text)
{
    assert(params->count < LINK_PARAMS_MAX);
    params->values[params->count] = text.n ? text.p : "";
    params->lengths[params->count] = (int)text.n;
    params->formats[params->count++] = 1;
}

void link_number(struct link_params *params, int64_t number)
{
    int at = params->count;
    assert(at < LINK_PARAMS_MAX);
    snprintf(params->numbers[at], sizeof params->numbers[at], "%lld", (long long)number);
    params->values[at] = params->numbers[at];
    params->lengths[at] = 0;
    params->formats[at] = 0;
    params->count++;
}

int64_t link_read_number(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

struct slice link_read_text(const PGresult *result, int row, int column)
{
    return slice_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

/* --- failing --- */

const char *link_sqlstate(const struct postgres_link *link)
{
    return link->sqlstate;
}

static void give_up(struct postgres_link *link)
{
    PQfinish(link->connection);
    link->connection = NULL;
    link->prepared_count = 0;
}

/* By its class, the first two characters, or whole where a class has both kinds. What has none is the network's. */
static enum status status_of(const char *sqlstate)
{
    static const char *const LATER[] = { "08", "40", "53", "55P03", "57", "58" };
    if (strcmp(sqlstate, "53100") == 0)
        return ERR_FULL;
    for (size_t i = 0; i < COUNT_OF(LATER); i++)
        if (strncmp(sqlstate, LATER[i], strlen(LATER[i])) == 0)
            return ERR_RETRY;
    return strncmp(sqlstate, "XX", 2) == 0 ? ERR_CORRUPT : sqlstate[0] ? ERR_INVALID : ERR_RETRY;
}

static bool is_sqlstate(const char *at)
{
    return strspn(at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == SQLSTATE_BYTES - 1 && at[SQLSTATE_BYTES - 1] == ':';
}

/* "connection to server at …: FATAL:  28P01: password authentication failed …\nLOCATION: …" */
static void find_sqlstate(struct postgres_link *link, const char *text)
{
    link->sqlstate[0] = '\0';
    for (const char *at = text; (at = strstr(at, ":  ")) != NULL; at += 3)
        if (is_sqlstate(at + 3))
            snprintf(link->sqlstate, sizeof link->sqlstate, "%.5s", at + 3);
}

/* The first line; the verbose rest is for those who develop the server. */
static int line_length(const char *text)
{
    return (int)strcspn(text, "\n");
}

static enum status cannot_connect(struct postgres_link *link, struct error *err)
{
    const char *text = PQerrorMessage(link->connection);
    find_sqlstate(link, text);
    /* A certificate that is wrong stays so; TLS says that without a SQLSTATE. */
    bool untrusted = strstr(text, "certificate") || strstr(text, "does not support SSL") ||
                     PQconnectionNeedsPassword(link->connection);
    enum status s = !link->sqlstate[0] && untrusted ? ERR_INVALID : status_of(link->sqlstate);
    error_set(err, s, "%.*s", line_length(text), text);
    give_up(link);
    return s;
}

static enum status failed(struct postgres_link *link, const char *doing, const PGresult *result, struct error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL,
               *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!text)
        text = PQerrorMessage(link->connection);
    snprintf(link->sqlstate, sizeof link->sqlstate, "%s", state ? state : "");
    enum status s = status_of(link->sqlstate);
    error_set(err, s, "catalog: %s: %.*s", doing, line_length(text), text);
    if (PQstatus(link->connection) != CONNECTION_OK)
        give_up(link);
    return s;
}

static enum status late(struct postgres_link *link, const char *doing, int64_t after_ms, struct error *err)
{
    link->sqlstate[0] = '\0';
    give_up(link);
    return error_set(err, ERR_RETRY, "catalog: %s: the server did not answer in %lld ms", doing, (long long)after_ms);
}

/* --- waiting --- */

/* False: the time is over. */
static bool wait_for(const struct postgres_link *link, short events, int64_t end_us)
{
    int64_t left_ms = (end_us - world_mono_us(link->world)) / 1000;
    if (left_ms <= 0)
        return false;
    struct pollfd fd = { .fd = PQsocket(link->connection), .events = events };
    (void)poll(&fd, 1, (int)(left_ms < 1000 ? left_ms : 1000)); /* interrupted or not: the caller looks again */
    return true;
}

/* Until all of the question is on its way and the next answer is there. */
static bool await_answer(const struct postgres_link *link, int64_t end_us)
{
    int unsent = 1;
    while ((unsent > 0 && (unsent = PQflush(link->connection)) > 0) || PQisBusy(link->connection)) {
        if (unsent < 0 || PQstatus(link->connection) != CONNECTION_OK)
            return true; /* PQgetResult says what is wrong */
        if (!wait_for(link, unsent > 0 ? POLLIN | POLLOUT : POLLIN, end_us))
            return false;
        if (!PQconsumeInput(link->connection))
            return true;
    }
    return true;
}

/* The last answer to what was sent. False: the time is over. */
static bool take_answer(struct postgres_link *link, int64_t end_us, PGresult **out)
{
    PGresult *last = NULL, *next;
    while (await_answer(link, end_us)) {
        next = PQgetResult(link->connection);
        if (!next) {
            *out = last;
            return true;
        }
        bool failed_before = last && PQresultStatus(last) == PGRES_FATAL_ERROR;
        PQclear(failed_before ? next : last);
        last = failed_before ? last : next;
        if (PQstatus(link->connection) != CONNECTION_OK) {
            *out = last;
            return true;
        }
    }
    PQclear(last);
    return false;
}

static enum status finish(struct postgres_link *link, const char *doing, int sent, PGresult **out, struct error *err)
{
    const int64_t wait_ms = link->options.statement_timeout_ms + GRACE_MS,
                  end_us = world_mono_us(link->world) + wait_ms * 1000;
    PGresult *result = NULL;
    link->sqlstate[0] = '\0';
    if (sent && !take_answer(link, end_us, &result))
        return late(link, doing, wait_ms, err);
    ExecStatusType status = PQresultStatus(result);
    if (!sent || !result || (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)) {
        enum status s = failed(link, doing, result, err);
        PQclear(result);
        return s;
    }
    if (out)
        *out = result;
    else
        PQclear(result);
    return OK;
}

/* --- connecting --- */

static bool shake_hands(struct postgres_link *link, int64_t end_us)
{
    for (;;) {
        PostgresPollingStatusType next = PQconnectPoll(link->connection);
        if (next == PGRES_POLLING_OK || next == PGRES_POLLING_FAILED)
            return true;
        if (!wait_for(link, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, end_us))
            return false;
    }
}

static void ignore_notice(void *self, const PGresult *result)
{
    (void)self, (void)result;
}

static enum status set_up(struct postgres_link *link, struct error *err)
{
    struct link_params params = { 0 };
    link_number(&params, link->options.statement_timeout_ms);
    link_text(&params, link->options.read_only ? SLICE("on") : SLICE("off"));
    return link_ask(link, "set the connection up",
                    "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false),"
                    " set_config('idle_in_transaction_session_timeout', '60000', false),"
                    " set_config('default_transaction_read_only', $2, false),"
                    " set_config('synchronous_commit', 'on', false)",
                    &params, NULL, err);
}

enum status link_connect(struct postgres_link *link, struct error *err)
{
    if (link->connection && PQstatus(link->connection) == CONNECTION_OK)
        return OK;
    give_up(link);
    /* What stands before dbname the connection string may set otherwise; what stands behind it, not. */
    const char *const keys[] = { "application_name",
                                 "gssencmode",
                                 "dbname",
                                 "client_encoding",
                                 link->options.password[0] ? "password" : NULL,
                                 NULL };
    const char *const values[] = { "weir", "disable", link->options.url, "UTF8", link->options.password, NULL };
    const int64_t end_us = world_mono_us(link->world) + link->options.connect_timeout_ms * 1000;
    link->sqlstate[0] = '\0';
    link->connection = PQconnectStartParams(keys, values, 1);
    if (!link->connection)
        return error_set(err, ERR_FULL, "catalog: out of memory");
    PQsetErrorVerbosity(link->connection, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(link->connection, ignore_notice, NULL);
    if (PQstatus(link->connection) != CONNECTION_BAD && !shake_hands(link, end_us)) {
        give_up(link);
        return error_set(err, ERR_RETRY, "the server did not answer in %lld ms",
                         (long long)link->options.connect_timeout_ms);
    }
    if (PQstatus(link->connection) != CONNECTION_OK)
        return cannot_connect(link, err);
    PQsetErrorVerbosity(link->connection, PQERRORS_DEFAULT);
    if (PQsetnonblocking(link->connection, 1) != 0)
        return cannot_connect(link, err);
    const enum status s = set_up(link, err);
    if (s != OK)
        give_up(link); /* without its bounds it is not to be used */
    return s;
}

/* --- asking --- */

static enum status prepare(struct postgres_link *link, const char *doing, const char *sql, char name[16],
                           struct error *err)
{
    int number = 0;
    while (number < link->prepared_count && link->prepared[number] != sql)
        number++;
    snprintf(name, 16, "weir_%d", number);
    if (number < link->prepared_count)
        return OK;
    assert(number < STATEMENTS_MAX);
    enum status s = finish(link, doing, PQsendPrepare(link->connection, name, sql, 0, NULL), NULL, err);
    if (s == OK)
        link->prepared[link->prepared_count++] = sql;
    return s;
}

enum status link_ask(struct postgres_link *link, const char *doing, const char *sql, const struct link_params *params,
                     PGresult **out, struct error *err)
{
    static const struct link_params NONE = { 0 };
    char name[16];
    enum status s = link_connect(link, err);
    if (s == OK)
        s = prepare(link, doing, sql, name, err);
    if (s != OK)
        return s;
    if (!params)
        params = &NONE;
    int sent =
        PQsendQueryPrepared(link->connection, name, params->count, params->values, params->lengths, params->formats, 0);
    return finish(link, doing, sent, out, err);
}

enum status link_run(struct postgres_link *link, const char *doing, const char *sql, struct error *err)
{
    enum status s = link_connect(link, err);
    return s == OK ? finish(link, doing, PQsendQuery(link->connection, sql), NULL, err) : s;
}

enum status link_begin(struct postgres_link *link, const char *sql, struct error *err)
{
    const bool used_before = link->connection != NULL;
    enum status s = link_run(link, "begin", sql, err);
    if (s == ERR_RETRY && used_before && !link->connection)
        s = link_run(link, "begin", sql, err);
    return s;
}

enum status link_commit(struct postgres_link *link, struct error *err)
{
    return link->connection ? finish(link, "commit", PQsendQuery(link->connection, "COMMIT"), NULL, err)
                            : error_set(err, ERR_RETRY, "catalog: the connection broke");
}

void link_roll_back(struct postgres_link *link)
{
    char of_failure[SQLSTATE_BYTES];
    memcpy(of_failure, link->sqlstate, sizeof of_failure);
    if (link->connection && PQtransactionStatus(link->connection) != PQTRANS_IDLE &&
        finish(link, "roll back", PQsendQuery(link->connection, "ROLLBACK"), NULL, NULL) != OK)
        give_up(link); /* its end is the transaction's */
    memcpy(link->sqlstate, of_failure, sizeof of_failure);
}

/* --- life --- */

struct postgres_link *link_new(const struct postgres_link_options *options, struct world *world)
{
    struct postgres_link *link = calloc(1, sizeof *link);
    if (!link)
        abort();
    link->options = *options;
    link->options.url = strdup(options->url);
    link->options.password = strdup(options->password);
    if (!link->options.url || !link->options.password)
        abort();
    link->world = world;
    return link;
}

void link_free(struct postgres_link *link)
{
    if (!link)
        return;
    give_up(link);
    explicit_bzero((char *)link->options.password, strlen(link->options.password));
    free((char *)link->options.password);
    free((char *)link->options.url);
    free(link);
}
