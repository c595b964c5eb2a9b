/* Strings: '…' or "…"; the quote itself is written twice or with a backslash. Words may have letters of any script. */
#include "expr/lexer.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static struct token cut(struct lexer *lexer, enum token_kind kind, size_t n)
{
    struct token token = { kind, slice_of(lexer->text.p + lexer->at, n), lexer->at };
    lexer->at += n;
    return token;
}

static struct token bad(struct lexer *lexer, size_t n, const char *problem)
{
    lexer->problem = problem;
    return cut(lexer, TOKEN_BAD, n);
}

static struct token string(struct lexer *lexer)
{
    struct slice rest = slice_after(lexer->text, lexer->at);
    char quote = rest.p[0];
    for (size_t i = 1; i < rest.n; i++) {
        if (rest.p[i] == '\\') {
            i++;
        } else if (rest.p[i] == quote) {
            if (i + 1 == rest.n || rest.p[i + 1] != quote)
                return cut(lexer, TOKEN_STRING, i + 1);
            i++;
        }
    }
    return bad(lexer, rest.n, "this text has no closing quote");
}

static size_t digits(struct slice s, size_t at)
{
    while (at < s.n && is_digit(s.p[at]))
        at++;
    return at;
}

static struct token number(struct lexer *lexer)
{
    struct slice rest = slice_after(lexer->text, lexer->at);
    size_t n = digits(rest, 0);
    if (n + 1 < rest.n && rest.p[n] == '.' && is_digit(rest.p[n + 1]))
        n = digits(rest, n + 1);
    if (n < rest.n && (rest.p[n] | 0x20) == 'e') {
        size_t from = n + 1 + (n + 1 < rest.n && (rest.p[n + 1] == '-' || rest.p[n + 1] == '+'));
        size_t end = digits(rest, from);
        if (end > from)
            n = end;
    }
    if (n < rest.n && (is_letter(rest.p[n]) || rest.p[n] == '.'))
        return bad(lexer, n + 1, "a number is digits with at most one point; durations have no place here");
    return cut(lexer, TOKEN_NUMBER, n);
}

static struct token name(struct lexer *lexer)
{
    struct slice rest = slice_after(lexer->text, lexer->at);
    size_t n = 0;
    while (n < rest.n && (is_letter(rest.p[n]) || is_digit(rest.p[n])))
        n++;
    return cut(lexer, TOKEN_NAME, n);
}

static struct token sign(struct lexer *lexer)
{
    static const char *const TWO[] = { "==", "!=", "<>", "<=", ">=", "&&", "||" };
    struct slice rest = slice_after(lexer->text, lexer->at);
    for (size_t i = 0; i < COUNT_OF(TWO); i++)
        if (slice_starts(rest, slice_from(TWO[i])))
            return cut(lexer, TOKEN_SIGN, 2);
    if (memchr("()[],.+-*/%=<>!", rest.p[0], 15))
        return cut(lexer, TOKEN_SIGN, 1);
    if (rest.p[0] == '&' || rest.p[0] == '|')
        return bad(lexer, 1, "write and, or (also &&, ||)");
    return bad(lexer, 1, "this character has no meaning here; text stands in quotes");
}

struct token lexer_next(struct lexer *lexer)
{
    const struct slice *text = &lexer->text;
    while (lexer->at < text->n && memchr(" \t\r\n", text->p[lexer->at], 4))
        lexer->at++;
    if (lexer->at == text->n)
        return cut(lexer, TOKEN_END, 0);
    char c = text->p[lexer->at];
    if (c == '\'' || c == '"')
        return string(lexer);
    if (is_digit(c))
        return number(lexer);
    return is_letter(c) ? name(lexer) : sign(lexer);
}

bool token_is(const struct token *token, const char *sign_or_word)
{
    return (token->kind == TOKEN_SIGN || token->kind == TOKEN_NAME) &&
           slice_equal(token->text, slice_from(sign_or_word));
}

bool token_unquote(const struct token *token, char *to, size_t *out_n)
{
    static const char FROM[] = "\\'\"nt*?", TO[] = "\\'\"\n\t";
    assert(token->kind == TOKEN_STRING && token->text.n >= 2);
    const char *p = token->text.p + 1, *end = token->text.p + token->text.n - 1;
    char quote = *end;
    size_t n = 0;
    while (p < end) {
        const char *known = *p == '\\' && p + 1 < end ? memchr(FROM, p[1], sizeof FROM - 1) : NULL;
        if (*p == '\\' && !known)
            return false;
        if (known && known - FROM < (ptrdiff_t)sizeof TO - 1) {
            to[n++] = TO[known - FROM];
            p += 2;
        } else if (known) { /* \* and \? are for the pattern to undo */
            to[n++] = *p++;
            to[n++] = *p++;
        } else {
            p += *p == quote;
            to[n++] = *p++;
        }
    }
    *out_n = n;
    return true;
}
