/* Any bytes as CSV: rows, or a reason at a byte that is there; and what was read, written with all cells in quotes, is
 * read as the same again. */
#include <stdlib.h>

#include "base/buf.h"
#include "config/csv.h"

#define CELLS 16

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void add_cell(struct buf *out, struct slice text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        buf_add_text(out, text.p[i] == '"' ? "\"" : "");
        buf_add_char(out, text.p[i]);
    }
    buf_add_char(out, '"');
}

/* All rows, as far as they can be read, in quotes. */
static enum csv_result rewrite(struct slice text, struct buf *out)
{
    struct arena arena;
    struct csv csv;
    struct csv_cell cells[CELLS];
    enum csv_result result;
    size_t count, end = 0;
    arena_init(&arena, 64 << 20);
    csv_init(&csv, text, &arena);
    while ((result = csv_next(&csv, cells, CELLS, &count)) == CSV_ROW) {
        expect(count > 0);
        for (size_t i = 0; i < count && i < CELLS; i++) {
            expect(cells[i].at >= end && cells[i].at + cells[i].width <= text.n);
            end = cells[i].at + cells[i].width;
            buf_add_text(out, i ? "," : "");
            add_cell(out, cells[i].text);
        }
        buf_add_char(out, '\n');
    }
    if (result == CSV_WRONG)
        expect(csv.problem && csv.problem_at < text.n);
    arena_done(&arena);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* a block of its own, so that reading past it is seen */
    struct buf once, twice;
    if (size)
        memcpy(text, data, size);
    buf_init(&once, 64 << 20);
    buf_init(&twice, 64 << 20);
    (void)rewrite(slice_of(text, size), &once);
    expect(rewrite(slice_of(buf_text(&once), once.n), &twice) == CSV_END);
    expect(slice_equal(buf_slice(&once), buf_slice(&twice)));
    buf_done(&once);
    buf_done(&twice);
    free(text);
    return 0;
}
