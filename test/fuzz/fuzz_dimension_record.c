/* Any bytes as records of dimension tables, which another process has written and a broker has kept: each with two
 * bytes of length before it. What is taken is written again as it was; a version that is put together is what it says.
 */
#include <stdlib.h>
#include <string.h>

#include "event/dimension_record.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void look_at(struct dimension_gather *gather, struct slice bytes)
{
    struct dimension_record record;
    struct error err;
    struct buf anew;
    if (dimension_record_decode(bytes, &record, &err) != OK)
        return;
    buf_init(&anew, 2 * DIMENSION_CHUNK_BYTES_MAX);
    dimension_record_encode(&record, &anew);
    expect(slice_equal(buf_slice(&anew), bytes));
    buf_done(&anew);
    if (dimension_gather_take(gather, &record))
        expect(gather->text.n == record.bytes && dimension_text_digest(buf_slice(&gather->text)) == record.digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dimension_gather gather;
    struct slice rest = slice_of(data, size);
    dimension_gather_init(&gather);
    while (rest.n > 2) {
        uint16_t n;
        memcpy(&n, rest.p, sizeof n);
        rest = slice_after(rest, sizeof n);
        n = n > rest.n ? (uint16_t)rest.n : n;
        look_at(&gather, slice_of(rest.p, n));
        rest = slice_after(rest, n);
    }
    dimension_gather_done(&gather);
    return 0;
}
