/* A table in a box. Widths: every column gets what its widest cell needs; while the sum is too wide, the widest column
 * that may be cut gives up cells, down to a width in which something can still be read. Only the first rows are
 * measured, so that a large answer costs no second pass over everything; later cells are cut to fit. */
#include "cli/term.h"

#include <stdlib.h>

#define MEASURED_ROWS_MAX 1000
#define NARROWEST 6

struct layout {
    const struct term_column *columns;
    size_t count;
    size_t *widths;
};

static size_t total_width(const struct layout *layout)
{
    size_t total = 1;
    for (size_t i = 0; i < layout->count; i++)
        total += layout->widths[i] + 3;
    return total;
}

static void measure(struct layout *layout, const struct slice *cells, size_t row_count)
{
    for (size_t i = 0; i < layout->count; i++) {
        layout->widths[i] = term_width(layout->columns[i].name);
        for (size_t row = 0; row < row_count && (layout->columns[i].whole || row < MEASURED_ROWS_MAX); row++) {
            size_t width = term_width(cells[row * layout->count + i]);
            if (width > layout->widths[i])
                layout->widths[i] = width;
        }
        if (layout->widths[i] == 0)
            layout->widths[i] = 1;
    }
}

/* True when it fits now. */
static bool shrink(struct layout *layout, size_t columns_max)
{
    size_t total = total_width(layout);
    while (total > columns_max) {
        size_t widest = layout->count;
        for (size_t i = 0; i < layout->count; i++)
            if (!layout->columns[i].whole && (widest == layout->count || layout->widths[i] > layout->widths[widest]))
                widest = i;
        if (widest == layout->count || layout->widths[widest] <= NARROWEST)
            return false;
        layout->widths[widest]--;
        total--;
    }
    return true;
}

static void add_rule(struct buf *buf, const struct layout *layout, const char *left, const char *middle,
                     const char *right)
{
    for (size_t i = 0; i < layout->count; i++) {
        buf_add_text(buf, i == 0 ? left : middle);
        term_add_repeat(buf, "─", layout->widths[i] + 2);
    }
    buf_add_text(buf, right);
    buf_add_char(buf, '\n');
}

static void add_cell(struct buf *buf, struct slice text, size_t cells, bool right)
{
    size_t width = term_width(text);
    size_t blanks = width < cells ? cells - width : 0;
    if (right)
        term_add_repeat(buf, " ", blanks);
    term_add_cut(buf, text, cells);
    if (!right)
        term_add_repeat(buf, " ", blanks);
}

static void add_boxed(struct buf *buf, const struct layout *layout, const struct slice *cells, size_t row_count)
{
    add_rule(buf, layout, "┌", "┬", "┐");
    for (size_t i = 0; i < layout->count; i++) {
        buf_add_text(buf, "│ ");
        add_cell(buf, layout->columns[i].name, layout->widths[i], layout->columns[i].right);
        buf_add_char(buf, ' ');
    }
    buf_add_text(buf, "│\n");
    add_rule(buf, layout, "├", "┼", "┤");
    for (size_t row = 0; row < row_count; row++) {
        for (size_t i = 0; i < layout->count; i++) {
            buf_add_text(buf, "│ ");
            add_cell(buf, cells[row * layout->count + i], layout->widths[i], layout->columns[i].right);
            buf_add_char(buf, ' ');
        }
        buf_add_text(buf, "│\n");
    }
    add_rule(buf, layout, "└", "┴", "┘");
}

static void add_lists(struct buf *buf, const struct layout *layout, const struct slice *cells, size_t row_count,
                      size_t columns_max)
{
    size_t widest = 0;
    for (size_t i = 0; i < layout->count; i++)
        if (term_width(layout->columns[i].name) > widest)
            widest = term_width(layout->columns[i].name);
    if (widest > columns_max / 2)
        widest = columns_max / 2;
    for (size_t row = 0; row < row_count; row++) {
        buf_add_format(buf, "── %zu ", row + 1);
        term_add_repeat(buf, "─", columns_max > 12 ? columns_max - 12 : 0);
        buf_add_char(buf, '\n');
        for (size_t i = 0; i < layout->count; i++) {
            add_cell(buf, layout->columns[i].name, widest, false);
            buf_add_text(buf, "  ");
            const size_t room = columns_max > widest + 2 ? columns_max - widest - 2 : 1;
            term_add_cut(buf, cells[row * layout->count + i], layout->columns[i].whole ? SIZE_MAX : room);
            buf_add_char(buf, '\n');
        }
    }
}

void term_add_table(struct buf *buf, const struct term_column *columns, size_t column_count, const struct slice *cells,
                    size_t row_count, size_t columns_max)
{
    if (column_count == 0)
        return;
    struct layout layout = { columns, column_count, calloc(column_count, sizeof(size_t)) };
    if (!layout.widths) {
        buf->full = true;
        return;
    }
    measure(&layout, cells, row_count);
    if (shrink(&layout, columns_max))
        add_boxed(buf, &layout, cells, row_count);
    else
        add_lists(buf, &layout, cells, row_count, columns_max);
    free(layout.widths);
}
