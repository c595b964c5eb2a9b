/* A tokenizer for the engine's dialect, and rules over three neighbouring tokens.
 *
 * Two tokenizers that disagree are how text gets past a check, so wherever the engine's lexer has a rarely used feature
 * (nested comments, heredocs between dollar signs, comments after #, typographic quotes, other scripts' blanks), this
 * one refuses instead of imitating it. Words that begin a forbidden clause are refused wherever they stand unquoted;
 * the message says how to quote a column of that name. */
#include "serve/sql_check.h"

#include <stdio.h>
#include <strings.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* bare: keyword or name */
    TOKEN_QUOTED, /* `name` or "name" */
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_SIGN, /* one character */
    TOKEN_BAD,
};

struct token {
    enum token_kind kind;
    struct slice text; /* names: decoded, cut at NAME_MAX_BYTES (no longer name is on any list) */
    size_t at;
};

#define NAME_MAX_BYTES 63

struct lexer {
    struct slice sql;
    size_t at;
    const char *wrong; /* set with TOKEN_BAD */
};

/* A token and the room for its decoded name. */
struct held_token {
    struct token token;
    char name[NAME_MAX_BYTES + 1];
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static char peek(const struct lexer *lexer, size_t ahead)
{
    return lexer->at + ahead < lexer->sql.n ? lexer->sql.p[lexer->at + ahead] : '\0';
}

static bool skip_block_comment(struct lexer *lexer)
{
    for (lexer->at += 2; lexer->at < lexer->sql.n; lexer->at++) {
        if (peek(lexer, 0) == '*' && peek(lexer, 1) == '/') {
            lexer->at += 2;
            return true;
        }
        if (peek(lexer, 0) == '/' && peek(lexer, 1) == '*') {
            lexer->wrong = "a comment within a comment is not allowed";
            return false;
        }
    }
    lexer->wrong = "this comment does not end";
    return false;
}

/* Blanks and comments. False: *wrong says why. */
static bool skip_blanks(struct lexer *lexer)
{
    while (lexer->at < lexer->sql.n) {
        char c = peek(lexer, 0);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            lexer->at++;
        } else if (c == '-' && peek(lexer, 1) == '-') {
            while (lexer->at < lexer->sql.n && peek(lexer, 0) != '\n')
                lexer->at++;
        } else if (c == '/' && peek(lexer, 1) == '*') {
            size_t start = lexer->at;
            if (!skip_block_comment(lexer)) {
                lexer->at = start;
                return false;
            }
        } else {
            break;
        }
    }
    return true;
}

/* At an opening quote: to behind the closing one. A doubled quote and a backslash stand for a character inside. Names
 * are decoded into name (escapes other than the quote and the backslash are kept as they are: no listed name has one).
 */
static bool take_quoted(struct lexer *lexer, char *name, size_t *out_n)
{
    char quote = peek(lexer, 0);
    size_t n = 0;
    for (lexer->at++; lexer->at < lexer->sql.n; lexer->at++) {
        char c = peek(lexer, 0);
        if (c == '\0')
            return false;
        if (c == quote && peek(lexer, 1) != quote) {
            lexer->at++;
            *out_n = n;
            return true;
        }
        if (c == quote || c == '\\') {
            lexer->at++;
            if (lexer->at >= lexer->sql.n)
                return false;
        }
        if (n < NAME_MAX_BYTES)
            name[n++] = peek(lexer, 0);
    }
    return false;
}

static struct token bad(struct lexer *lexer, size_t at, const char *wrong)
{
    lexer->wrong = wrong;
    return (struct token){ TOKEN_BAD, { 0 }, at };
}

static struct token take_sign(struct lexer *lexer)
{
    size_t at = lexer->at;
    char c = peek(lexer, 0);
    if ((unsigned char)c >= 0x80)
        return bad(lexer, at, "outside of quotes only ASCII is allowed");
    if (c < ' ' || c == 0x7f)
        return bad(lexer, at, "a control character");
    if (c == '$' || c == '#' || c == '@' || c == '\\')
        return bad(lexer, at, "this character is not allowed outside of quotes");
    lexer->at++;
    return (struct token){ TOKEN_SIGN, slice_of(lexer->sql.p + at, 1), at };
}

/* A bare word, or a number with the sign of its exponent (`1e-5`), so that `1e--` cannot look like a comment to one
 * lexer and like a number to the other. */
static struct token take_word(struct lexer *lexer)
{
    size_t at = lexer->at;
    char first = peek(lexer, 0);
    bool number = first >= '0' && first <= '9';
    while (is_word(peek(lexer, 0)))
        lexer->at++;
    char last = lexer->sql.p[lexer->at - 1], sign = peek(lexer, 0);
    if (number && strchr("eEpP", last) && (sign == '-' || sign == '+')) {
        lexer->at++;
        if (peek(lexer, 0) < '0' || peek(lexer, 0) > '9')
            return bad(lexer, at, "this number is not complete");
        while (is_word(peek(lexer, 0)))
            lexer->at++;
    }
    return (struct token){ number ? TOKEN_NUMBER : TOKEN_WORD, slice_of(lexer->sql.p + at, lexer->at - at), at };
}

static void lexer_next(struct lexer *lexer, struct held_token *out)
{
    struct token *token = &out->token;
    if (!skip_blanks(lexer)) {
        *token = (struct token){ TOKEN_BAD, { 0 }, lexer->at };
        return;
    }
    size_t at = lexer->at, n;
    char c = peek(lexer, 0);
    if (at >= lexer->sql.n) {
        *token = (struct token){ TOKEN_END, { 0 }, at };
    } else if (c == '\'' || c == '"' || c == '`') {
        *token = take_quoted(lexer, out->name, &n)
                     ? (struct token){ c == '\'' ? TOKEN_STRING : TOKEN_QUOTED, slice_of(out->name, n), at }
                     : bad(lexer, at, "this quote is not closed");
    } else if (is_word(c)) {
        *token = take_word(lexer);
    } else {
        *token = take_sign(lexer);
    }
}

static bool is_keyword(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && slice_equal_nocase(token->text, slice_from(word));
}

static bool is_sign(const struct token *token, char c)
{
    return token->kind == TOKEN_SIGN && token->text.p[0] == c;
}

static bool is_name(const struct token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED;
}

/* list: names with a blank behind each. as_prefix: name begins with one of them. */
static bool is_listed(struct slice name, const char *list, bool as_prefix)
{
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, " ");
        if ((name.n == n || (as_prefix && name.n > n)) && strncasecmp(name.p, at, n) == 0)
            return true;
        at += n + 1;
    }
    return false;
}

/* Called with a name that stands before a bracket. */
static bool is_forbidden_function(struct slice name)
{
    /* Everything that reads from elsewhere, shows the server, or only costs time. Blanks between the names. */
    static const char NAMES[] =
        "file fileCluster url urlCluster urlWithHeaders remote remoteSecure cluster "
        "clusterAllReplicas mysql postgresql mongodb redis sqlite jdbc odbc "
        "ytsaurus hive arrowFlight executable executablePool input merge loop "
        "dictionary view viewIfPermitted viewExplain generateRandom fuzzQuery fuzzJSON null "
        "cosn oss gcs kafka nats rabbitmq zeros zeros_mt "
        "numbers_mt primes prometheusQuery prometheusQueryRange timeSeriesData timeSeriesTags timeSeriesMetrics "
        "timeSeriesSelector "
        "joinGet joinGetOrNull sleep sleepEachRow getSetting getSettingOrDefault getServerSetting getMergeTreeSetting "
        "getMacro getServerPort tcpPort hostName fqdn displayName serverUUID uptime "
        "version buildId revision currentUser user current_user authenticatedUser currentRoles "
        "enabledRoles defaultRoles currentProfiles enabledProfiles connectionId queryID initialQueryID "
        "getOSKernelVersion "
        "catboostEvaluate evalMLMethod addressToLine addressToLineWithInlines addressToSymbol demangle "
        "hasColumnInTable zookeeperSessionUptime "
        "tid logTrace trap filesystemAvailable filesystemFree filesystemUnreserved filesystemCapacity ";
    static const char PREFIXES[] = "s3 azure hdfs iceberg deltaLake hudi paimon mergeTree dictGet dictHas dictIs "
                                   "regionTo showCertificate llm aiGenerate ";
    return is_listed(name, NAMES, false) || is_listed(name, PREFIXES, true);
}

static bool is_forbidden_database(struct slice name)
{
    return is_listed(name, "system information_schema weir default _temporary_and_external_tables ", false);
}

static enum status refuse(const struct lexer *lexer, size_t at, struct error *err, const char *format, const char *word,
                          size_t word_n)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column = lexer->sql.p[i] == '\n' ? 1 : column + 1;
        line += lexer->sql.p[i] == '\n';
    }
    char text[200];
    snprintf(text, sizeof text, format, (int)word_n, word);
    return error_set(err, ERR_INVALID, "line %zu, column %zu: %s", line, column, text);
}

/* What one name may not be, given the token behind it. NULL: fine. %.*s is the name. */
static const char *check_name(const struct token *name, const struct token *next)
{
    if (is_keyword(name, "SETTINGS"))
        return "settings cannot be changed here (a column of that name: write `%.*s`)";
    if (is_keyword(name, "INTO"))
        return "only SELECT is allowed, without %.*s";
    if (is_keyword(name, "FORMAT") && !is_sign(next, '('))
        return "the format is fixed: leave out %.*s (a column of that name: write `format`)";
    if (is_sign(next, '(') && is_forbidden_function(name->text))
        return "the function %.*s is not allowed";
    if (is_sign(next, '.') && is_forbidden_database(name->text))
        return "the database %.*s is not yours to read";
    return NULL;
}

/* The rules that see a token with its successor. */
static enum status check_pair(const struct lexer *lexer, const struct token *token, const struct token *next,
                              struct error *err)
{
    if (is_name(token)) {
        const char *wrong = check_name(token, next);
        if (wrong)
            return refuse(lexer, token->at, err, wrong, token->text.p, token->text.n);
    }
    if (is_sign(token, ';') && next->kind != TOKEN_END)
        return refuse(lexer, next->at, err, "one statement at a time, please%.*s", "", 0);
    return OK;
}

static const char *unbalanced(const struct token *token, int *depth)
{
    if (is_sign(token, '('))
        ++*depth;
    else if (is_sign(token, ')') && --*depth < 0)
        return "this bracket closes nothing%.*s";
    if (is_sign(token, ';') && *depth != 0)
        return "a bracket is not closed%.*s";
    return NULL;
}

enum status sql_check(struct slice sql, struct error *err)
{
    struct lexer lexer = { .sql = sql };
    struct held_token held[2];
    int now = 0, depth = 0;
    if (sql.n > SQL_BYTES_MAX)
        return error_set(err, ERR_INVALID, "the query has %zu bytes, %d are allowed", sql.n, SQL_BYTES_MAX);
    lexer_next(&lexer, &held[now]);
    const struct token *token = &held[now].token;
    if (token->kind == TOKEN_END)
        return error_set(err, ERR_INVALID, "the query is empty: try SELECT count() FROM events_raw");
    if (token->kind != TOKEN_BAD && !is_keyword(token, "SELECT") && !is_keyword(token, "WITH"))
        return refuse(&lexer, token->at, err, "a query begins with SELECT or WITH%.*s", "", 0);
    for (;;) {
        token = &held[now].token;
        if (token->kind == TOKEN_BAD)
            return refuse(&lexer, token->at, err, "%.*s", lexer.wrong, strlen(lexer.wrong));
        const char *wrong = unbalanced(token, &depth);
        if (wrong)
            return refuse(&lexer, token->at, err, wrong, "", 0);
        if (token->kind == TOKEN_END)
            return depth ? refuse(&lexer, token->at, err, "a bracket is not closed%.*s", "", 0) : OK;
        lexer_next(&lexer, &held[!now]);
        enum status s = check_pair(&lexer, token, &held[!now].token, err);
        if (s != OK)
            return s;
        now = !now;
    }
}
