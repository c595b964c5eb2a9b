/* Any bytes as JSON. The fast index and the plain one must lead to the same verdict on the same text, and to the same
 * value; what was accepted has to end where the text ends. */
#include <stdlib.h>

#include "event/json.h"

struct verdict {
    enum json_problem problem;
    struct slice raw;
    enum json_kind kind;
    uint32_t values;
};

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static struct verdict judge(const struct json_index *index)
{
    static const struct json_limits LIMITS = { 20, 50, 500 };
    struct json_cursor cursor;
    struct json_value value = { 0 };
    json_cursor_begin(&cursor, index, &LIMITS);
    if (!json_walk_value(&cursor, &value)) {
        expect(cursor.problem != JSON_FINE && cursor.why && cursor.problem_at <= index->text.n);
        return (struct verdict){ .problem = cursor.problem };
    }
    if (cursor.token != cursor.end)
        return (struct verdict){ .problem = JSON_BAD };
    expect(slice_equal(value.raw, slice_trim(index->text)));
    return (struct verdict){ JSON_FINE, value.raw, value.kind, cursor.values };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_index index; /* zero is a fresh one */
    char *text = malloc(size + JSON_PADDING);
    if (size)
        memcpy(text, data, size);
    memset(text + size, '"', JSON_PADDING);
    expect(json_index_build(&index, slice_of(text, size), NULL) == OK);
    struct verdict fast = judge(&index);
    json_index_rebuild(&index, false);
    struct verdict plain = judge(&index);
    expect((fast.problem == JSON_FINE) == (plain.problem == JSON_FINE));
    expect(fast.raw.p == plain.raw.p && fast.raw.n == plain.raw.n && fast.kind == plain.kind);
    expect(fast.values == plain.values);
    free(text);
    return 0;
}
