/* Any bytes as the engine's answer. The first byte chooses the bounds; what comes out as an answer is JSON, with as
 * many rows as it says and no more than were allowed; an error text is cleaned within its bound. */
#include <stdlib.h>

#include "base/json_scan.h"
#include "serve/sql_result.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void check_answer(struct slice answer, uint32_t rows_max)
{
    struct slice rows, count_text, truncated;
    struct json_walk walk;
    uint64_t count, rows_seen = 0;
    expect(json_is_whole(answer) && json_find(answer, "rows", &rows) && json_find(answer, "row_count", &count_text));
    expect(json_scan_u64(count_text, &count) && count <= rows_max && json_find(answer, "truncated", &truncated));
    for (json_walk_begin(&walk, rows); json_walk_next(&walk);)
        rows_seen++;
    expect(!walk.bad && rows_seen == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t n = size - 1;
    char *text = malloc(n + !n); /* its own block, so that reading past it is seen */
    memcpy(text, data + 1, n);
    struct sql_result_options options = { .rows_max = data[0] & 15 ? data[0] & 15 : 10000, .cut = data[0] & 16 };
    struct slice json = data[0] & 32 && n == 0 ? (struct slice){ 0 } : slice_of(text, n);
    struct buf out, words;
    struct error err;
    buf_init(&out, data[0] & 64 ? 100 : 1 << 20);
    buf_init(&words, 4096);
    enum status s = sql_result_write(json, &options, &out, &err);
    if (s == OK)
        check_answer(buf_slice(&out), options.rows_max);
    else
        expect((s == ERR_CORRUPT || s == ERR_RETRY || s == ERR_FULL) && memchr(err.text, '\0', sizeof err.text));
    sql_error_clean(json, &words);
    expect(words.n <= 1003 && !words.full);
    buf_done(&out);
    buf_done(&words);
    free(text);
    return 0;
}
