/* How it works: the index holds the position of every bracket, colon, comma, and of the first byte of every string and
 * scalar. A token ends where the blanks before the next one begin, so no byte inside a string is looked at again: that
 * is what makes this fast. What the first stage does not check is checked here: the grammar, numbers, literals, and
 * escapes (the cursor remembers where the next backslash is; most texts have none, and then no string is scanned).
 * How the index is made: json_index.c. */
#include "event/json.h"

#include "event/json_string.h"

#define HOT inline __attribute__((always_inline))

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
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
        if (!names[i])
            continue;
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
static HOT int find_key(const struct json_keys *keys, const char *p, size_t n)
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
        .text = index->text.p,
        .index = index,
        .token = index->at,
        .end = index->at + index->count,
        .limits = *limits,
    };
}

static __attribute__((noinline, cold)) bool fail(struct json_cursor *c, enum json_problem problem, const char *why)
{
    if (c->token >= c->end)
        return json_fail_at(c, JSON_BAD, "it ends too early", *c->end);
    return json_fail_at(c, problem, why, *c->token);
}

/* The end of the token at the cursor: where the blanks before the next one begin. */
static inline size_t token_end(const struct json_cursor *c)
{
    const char *p = c->text;
    size_t end = c->token[1];
    while (is_space(p[end - 1]))
        end--;
    return end;
}

static HOT bool walk_string(struct json_cursor *c, struct slice *out_raw, bool *out_escaped)
{
    const char *p = c->text;
    size_t from = *c->token, end = token_end(c);
    if (UNLIKELY(end - from < 2 || p[end - 1] != '"'))
        return fail(c, JSON_BAD, "a string without an end");
    *out_escaped = false;
    if (UNLIKELY(c->backslash < p + end || c->index->suspect) && !json_check_string(c, from, end - 1, out_escaped))
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
static HOT bool walk_scalar(struct json_cursor *c, struct json_value *out)
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

static HOT bool walk_key(struct json_cursor *c, struct slice *out_key, bool *out_escaped)
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

static HOT bool walk_value(struct json_cursor *c, struct json_value *out)
{
    char first = json_peek(c);
    if (first != '{' && first != '[')
        return count_value(c) && walk_scalar(c, out);
    const char *from = json_here(c);
    if (!walk_container(c))
        return false;
    const char *end = c->text + c->token[-1] + 1;
    *out = (struct json_value){ slice_of(from, (size_t)(end - from)), first == '{' ? JSON_OBJECT : JSON_ARRAY, false };
    return true;
}

bool json_walk_value(struct json_cursor *c, struct json_value *out)
{
    return walk_value(c, out);
}

/* The number of the wanted key, which may be written with escapes, or -1. */
static HOT int find_wanted(const struct json_keys *keys, struct slice raw, bool escaped)
{
    struct slice inner = { raw.p + 1, raw.n - 2 };
    if (LIKELY(!escaped))
        return find_key(keys, inner.p, inner.n);
    char plain[6 * 24 + 24] = { 0 }; /* a wanted key with an escape for each letter, and what is read behind it */
    if (inner.n > 6 * 24)
        return -1;
    return json_keys_find(keys, slice_of(plain, json_unescape(inner, plain)));
}

static HOT bool read_member(struct json_cursor *c, struct json_object *out)
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
    const char *end = c->text + c->token[-1] + 1;
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
