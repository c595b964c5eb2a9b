/* One connection to a PostgreSQL server, and what is asked over it: prepared statements with parameters, nothing else.
 * Every wait has an end, also for a server that takes the connection and then says nothing. Not locked: whoever has it
 * sees to it that one thread at a time uses it. Nothing here logs, and the password is in no error's words. */
#pragma once
#include <libpq-fe.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

struct world;
struct postgres_link;

struct postgres_link_options {
    const char *url;      /* a connection string of libpq: postgresql://… or KEY=VALUE … */
    const char *password; /* "": as the string, the environment or ~/.pgpass say */
    int64_t connect_timeout_ms, statement_timeout_ms;
    bool read_only; /* the server refuses changes */
};

#define LINK_PARAMS_MAX 10

/* $1, $2, … in order. The bytes of a text are borrowed until the statement has run. */
struct link_params {
    const char *values[LINK_PARAMS_MAX];
    int lengths[LINK_PARAMS_MAX], formats[LINK_PARAMS_MAX], count;
    char numbers[LINK_PARAMS_MAX][24];
};
void link_text(struct link_params *params, struct slice text);
void link_number(struct link_params *params, int64_t number);

static inline void link_result_auto(PGresult **result)
{
    PQclear(*result);
}
int64_t link_read_number(const PGresult *result, int row, int column);    /* 0 for NULL */
struct slice link_read_text(const PGresult *result, int row, int column); /* "" for NULL; terminated */

/* Connects at the first question. */
struct postgres_link *link_new(const struct postgres_link_options *options, struct world *world);
void link_free(struct postgres_link *link);
/* Connects unless it is. ERR_RETRY: nobody answers, or not yet. ERR_INVALID: wrong password, no such database or user,
 * a certificate that is not trusted: trying again cannot help. */
MUST_CHECK enum status link_connect(struct postgres_link *link, struct error *err);
/* sql must outlive the link (a literal): it is prepared once a connection. *out, which may be NULL, is the caller's.
 * ERR_RETRY: the server is away, too busy or too slow; outside of a transaction nothing has changed, unless the answer
 * alone was lost. ERR_INVALID: a value, a constraint or a missing right. */
MUST_CHECK enum status link_ask(struct postgres_link *link, const char *doing, const char *sql,
                                const struct link_params *params, PGresult **out, struct error *err);
/* "BEGIN …": a connection that has broken since its last use is made anew, once. */
MUST_CHECK enum status link_begin(struct postgres_link *link, const char *sql, struct error *err);
/* ERR_RETRY: the answer did not come, and it may have been done or not. */
MUST_CHECK enum status link_commit(struct postgres_link *link, struct error *err);
void link_roll_back(struct postgres_link *link);
/* Statements without parameters and answers, several in one text: migrations. */
MUST_CHECK enum status link_run(struct postgres_link *link, const char *doing, const char *sql, struct error *err);
/* SQLSTATE of the last failure, "" where the server gave none. */
const char *link_sqlstate(const struct postgres_link *link);
