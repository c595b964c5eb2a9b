/* Any bytes as SQL. Beyond not reading past the end: how letters are written and blanks at the end change no verdict;
 * and a second, much simpler reader of quotes and comments finds nothing forbidden in what was accepted: no second
 * statement, no SETTINGS, no INTO, brackets that add up. (Where the two read a text differently, one of them is wrong
 * about where a quote ends: that is how text gets past a check.) */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "serve/sql_check.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static bool accepts(const char *bytes, size_t n)
{
    struct error err;
    char *exact = malloc(n + !n); /* its own block, so that reading past it is seen */
    memcpy(exact, bytes, n);
    enum status s = sql_check(slice_of(exact, n), &err);
    expect(s == OK || (s == ERR_INVALID && err.text[0]));
    free(exact);
    return s == OK;
}

/* Behind the quoted text that begins at i; n when it does not end. */
static size_t behind_quote(const char *p, size_t n, size_t i)
{
    char quote = p[i++];
    for (; i < n; i++) {
        if (p[i] == '\\')
            i++;
        else if (p[i] == quote && i + 1 < n && p[i + 1] == quote)
            i++;
        else if (p[i] == quote)
            return i + 1;
    }
    return n;
}

/* The text with a blank for each comment and an x for everything quoted, terminated. */
static char *bare(const char *p, size_t n)
{
    char *out = malloc(n + 1);
    size_t at = 0;
    for (size_t i = 0; i < n;) {
        char c = p[i];
        if (c == '\'' || c == '"' || c == '`') {
            i = behind_quote(p, n, i);
            out[at++] = '\'';
        } else if (c == '-' && i + 1 < n && p[i + 1] == '-') {
            while (i < n && p[i] != '\n')
                i++;
        } else if (c == '/' && i + 1 < n && p[i + 1] == '*') {
            const char *end = memmem(p + i + 2, n - i - 2, "*/", 2);
            i = end ? (size_t)(end - p) + 2 : n;
            out[at++] = ' ';
        } else {
            out[at++] = c;
            i++;
        }
    }
    out[at] = '\0';
    return out;
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strcasestr(at, word)); at++)
        if ((at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_')) && !isalnum((unsigned char)at[n]) &&
            at[n] != '_')
            return true;
    return false;
}

static void check_accepted(const char *p, size_t n)
{
    char *text = bare(p, n);
    long depth = 0;
    for (const char *c = text; *c; c++) {
        depth += (*c == '(') - (*c == ')');
        expect(depth >= 0);
        expect(*c != ';' || strspn(c + 1, " \t\r\n\v\f") == strlen(c + 1));
    }
    expect(depth == 0 && !has_word(text, "settings") && !has_word(text, "into"));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 2);
    memcpy(text, data, size);
    bool accepted = accepts(text, size);
    if (accepted)
        check_accepted(text, size);
    memcpy(text + size, "\n ", 2);
    expect(accepts(text, size + 2) == (accepted && size + 2 <= SQL_BYTES_MAX));
    for (size_t i = 0; i < size; i++)
        if (isascii(text[i]) && isalpha((unsigned char)text[i]))
            text[i] ^= 0x20;
    expect(accepts(text, size) == accepted);
    free(text);
    return 0;
}
