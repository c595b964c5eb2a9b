/* Two lines and the rest: a schema, a JSON value, and any bytes as binary of that schema. No crash, no hang, no leak;
 * what is read is JSON, and what was written reads back. */
#include <stdlib.h>

#include "avro/avro.h"
#include "base/json_scan.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static struct slice take_line(struct slice *rest)
{
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct slice line = slice_of(rest->p, end ? (size_t)(end - rest->p) : rest->n);
    *rest = slice_after(*rest, end ? line.n + 1 : line.n);
    return line;
}

static bool read_back(const struct avro_schema *schema, struct slice binary)
{
    struct buf json;
    buf_init(&json, 64 << 10);
    enum status s = avro_to_json(schema, binary, &json, NULL);
    expect(s != OK || json_is_whole(buf_slice(&json)));
    buf_done(&json);
    return s == OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size), text = take_line(&rest), json = take_line(&rest);
    struct avro_schema *schema = NULL;
    struct error err;
    struct buf binary;
    if (avro_schema_parse(text, &schema, &err) != OK)
        return 0;
    (void)read_back(schema, rest);
    buf_init(&binary, 4 << 10);
    if (json_is_whole(json) && avro_from_json(schema, json, &binary, &err) == OK)
        (void)read_back(schema, buf_slice(&binary));
    buf_done(&binary);
    avro_schema_free(schema);
    return 0;
}
