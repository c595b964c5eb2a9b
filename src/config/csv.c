/* A reader of our own, since a mistake is to be told where it stands: libcsv gives cells without their places, and
 * takes a quote in the middle of a cell for part of it. */
#include "config/csv.h"

#include "base/utf8.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

void csv_init(struct csv *csv, struct slice text, struct arena *arena)
{
    *csv = (struct csv){ .text = text, .arena = arena };
    if (slice_starts(text, SLICE(BYTE_ORDER_MARK)))
        csv->at = strlen(BYTE_ORDER_MARK);
}

static bool fail(struct csv *csv, size_t at, const char *problem)
{
    csv->problem = problem;
    csv->problem_at = at;
    csv->at = csv->text.n;
    return false;
}

/* -1: the end of the text. */
static int peek(const struct csv *csv)
{
    return csv->at < csv->text.n ? (unsigned char)csv->text.p[csv->at] : -1;
}

/* Bytes of the line's end that stands at csv->at: 0 when there is none. */
static size_t line_end(const struct csv *csv)
{
    struct slice rest = slice_after(csv->text, csv->at);
    return slice_starts(rest, SLICE("\r\n")) ? 2 : slice_starts(rest, SLICE("\n")) ? 1 : 0;
}

static bool ends_cell(const struct csv *csv)
{
    return peek(csv) == -1 || peek(csv) == ',' || line_end(csv);
}

static bool take_character(struct csv *csv)
{
    size_t left = csv->text.n - csv->at;
    const unsigned char *p = (const unsigned char *)csv->text.p + csv->at;
    size_t n = utf8_length(p, left);
    if (!n)
        return fail(csv, csv->at, "this is not UTF-8: save the file as UTF-8");
    if (*p == 0)
        return fail(csv, csv->at, "a byte of zero: this is no text");
    csv->at += n;
    return true;
}

static bool take_bare(struct csv *csv, struct csv_cell *cell)
{
    while (!ends_cell(csv)) {
        if (peek(csv) == '"')
            return fail(csv, csv->at, "a quote within a cell: put the whole cell in quotes and write this one twice");
        if (peek(csv) == '\r')
            return fail(csv, csv->at, "a line ends with \\n or \\r\\n, not with \\r alone");
        if (!take_character(csv))
            return false;
    }
    cell->text = slice_of(csv->text.p + cell->at, csv->at - cell->at);
    return true;
}

/* Each "" inside as one quote. */
static bool unquote(struct csv *csv, struct csv_cell *cell, struct slice inside)
{
    char *to = arena_take(csv->arena, inside.n);
    size_t n = 0;
    if (!to)
        return fail(csv, cell->at, "all dimension tables together are too large");
    for (size_t i = 0; i < inside.n; i++) {
        to[n++] = inside.p[i];
        i += inside.p[i] == '"';
    }
    cell->text = slice_of(to, n);
    return true;
}

static bool take_quoted(struct csv *csv, struct csv_cell *cell)
{
    bool doubled = false;
    csv->at++;
    for (;;) {
        if (peek(csv) == -1)
            return fail(csv, cell->at, "this quote is never closed");
        if (peek(csv) != '"') {
            if (!take_character(csv))
                return false;
            continue;
        }
        csv->at++;
        if (peek(csv) != '"')
            break;
        doubled = true;
        csv->at++;
    }
    if (!ends_cell(csv))
        return fail(csv, csv->at,
                    "behind the closing quote stands a comma or the line's end; a quote inside is written twice");
    cell->text = slice_of(csv->text.p + cell->at + 1, csv->at - cell->at - 2);
    return !doubled || unquote(csv, cell, cell->text);
}

static bool take_cell(struct csv *csv, struct csv_cell *cell)
{
    *cell = (struct csv_cell){ .at = csv->at };
    bool fine = peek(csv) == '"' ? take_quoted(csv, cell) : take_bare(csv, cell);
    cell->width = csv->at - cell->at;
    return fine;
}

enum csv_result csv_next(struct csv *csv, struct csv_cell *cells, size_t cells_max, size_t *out_count)
{
    struct csv_cell beyond;
    size_t count = 0;
    while (line_end(csv))
        csv->at += line_end(csv);
    if (peek(csv) == -1)
        return csv->problem ? CSV_WRONG : CSV_END;
    for (;; csv->at++) {
        if (!take_cell(csv, count < cells_max ? &cells[count] : &beyond))
            return CSV_WRONG;
        count++;
        if (peek(csv) != ',')
            break;
    }
    csv->at += line_end(csv);
    *out_count = count;
    return CSV_ROW;
}
