/* Walking JSON without building anything: finds where a value begins and ends, so that it can be handed on byte for
 * byte (numbers keep every digit). For answers of the engine, small requests and the commands; events are parsed by
 * event/json.h, which checks everything. Results are slices of the input; no allocation. Depth is bounded
 * (JSON_SCAN_DEPTH_MAX). What is skipped is checked for its brackets and strings only, not for the grammar of its
 * scalars. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

#define JSON_SCAN_DEPTH_MAX 128

/* Cuts the value at the start of *rest (blanks before it are skipped). False when there is none or it does not end. */
MUST_CHECK bool json_scan_value(struct slice *rest, struct slice *out_value);

/* One value from its beginning to the end of the text, blanks around it aside. */
MUST_CHECK bool json_is_whole(struct slice text);

/* Walking an array or object: `struct json_walk walk; json_walk_begin(&walk, text); while (json_walk_next(&walk)) …`
 * name is the raw text of an object's name with its quotes, empty in arrays. bad: it broke off inside. */
struct json_walk {
    struct slice rest, name, value;
    bool object, begun, ended, bad;
};
void json_walk_begin(struct json_walk *walk, struct slice text);
bool json_walk_next(struct json_walk *walk);

/* The value of a member of an object, the first of that name (names with escapes are not found). */
MUST_CHECK bool json_find(struct slice object, const char *name, struct slice *out_value);
/* The number that a member is; 0 when there is none. */
double json_find_number(struct slice object, const char *name);
/* The text of the name with its NUL, cut where `size` bytes have no more room; "" when there is none. */
void json_find_text(struct slice object, const char *name, char *to, size_t size);
/* Appends the text of a string value, unescaped, as UTF-8 (a lone surrogate becomes U+FFFD). False: not a string. */
MUST_CHECK bool json_scan_string(struct slice value, struct buf *out);
/* An integer without sign, fraction or exponent. */
MUST_CHECK bool json_scan_u64(struct slice value, uint64_t *out);
static inline bool json_is_null(struct slice value)
{
    return slice_equal(value, SLICE("null"));
}
