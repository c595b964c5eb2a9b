/* Widths are counted by hand instead of with wcwidth, so that the answer does not depend on the user's locale: the
 * ranges below are the ones that terminals agree on. Painting writes one string at a time, so that a redraw does not
 * flicker. */
#include "cli/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool term_is_terminal(FILE *file)
{
    const char *kind = getenv("TERM");
    return isatty(fileno(file)) == 1 && !(kind && strcmp(kind, "dumb") == 0);
}

static unsigned window_size(bool rows)
{
    struct winsize size;
    for (int fd = 1; fd <= 2; fd++)
        if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
            return rows ? size.ws_row : size.ws_col;
    const char *set = getenv(rows ? "LINES" : "COLUMNS");
    uint64_t value;
    return set && slice_to_u64(slice_from(set), &value) && value > 0 && value < 10000 ? (unsigned)value
           : rows                                                                     ? 24
                                                                                      : 80;
}

unsigned term_columns(void)
{
    return window_size(false);
}

unsigned term_rows(void)
{
    return window_size(true);
}

const char *term_style(FILE *file, enum term_style style)
{
    static const char *const CODES[] = {
        [TERM_PLAIN] = "\033[0m",  [TERM_BOLD] = "\033[1m",    [TERM_DIM] = "\033[2m",   [TERM_RED] = "\033[31m",
        [TERM_GREEN] = "\033[32m", [TERM_YELLOW] = "\033[33m", [TERM_BLUE] = "\033[34m", [TERM_CYAN] = "\033[36m"
    };
    const char *no_color = getenv("NO_COLOR");
    return term_is_terminal(file) && !(no_color && *no_color) ? CODES[style] : "";
}

/* The code point at the start of s and its bytes; U+FFFD and 1 for a bad byte. */
static uint32_t next_code_point(struct slice s, size_t *out_bytes)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
    *out_bytes = 1;
    if (n == 1)
        return p[0];
    if (n == 0 || n > s.n || p[0] > 0xf4)
        return 0xfffd;
    uint32_t point = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0xfffd;
        point = point << 6 | (p[i] & 0x3f);
    }
    *out_bytes = n;
    return point;
}

static size_t code_point_width(uint32_t c)
{
    static const struct {
        uint32_t first, last;
        uint8_t width;
    } RANGES[] = { { 0x300, 0x36f, 0 },     { 0x200b, 0x200f, 0 },   { 0x202a, 0x202e, 0 },   { 0x2060, 0x2064, 0 },
                   { 0x20d0, 0x20f0, 0 },   { 0xfe00, 0xfe0f, 0 },   { 0x1100, 0x115f, 2 },   { 0x2e80, 0x303e, 2 },
                   { 0x3041, 0x33ff, 2 },   { 0x3400, 0x4dbf, 2 },   { 0x4e00, 0x9fff, 2 },   { 0xa000, 0xa4cf, 2 },
                   { 0xac00, 0xd7a3, 2 },   { 0xf900, 0xfaff, 2 },   { 0xfe30, 0xfe6f, 2 },   { 0xff00, 0xff60, 2 },
                   { 0xffe0, 0xffe6, 2 },   { 0x1f300, 0x1f64f, 2 }, { 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 },
                   { 0x20000, 0x3fffd, 2 }, { 0xfeff, 0xfeff, 0 } };
    for (size_t i = 0; i < COUNT_OF(RANGES); i++)
        if (c >= RANGES[i].first && c <= RANGES[i].last)
            return RANGES[i].width;
    return 1;
}

/* Characters that would move the cursor, change colours or reorder the line. */
static bool is_unsafe(uint32_t c)
{
    return c < ' ' || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

size_t term_width(struct slice utf8)
{
    size_t width = 0;
    while (utf8.n) {
        size_t bytes;
        uint32_t c = next_code_point(utf8, &bytes);
        width += is_unsafe(c) ? 1 : code_point_width(c);
        utf8 = slice_after(utf8, bytes);
    }
    return width;
}

static void add_safe(struct buf *buf, uint32_t c, struct slice bytes)
{
    if (c == '\n')
        buf_add_text(buf, "↵");
    else if (c == '\t')
        buf_add_text(buf, "→");
    else if (is_unsafe(c))
        buf_add_text(buf, "·");
    else if (c == 0xfffd)
        buf_add_text(buf, "\xef\xbf\xbd");
    else
        buf_add_slice(buf, bytes);
}

void term_add_cut(struct buf *buf, struct slice utf8, size_t cells)
{
    bool cut = term_width(utf8) > cells;
    size_t room = cut && cells ? cells - 1 : cells;
    while (utf8.n) {
        size_t bytes;
        uint32_t c = next_code_point(utf8, &bytes);
        size_t width = is_unsafe(c) ? 1 : code_point_width(c);
        if (width > room)
            break;
        add_safe(buf, c, slice_of(utf8.p, bytes));
        room -= width;
        utf8 = slice_after(utf8, bytes);
    }
    if (cut && cells)
        buf_add_text(buf, "…");
}

void term_add_repeat(struct buf *buf, const char *text, size_t times)
{
    while (times--)
        buf_add_text(buf, text);
}

void term_add_grouped(struct buf *buf, uint64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            buf_add_char(buf, ',');
        buf_add_char(buf, digits[i]);
    }
}

static void add_scaled(struct buf *buf, double value, double step, const char *const *units, size_t count)
{
    size_t unit = 0;
    while (unit + 1 < count && value >= step * 0.9995) {
        value /= step;
        unit++;
    }
    int decimals = unit == 0    ? (value > 0 && value < 10 && value != (double)(int64_t)value)
                   : value < 10 ? 2
                                : value < 100;
    buf_add_format(buf, "%.*f%s", decimals, value, units[unit]);
}

void term_add_short(struct buf *buf, double value)
{
    static const char *const UNITS[] = { "", "k", "M", "G", "T" };
    add_scaled(buf, value, 1000, UNITS, COUNT_OF(UNITS));
}

void term_add_bytes(struct buf *buf, double bytes)
{
    static const char *const UNITS[] = { " B", " KiB", " MiB", " GiB", " TiB" };
    add_scaled(buf, bytes, 1024, UNITS, COUNT_OF(UNITS));
}

void term_add_ms(struct buf *buf, double ms)
{
    int64_t s = (int64_t)(ms / 1000);
    if (ms < 999.5)
        buf_add_format(buf, "%.*f ms", ms > 0 && ms < 1 ? 2 : ms > 0 && ms < 10, ms);
    else if (s < 60)
        buf_add_format(buf, "%.1f s", ms / 1000);
    else if (s < 3600)
        buf_add_format(buf, "%d m %d s", (int)(s / 60), (int)(s % 60));
    else if (s < 86400)
        buf_add_format(buf, "%d h %d m", (int)(s / 3600), (int)(s % 3600 / 60));
    else
        buf_add_format(buf, "%lld d %d h", (long long)(s / 86400), (int)(s % 86400 / 3600));
}

void term_add_sparkline(struct buf *buf, const double *values, size_t count)
{
    static const char *const BARS[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        if (values[i] > largest)
            largest = values[i];
    for (size_t i = 0; i < count; i++) {
        double share = largest > 0 && values[i] > 0 ? values[i] / largest : 0;
        buf_add_text(buf, BARS[(size_t)(share * 7 + 0.5)]);
    }
}

void term_progress_start(struct term_progress *progress, const char *what, uint64_t total, int64_t now_us)
{
    *progress = (struct term_progress){ .what = what, .total = total, .started_us = now_us };
    progress->shown = term_is_terminal(stderr);
}

void term_progress_draw(struct term_progress *progress, uint64_t done, const char *detail, int64_t now_us)
{
    if (!progress->shown || now_us - progress->painted_us < 100000)
        return;
    progress->painted_us = now_us;
    AUTO(buf) struct buf line;
    buf_init(&line, 4096);
    buf_add_format(&line, "\r\033[K%s ", progress->what);
    if (progress->total) {
        double share = done < progress->total ? (double)done / (double)progress->total : 1;
        size_t full = (size_t)(share * 24);
        term_add_repeat(&line, "█", full);
        term_add_repeat(&line, "░", 24 - full);
        buf_add_format(&line, " %3.0f%% ", share * 100);
    }
    if (!progress->by_share)
        term_add_grouped(&line, done);
    if (detail)
        buf_add_format(&line, "%s%s", progress->by_share ? "" : "  ", detail);
    if (progress->total && done && done < progress->total) {
        double ms = (double)(now_us - progress->started_us) / 1000;
        buf_add_text(&line, "  ");
        term_add_ms(&line, ms * (double)(progress->total - done) / (double)done);
        buf_add_text(&line, " left");
    }
    fwrite(line.p, 1, line.n, stderr);
    fflush(stderr);
}

void term_progress_end(struct term_progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
