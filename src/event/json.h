/* Reading JSON in place, strictly (RFC 8259), in one pass and without allocation per value: an index of all tokens is
 * made first (simdjson's first stage, decision 0030), then a cursor walks over the tokens, checks every one, and hands
 * out slices of the text for the keys that the caller wants. Values that nobody asked for are checked just the same.
 *
 * Order of use: json_index_build, json_cursor_begin, json_read_object or json_walk_value, json_text for strings.
 * An index belongs to one thread; the text must stay in place and have JSON_PADDING readable bytes behind it.
 * Bounds: json_limits. Numbers are kept as text, so no digit is lost. Not here: writing (base/json_text.h). */
#pragma once
#include "base/arena.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define JSON_PADDING 64
#define JSON_DEPTH_MAX 64  /* for json_limits.depth_max */
#define JSON_WANTED_MAX 64 /* keys in one json_keys */
#define JSON_TEXT_MAX (1u << 30)

struct json_stage1;

struct json_index {
    struct slice text;
    uint32_t *at; /* where each token begins, ascending; at[count] is the length of the text */
    size_t count;
    bool suspect; /* the text has invalid UTF-8 or control characters in strings: they are looked for one by one */
    struct json_stage1 *stage1;
    size_t capacity;
};

void json_index_init(struct json_index *index);
void json_index_done(struct json_index *index);
/* ERR_FULL: out of memory. ERR_INVALID: larger than JSON_TEXT_MAX. Anything else, well-formed or not, is indexed. */
MUST_CHECK enum status json_index_build(struct json_index *index, struct slice text, struct error *err);
/* Indexes the same text again by a plain loop, slowly, and marks it suspect. by_line is for lines of JSON of which some
 * are broken: a string then ends at the end of its line at the latest, so that an unclosed one does not swallow the
 * lines behind it. Call after json_index_build of the same text. */
void json_index_rebuild(struct json_index *index, bool by_line);

enum json_problem {
    JSON_FINE,
    JSON_BAD,      /* not JSON */
    JSON_BAD_UTF8, /* JSON but for its characters: invalid UTF-8, or half a surrogate pair */
    JSON_TOO_DEEP,
    JSON_TOO_MANY, /* keys in an object, or values in all */
};

struct json_limits {
    uint32_t depth_max;  /* open brackets, the first included; at most JSON_DEPTH_MAX */
    uint32_t keys_max;   /* in one object */
    uint32_t values_max; /* in all, nested ones and containers included */
};

struct json_cursor {
    const char *text; /* of the index */
    const uint32_t *token, *end;
    const struct json_index *index;
    struct json_limits limits;
    uint32_t depth, values;    /* set them to 0 to begin a new count */
    const char *backslash;     /* the first one at or behind the place last asked for */
    enum json_problem problem; /* after a function returned false: what, why, and at which byte of the text */
    const char *why;
    size_t problem_at;
};

enum json_kind { JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_NUMBER, JSON_STRING, JSON_OBJECT, JSON_ARRAY };

struct json_value {
    struct slice raw; /* as in the text; strings with their quotes */
    enum json_kind kind;
    bool escaped; /* a string with backslashes in it */
};

struct json_member {
    struct slice key; /* raw, with its quotes */
    struct json_value value;
};

/* Which keys a caller wants, made once: the number of a key is its place in `names`. */
struct json_keys {
    uint64_t words[JSON_WANTED_MAX][3]; /* the name, padded with zeros */
    uint8_t lengths[JSON_WANTED_MAX];
    uint8_t slots[256]; /* number + 1, or 0 */
};
/* names: 1 to 24 bytes each; NULL: this number is never found. */
void json_keys_init(struct json_keys *keys, const char *const *names, size_t count);
/* The number of the key, or -1. 24 bytes from name.p on must be readable. */
int json_keys_find(const struct json_keys *keys, struct slice name);

struct json_object {
    /* Set by the caller: */
    const struct json_keys *keys;
    struct json_value *values;  /* JSON_WANTED_MAX or as many as there are keys; only those in `seen` are set */
    struct json_member *others; /* room for limits.keys_max members with other keys, in order */
    int nested_key;             /* this wanted key, when it holds an object, is read into `nested`; -1: none */
    struct json_object *nested;
    /* Set by json_read_object: */
    struct slice raw;
    uint64_t seen; /* bit per wanted key */
    size_t other_count, member_count;
    int duplicate; /* a wanted key that came twice (values has the last), or -1 */
};

void json_cursor_begin(struct json_cursor *cursor, const struct json_index *index, const struct json_limits *limits);
/* First byte of the next token, or 0 at the end. */
static inline char json_peek(const struct json_cursor *cursor)
{
    return cursor->token < cursor->end ? cursor->text[*cursor->token] : 0;
}
static inline const char *json_here(const struct json_cursor *cursor)
{
    return cursor->text + *cursor->token;
}
/* Each checks one value and leaves the cursor behind it. False: cursor->problem, and the cursor somewhere inside. */
MUST_CHECK bool json_walk_value(struct json_cursor *cursor, struct json_value *out);
MUST_CHECK bool json_read_object(struct json_cursor *cursor, struct json_object *out);
/* A key (raw) and its colon; leaves the cursor at the value. */
MUST_CHECK bool json_walk_key(struct json_cursor *cursor, struct slice *out_key, bool *out_escaped);
/* Without checking anything but brackets: to the ',' or closing bracket behind the value at the cursor, or the end of
 * the text (false then, when brackets are open). */
bool json_skip(struct json_cursor *cursor);

/* The text of a valid string without quotes and escapes: a slice of the text, or of the arena when it had escapes
 * (p is NULL when the arena is full). */
struct slice json_text(const struct json_value *string, struct arena *arena);
