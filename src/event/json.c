/* How it works: the index holds the position of every bracket, colon, comma, and of the first byte of every string and
 * scalar. A token ends where the blanks before the next one begin, so no byte inside a string is looked at again: that
 * is what makes this fast. What the first stage does not check is checked here: the grammar, numbers, literals, and
 * escapes (the cursor remembers where the next backslash is; most texts have none, and then no string is scanned).
 *
 * A text that the first stage refuses (invalid UTF-8, a control character in a string, an unclosed string) is indexed
 * again by a plain loop, and marked suspect: then each string is checked for itself, so that one bad event in an array
 * of a thousand costs one event. */
#include "event/json.h"

#include "event/json_stage1.h"

#define CAPACITY_KEPT_BYTES (1u << 20) /* the room for a larger text is given back with the next one */

void json_index_init(struct json_index *index)
{
    *index = (struct json_index){ 0 };
}

void json_index_done(struct json_index *index)
{
    json_stage1_free(index->stage1);
    *index = (struct json_index){ 0 };
}

static enum status reserve(struct json_index *index, size_t n, struct error *err)
{
    size_t wanted = n <= CAPACITY_KEPT_BYTES ? CAPACITY_KEPT_BYTES : n + 64;
    if (n > JSON_TEXT_MAX)
        return error_set(err, ERR_INVALID, "%zu bytes of JSON are more than the %u that can be indexed", n,
                         JSON_TEXT_MAX);
    if (n < index->capacity && (n > CAPACITY_KEPT_BYTES || index->capacity <= CAPACITY_KEPT_BYTES + 64))
        return OK;
    if (!index->stage1)
        index->stage1 = json_stage1_new();
    index->capacity = 0;
    index->at = index->stage1 ? json_stage1_reserve(index->stage1, wanted + 64) : NULL;
    if (!index->at)
        return error_set(err, ERR_FULL, "out of memory for the index of %zu bytes of JSON", n);
    index->capacity = wanted + 64;
    return OK;
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The position behind the string that begins at i. */
static size_t string_end(struct slice text, size_t i, bool by_line)
{
    for (i++; i < text.n; i++) {
        if (text.p[i] == '"')
            return i + 1;
        if (by_line && text.p[i] == '\n')
            return i;
        if (text.p[i] == '\\' && i + 1 < text.n && !(by_line && text.p[i + 1] == '\n'))
            i++;
    }
    return text.n;
}

static void index_plainly(struct json_index *index, bool by_line)
{
    struct slice text = index->text;
    size_t count = 0;
    for (size_t i = 0; i < text.n;) {
        char c = text.p[i];
        if (is_space(c)) {
            i++;
            continue;
        }
        index->at[count++] = (uint32_t)i;
        if (c == '"') {
            i = string_end(text, i, by_line);
        } else if (strchr("{}[]:,", c) && c) {
            i++;
        } else {
            while (i < text.n && !is_space(text.p[i]) && (!strchr("{}[]:,\"", text.p[i]) || !text.p[i]))
                i++;
        }
    }
    index->count = count;
    index->at[count] = (uint32_t)text.n;
    index->suspect = true;
}

enum status json_index_build(struct json_index *index, struct slice text, struct error *err)
{
    enum status s = reserve(index, text.n, err);
    if (s != OK)
        return s;
    index->text = text;
    index->suspect = false;
    if (text.n == 0 || !json_stage1_run(index->stage1, text.p, text.n, &index->count))
        index_plainly(index, false);
    index->at[index->count] = (uint32_t)text.n;
    assert(index->count <= text.n);
    return OK;
}

void json_index_rebuild_by_line(struct json_index *index)
{
    if (index->suspect)
        index_plainly(index, true);
}

static inline unsigned slot_of(const char *p, size_t n)
{
    return ((unsigned)(unsigned char)p[0] * 7 + (unsigned)(unsigned char)p[n - 1] * 31 + (unsigned)n * 17) & 255;
}

static inline uint64_t load8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* The first n bytes (of at most 8) of a word. */
static inline uint64_t first_bytes(uint64_t word, size_t n)
{
    return n >= 8 ? word : word & ((1ull << (8 * n)) - 1);
}

void json_keys_init(struct json_keys *keys, const char *const *names, size_t count)
{
    assert(count <= JSON_WANTED_MAX);
    *keys = (struct json_keys){ 0 };
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(names[i]);
        assert(n > 0 && n <= sizeof keys->words[i]);
        memcpy(keys->words[i], names[i], n);
        keys->lengths[i] = (uint8_t)n;
        unsigned slot = slot_of(names[i], n);
        while (keys->slots[slot])
            slot = (slot + 1) & 255;
        keys->slots[slot] = (uint8_t)(i + 1);
    }
}

/* Words, not bytes, are compared: names are short, and the text is readable behind its end. */
static inline int find_key(const struct json_keys *keys, const char *p, size_t n)
{
    if (UNLIKELY(n == 0))
        return -1;
    for (unsigned slot = slot_of(p, n); keys->slots[slot]; slot = (slot + 1) & 255) {
        int i = keys->slots[slot] - 1;
        if (keys->lengths[i] != n || first_bytes(load8(p), n) != keys->words[i][0])
            continue;
        if (n <= 8 || (first_bytes(load8(p + 8), n - 8) == keys->words[i][1] &&
                       (n <= 16 || first_bytes(load8(p + 16), n - 16) == keys->words[i][2])))
            return i;
    }
    return -1;
}

int json_keys_find(const struct json_keys *keys, struct slice name)
{
    return find_key(keys, name.p, name.n);
}

void json_cursor_begin(struct json_cursor *cursor, const struct json_index *index, const struct json_limits *limits)
{
    assert(limits->depth_max >= 1 && limits->depth_max <= JSON_DEPTH_MAX);
    *cursor = (struct json_cursor){
        .index = index,
        .token = index->at,
        .end = index->at + index->count,
        .limits = *limits,
    };
}

static bool fail_at(struct json_cursor *c, enum json_problem problem, const char *why, size_t at)
{
    c->problem = problem;
    c->why = why;
    c->problem_at = at;
    return false;
}

static __attribute__((noinline, cold)) bool fail(struct json_cursor *c, enum json_problem problem, const char *why)
{
    if (c->token >= c->end)
        return fail_at(c, JSON_BAD, "it ends too early", *c->end);
    return fail_at(c, problem, why, *c->token);
}

/* The end of the token at the cursor: where the blanks before the next one begin. */
static inline size_t token_end(const struct json_cursor *c)
{
    const char *p = c->index->text.p;
    size_t end = c->token[1];
    while (is_space(p[end - 1]))
        end--;
    return end;
}

static int hex4(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i], lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value << 4 | (lower - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Reads the escape whose backslash is at p. Returns the bytes it takes, or 0; *out is the code point, or -1 for half a
 * surrogate pair. `room`: bytes up to the closing quote. */
static size_t read_escape(const char *p, size_t room, int32_t *out)
{
    static const char LETTERS[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    if (room < 2)
        return 0;
    if (p[1] != 'u') {
        const char *letter = p[1] ? strchr(LETTERS, p[1]) : NULL;
        *out = letter ? MEANT[letter - LETTERS] : 0;
        return letter ? 2 : 0;
    }
    int high = room >= 6 ? hex4(p + 2) : -1;
    if (high < 0)
        return 0;
    *out = high;
    if (high < 0xd800 || high > 0xdfff)
        return 6;
    int low = high < 0xdc00 && room >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        *out = -1;
        return 6;
    }
    *out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

static bool check_escapes(struct json_cursor *c, const char *from, const char *end)
{
    const char *base = c->index->text.p;
    for (const char *p = from; p < end;) {
        int32_t code;
        size_t n = read_escape(p, (size_t)(end - p), &code);
        if (n == 0)
            return fail_at(c, JSON_BAD, "no such escape in a string", (size_t)(p - base));
        if (code < 0)
            return fail_at(c, JSON_BAD_UTF8, "half a surrogate pair", (size_t)(p - base));
        p += n;
        p = p < end ? memchr(p, '\\', (size_t)(end - p)) : NULL;
        if (!p)
            break;
    }
    return true;
}

/* Bytes of one UTF-8 character (1 to 4), or 0: overlong forms, surrogates and what is beyond U+10FFFF are refused. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
               (p[0] == 0xf4 && p[1] > 0x8f);
    return bad ? 0 : length;
}

static bool check_characters(struct json_cursor *c, size_t from, size_t end)
{
    const unsigned char *p = (const unsigned char *)c->index->text.p;
    for (size_t i = from; i < end;) {
        if (p[i] < 0x20)
            return fail_at(c, JSON_BAD, "a control character in a string must be escaped", i);
        size_t n = utf8_length(p + i, end - i);
        if (n == 0)
            return fail_at(c, JSON_BAD_UTF8, "not UTF-8", i);
        i += n;
    }
    return true;
}

/* The parts of a string that the first stage does not vouch for; from and end are its quotes. */
static __attribute__((noinline)) bool check_string(struct json_cursor *c, size_t from, size_t end, bool *out_escaped)
{
    const char *p = c->index->text.p, *text_end = p + c->index->text.n;
    if (c->index->suspect && !check_characters(c, from + 1, end))
        return false;
    if (c->backslash < p + from)
        c->backslash = memchr(p + from, '\\', (size_t)(text_end - (p + from)));
    if (c->backslash && c->backslash < p + end) {
        if (!check_escapes(c, c->backslash, p + end))
            return false;
        *out_escaped = true;
        c->backslash = memchr(p + end, '\\', (size_t)(text_end - (p + end)));
    }
    if (!c->backslash)
        c->backslash = text_end;
    return true;
}

static inline bool walk_string(struct json_cursor *c, struct slice *out_raw, bool *out_escaped)
{
    const char *p = c->index->text.p;
    size_t from = *c->token, end = token_end(c);
    if (UNLIKELY(end - from < 2 || p[end - 1] != '"'))
        return fail(c, JSON_BAD, "a string without an end");
    *out_escaped = false;
    if (UNLIKELY(c->backslash < p + end || c->index->suspect) && !check_string(c, from, end - 1, out_escaped))
        return false;
    *out_raw = slice_of(p + from, end - from);
    c->token++;
    return true;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && (unsigned char)(*p - '0') <= 9)
        p++;
    return p;
}

static bool is_number(const char *p, const char *end)
{
    if (p < end && *p == '-')
        p++;
    const char *digits = p;
    p = skip_digits(p, end);
    if (p == digits || (*digits == '0' && p - digits > 1))
        return false;
    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits)
            return false;
    }
    return p == end;
}

/* A value that is no container, into *out; the cursor moves behind it. */
static inline bool walk_scalar(struct json_cursor *c, struct json_value *out)
{
    const char *p = json_here(c);
    if (LIKELY(*p == '"')) {
        out->kind = JSON_STRING;
        return walk_string(c, &out->raw, &out->escaped);
    }
    size_t n = token_end(c) - *c->token;
    out->raw = slice_of(p, n);
    out->escaped = false;
    if (*p == '-' || (unsigned char)(*p - '0') <= 9) {
        if (!is_number(p, p + n))
            return fail(c, JSON_BAD, "not a number as JSON writes them");
        out->kind = JSON_NUMBER;
    } else if (n == 4 && memcmp(p, "true", 4) == 0) {
        out->kind = JSON_TRUE;
    } else if (n == 5 && memcmp(p, "false", 5) == 0) {
        out->kind = JSON_FALSE;
    } else if (n == 4 && memcmp(p, "null", 4) == 0) {
        out->kind = JSON_NULL;
    } else {
        return fail(c, JSON_BAD, "expected a value");
    }
    c->token++;
    return true;
}

static inline bool walk_key(struct json_cursor *c, struct slice *out_key, bool *out_escaped)
{
    if (UNLIKELY(json_peek(c) != '"'))
        return fail(c, JSON_BAD, "expected a key in quotes");
    if (!walk_string(c, out_key, out_escaped))
        return false;
    if (UNLIKELY(json_peek(c) != ':'))
        return fail(c, JSON_BAD, "expected ':' behind the key");
    c->token++;
    return true;
}

bool json_walk_key(struct json_cursor *c, struct slice *out_key, bool *out_escaped)
{
    return walk_key(c, out_key, out_escaped);
}

static inline bool count_value(struct json_cursor *c)
{
    if (UNLIKELY(++c->values > c->limits.values_max))
        return fail(c, JSON_TOO_MANY, "more values than allowed");
    if (UNLIKELY(c->token >= c->end))
        return fail(c, JSON_BAD, "");
    return true;
}

/* Opens the container at the cursor: true in *out_empty when it is closed again at once. */
static inline bool open_container(struct json_cursor *c, bool is_object, bool *out_empty)
{
    if (UNLIKELY(c->depth >= c->limits.depth_max))
        return fail(c, JSON_TOO_DEEP, "nested deeper than allowed");
    c->token++;
    *out_empty = json_peek(c) == (is_object ? '}' : ']');
    if (*out_empty)
        c->token++;
    else
        c->depth++;
    return true;
}

/* What stands behind a value in a container: true and *out_more for a comma, true for the closing bracket. */
static inline bool walk_separator(struct json_cursor *c, bool is_object, bool *out_more)
{
    char separator = json_peek(c);
    *out_more = separator == ',';
    if (UNLIKELY(separator != ',' && separator != (is_object ? '}' : ']')))
        return fail(c, JSON_BAD, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
    c->token++;
    return true;
}

/* The container at the cursor and everything in it. `objects` has a bit for each open container, lowest for the
 * innermost; `keys` counts the keys of each open object. */
static bool walk_container(struct json_cursor *c)
{
    uint32_t keys[JSON_DEPTH_MAX + 1];
    uint64_t objects = 0;
    uint32_t outside = c->depth;
    struct json_value scalar;
    struct slice key;
    bool escaped, more;
    for (;;) {
        char first = json_peek(c);
        bool nested = first == '{' || first == '[', empty = false;
        if (!count_value(c) || !(nested ? open_container(c, first == '{', &empty) : walk_scalar(c, &scalar)))
            return false;
        if (nested && !empty) {
            objects = objects << 1 | (first == '{');
            keys[c->depth] = 1;
            if (first == '{' && !walk_key(c, &key, &escaped))
                return false;
            continue;
        }
        for (more = false; !more && c->depth > outside;) {
            if (!walk_separator(c, objects & 1, &more))
                return false;
            if (!more) {
                c->depth--;
                objects >>= 1;
            }
        }
        if (c->depth == outside)
            return true;
        if (objects & 1) {
            if (UNLIKELY(++keys[c->depth] > c->limits.keys_max))
                return fail(c, JSON_TOO_MANY, "more keys in an object than allowed");
            if (!walk_key(c, &key, &escaped))
                return false;
        }
    }
}

static inline bool walk_value(struct json_cursor *c, struct json_value *out)
{
    char first = json_peek(c);
    if (first != '{' && first != '[')
        return count_value(c) && walk_scalar(c, out);
    const char *from = json_here(c);
    if (!walk_container(c))
        return false;
    const char *end = c->index->text.p + c->token[-1] + 1;
    *out = (struct json_value){ slice_of(from, (size_t)(end - from)), first == '{' ? JSON_OBJECT : JSON_ARRAY, false };
    return true;
}

bool json_walk_value(struct json_cursor *c, struct json_value *out)
{
    return walk_value(c, out);
}

static size_t put_utf8(char *to, int32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char FIRST[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(FIRST[n] | code);
    return n;
}

/* The string between its quotes, which has been checked; `to` has room for inner.n bytes. */
static size_t unescape(struct slice inner, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < inner.n;) {
        if (inner.p[i] != '\\') {
            to[n++] = inner.p[i++];
            continue;
        }
        int32_t code = 0;
        size_t taken = read_escape(inner.p + i, inner.n - i, &code);
        assert(taken > 0 && code >= 0);
        i += taken;
        n += put_utf8(to + n, code);
    }
    return n;
}

struct slice json_text(const struct json_value *string, struct arena *arena)
{
    assert(string->kind == JSON_STRING && string->raw.n >= 2);
    struct slice inner = { string->raw.p + 1, string->raw.n - 2 };
    if (!string->escaped)
        return inner;
    char *to = arena_take(arena, inner.n);
    return to ? slice_of(to, unescape(inner, to)) : (struct slice){ 0 };
}

/* The number of the wanted key, which may be written with escapes, or -1. */
static inline int find_wanted(const struct json_keys *keys, struct slice raw, bool escaped)
{
    struct slice inner = { raw.p + 1, raw.n - 2 };
    if (LIKELY(!escaped))
        return find_key(keys, inner.p, inner.n);
    char plain[6 * 24 + 24] = { 0 }; /* a wanted key with an escape for each letter, and what is read behind it */
    if (inner.n > 6 * 24)
        return -1;
    return json_keys_find(keys, slice_of(plain, unescape(inner, plain)));
}

static inline bool read_member(struct json_cursor *c, struct json_object *out)
{
    struct slice key;
    bool escaped;
    if (UNLIKELY(++out->member_count > c->limits.keys_max))
        return fail(c, JSON_TOO_MANY, "more keys in an object than allowed");
    if (!walk_key(c, &key, &escaped))
        return false;
    int wanted = find_wanted(out->keys, key, escaped);
    if (wanted < 0) {
        struct json_member *other = &out->others[out->other_count++];
        other->key = key;
        return walk_value(c, &other->value);
    }
    uint64_t bit = 1ull << wanted;
    if (out->seen & bit)
        out->duplicate = wanted;
    out->seen |= bit;
    if (wanted != out->nested_key || json_peek(c) != '{')
        return walk_value(c, &out->values[wanted]);
    if (!json_read_object(c, out->nested))
        return false;
    out->values[wanted] = (struct json_value){ out->nested->raw, JSON_OBJECT, false };
    return true;
}

bool json_read_object(struct json_cursor *c, struct json_object *out)
{
    out->seen = 0;
    out->other_count = out->member_count = 0;
    out->duplicate = -1;
    if (json_peek(c) != '{')
        return fail(c, JSON_BAD, "expected an object");
    const char *from = json_here(c);
    bool more = false;
    if (!count_value(c) || !open_container(c, true, &more))
        return false;
    if (!more) {
        do {
            if (!read_member(c, out) || !walk_separator(c, true, &more))
                return false;
        } while (more);
        c->depth--;
    }
    const char *end = c->index->text.p + c->token[-1] + 1;
    out->raw = slice_of(from, (size_t)(end - from));
    return true;
}

bool json_skip(struct json_cursor *c)
{
    size_t open = 0;
    for (; c->token < c->end; c->token++) {
        char first = *json_here(c);
        if (first == '{' || first == '[') {
            open++;
        } else if (first == '}' || first == ']') {
            if (open == 0)
                return true;
            open--;
        } else if (first == ',' && open == 0) {
            return true;
        }
    }
    return open == 0;
}
