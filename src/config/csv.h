/* Rows of a CSV text, strictly by RFC 4180: commas, cells in double quotes when they have a comma, a quote (written
 * twice) or a line's end in them, lines that end with \n or \r\n. UTF-8; a byte order mark before it is skipped, and so
 * are empty lines. Anything else is wrong, at a byte, for one of the reasons below. One owner, one thread. */
#pragma once
#include "base/arena.h"
#include "base/compiler.h"

struct csv {
    struct slice text;
    struct arena *arena; /* of cells with a quote in them; all others are views of the text */
    size_t at;
    const char *problem; /* of CSV_WRONG: why, and where */
    size_t problem_at;
};

struct csv_cell {
    struct slice text;
    size_t at, width; /* as it stands, quotes included */
};

enum csv_result { CSV_ROW, CSV_END, CSV_WRONG };

void csv_init(struct csv *csv, struct slice text, struct arena *arena);
/* The next row: *out_count is how many cells it has, of which the first cells_max are told. CSV_WRONG stays. */
MUST_CHECK enum csv_result csv_next(struct csv *csv, struct csv_cell *cells, size_t cells_max, size_t *out_count);
