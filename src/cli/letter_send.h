/* Sends a file of NDJSON through POST /track in batches, one connection, in order, with a progress bar: what replay
 * ends in. Waits where the server says so (429, 503) and tries again; events carry ids, so a repeat counts once. */
#pragma once
#include <stdio.h>

#include "base/compiler.h"
#include "base/error.h"

struct letter_sending {
    const char *url, *key, *path;
    bool quiet;
    uint64_t lines; /* in the file, for the bar; 0: unknown */
    /* what came of it */
    uint64_t sent, accepted, rejected;
    char first_problem[ERROR_TEXT_MAX]; /* "" when there was none */
};

/* Reads from the file's current position. On failure *out_exit_code is what the command returns. */
MUST_CHECK enum status letter_send(struct letter_sending *sending, FILE *lines, int *out_exit_code, struct error *err);
