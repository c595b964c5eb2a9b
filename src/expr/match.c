/* `*` any bytes, `?` one character, `\` takes the next one as it is; the whole text must match. No recursion.
 *
 * The pieces between stars are searched one after the other, each at its leftmost place: for patterns of this kind the
 * leftmost is never worse. The last piece has to stand at the end. */
#include "base/utf8.h"
#include "expr/expr_inside.h"

/* Bytes of text that the piece takes at its start, or -1. A piece has no star. */
static ptrdiff_t piece_matches(struct slice piece, struct slice text)
{
    size_t at = 0;
    for (size_t i = 0; i < piece.n; i++) {
        if (at == text.n)
            return -1;
        if (piece.p[i] == '?') {
            size_t n = utf8_length((const unsigned char *)text.p + at, text.n - at);
            at += n ? n : 1;
            continue;
        }
        i += piece.p[i] == '\\' && i + 1 < piece.n;
        if (piece.p[i] != text.p[at])
            return -1;
        at++;
    }
    return (ptrdiff_t)at;
}

static bool is_star(struct slice pattern, size_t i)
{
    return pattern.p[i] == '*';
}

static struct slice cut_piece(struct slice *pattern)
{
    size_t n = 0;
    while (n < pattern->n && !is_star(*pattern, n))
        n += pattern->p[n] == '\\' && n + 1 < pattern->n ? 2 : 1;
    struct slice piece = slice_of(pattern->p, n);
    *pattern = slice_after(*pattern, n);
    return piece;
}

/* The end of the text is where the last piece must end; '?' may stand for up to four bytes, so each start is tried. */
static bool ends_with_piece(struct slice piece, struct slice text)
{
    size_t longest = piece.n * 4 < text.n ? piece.n * 4 : text.n;
    for (size_t from = text.n - longest; from <= text.n; from++) {
        struct slice rest = slice_after(text, from);
        if (piece_matches(piece, rest) == (ptrdiff_t)rest.n)
            return true;
    }
    return false;
}

static bool skip_to(struct slice piece, struct slice *text)
{
    for (; text->n; *text = slice_after(*text, 1)) {
        ptrdiff_t taken = piece_matches(piece, *text);
        if (taken >= 0) {
            *text = slice_after(*text, (size_t)taken);
            return true;
        }
    }
    return false;
}

bool expr_glob(struct slice pattern, struct slice text)
{
    struct slice piece = cut_piece(&pattern);
    ptrdiff_t taken = piece_matches(piece, text);
    if (taken < 0)
        return false;
    text = slice_after(text, (size_t)taken);
    if (!pattern.n)
        return text.n == 0;
    while (pattern.n) {
        while (pattern.n && is_star(pattern, 0))
            pattern = slice_after(pattern, 1);
        piece = cut_piece(&pattern);
        if (!pattern.n)
            return ends_with_piece(piece, text);
        if (!skip_to(piece, &text))
            return false;
    }
    return true;
}
