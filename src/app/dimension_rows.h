/* The rows of dimension tables in a process that has tasks and no engine: read from the journal at start, before the
 * tasks begin, and followed on a thread of their own. Of the main thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "config/domain.h"

struct dimensions;
struct journal;
struct metrics;
struct role_thread;
struct world;

struct dimension_rows { /* all NULL: not opened */
    struct dimensions *dimensions;
    struct role_thread *thread;
};

struct dimension_rows_options {
    const char *data_path; /* copied */
    const struct domain_set *domains;
};

/* Waits until all that is in the journal has been read and is in place; after 60 s it goes on with the rows of
 * before, and says so. ERR_CLOSED: SIGTERM came while it waited (*out_exit_code EX_OK). */
MUST_CHECK enum status dimension_rows_open(struct dimension_rows *rows, const struct dimension_rows_options *options,
                                           struct journal *journal, struct metrics *metrics, struct world *world,
                                           int *out_exit_code, struct error *err);
/* These do nothing, or say no, when it is not opened. */
void dimension_rows_use(struct dimension_rows *rows, const struct domain_set *domains);
bool dimension_rows_are_waiting(const struct dimension_rows *rows);
void dimension_rows_take(struct dimension_rows *rows); /* while no task runs */
void dimension_rows_stop(struct dimension_rows *rows);
void dimension_rows_close(struct dimension_rows *rows); /* before the journal's close */
