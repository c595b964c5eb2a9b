/* What commands print to people: colours, widths, numbers, tables and a progress bar. Colours and cursor movement only
 * where a terminal reads them and NO_COLOR is not set; everything here is plain text otherwise. Text from outside is
 * made harmless before it reaches a terminal (control characters become visible marks). Threads: main only. */
#pragma once
#include <stdio.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

enum term_style {
    TERM_PLAIN,
    TERM_BOLD,
    TERM_DIM,
    TERM_RED,
    TERM_GREEN,
    TERM_YELLOW,
    TERM_BLUE,
    TERM_CYAN,
};

bool term_is_terminal(FILE *file);
unsigned term_columns(void); /* of the terminal; $COLUMNS or 80 where there is none */
unsigned term_rows(void);    /* 24 where there is none */
/* The escape sequence, or "" where the file is no terminal or the user wants no colours. */
const char *term_style(FILE *file, enum term_style style);

/* Cells that the text takes: East Asian wide characters and emoji take two, combining marks none. */
size_t term_width(struct slice utf8);
/* At most `cells` wide, with … where something was left out; control characters and bad bytes replaced. */
void term_add_cut(struct buf *buf, struct slice utf8, size_t cells);
void term_add_repeat(struct buf *buf, const char *text, size_t times);
void term_add_grouped(struct buf *buf, uint64_t value); /* 1,234,567 */
void term_add_short(struct buf *buf, double value);     /* 999, 1.23k, 45.6M */
void term_add_bytes(struct buf *buf, double bytes);     /* 12.3 MiB */
void term_add_ms(struct buf *buf, double ms);           /* 0.85 ms, 12 ms, 3.4 s, 2 m 5 s, 3 h 20 m */
/* One character of eight heights each value, oldest first, scaled to the largest. */
void term_add_sparkline(struct buf *buf, const double *values, size_t count);

struct term_column {
    struct slice name;
    bool right; /* numbers */
    bool whole; /* never cut: what its cells end with is what matters */
};
/* A box around columns and rows (cells row by row), no wider than columns_max cells; when even the narrowest columns
 * do not fit, each row is written as a list of name and value. A whole cell may be wider than that. */
void term_add_table(struct buf *buf, const struct term_column *columns, size_t column_count, const struct slice *cells,
                    size_t row_count, size_t columns_max);

/* A progress bar on standard error; silent where that is no terminal. Draw as often as you like: it paints at most
 * ten times a second. */
struct term_progress {
    const char *what;
    uint64_t total; /* 0: unknown */
    int64_t started_us, painted_us;
    bool shown;
    bool by_share; /* set it behind the start: done and total are no counts for people, the detail says enough */
};
void term_progress_start(struct term_progress *progress, const char *what, uint64_t total, int64_t now_us);
/* detail stands behind the bar ("12.3k/s"), may be NULL. */
void term_progress_draw(struct term_progress *progress, uint64_t done, const char *detail, int64_t now_us);
void term_progress_end(struct term_progress *progress); /* wipes the line */
