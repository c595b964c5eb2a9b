/* An expression's text as tokens. Nobody outside of expr/ includes this. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NUMBER, /* digits, '.', exponent; no sign */
    TOKEN_STRING, /* with its quotes */
    TOKEN_NAME,   /* a word; and or not in is … are words too */
    TOKEN_SIGN,   /* ( ) [ ] , . + - * / % == = != <> < <= > >= && || ! */
    TOKEN_BAD     /* lexer.problem */
};

struct token {
    enum token_kind kind;
    struct slice text;
    size_t at;
};

struct lexer {
    struct slice text;
    size_t at;
    const char *problem;
};

struct token lexer_next(struct lexer *lexer);
bool token_is(const struct token *token, const char *sign_or_word);
/* The text of a string without its quotes; `to` has room for as many bytes as it stands as. False: an unknown escape.
 */
MUST_CHECK bool token_unquote(const struct token *token, char *to, size_t *out_n);
