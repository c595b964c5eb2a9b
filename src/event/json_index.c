/* Finding the tokens. simdjson's first stage does it for texts that are in order. A text that it refuses (invalid
 * UTF-8, a control character in a string, an unclosed string) is indexed again by a plain loop, and marked suspect:
 * then json.c checks each string for itself, so that one bad event in an array of a thousand costs one event. */
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

void json_index_rebuild(struct json_index *index, bool by_line)
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
        json_index_rebuild(index, false);
    index->at[index->count] = (uint32_t)text.n;
    assert(index->count <= text.n);
    return OK;
}
