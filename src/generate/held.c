#include "generate/held.h"

#include <stdlib.h>

static bool earlier(const struct held_line *a, const struct held_line *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->serial < b->serial;
}

void held_done(struct held *held)
{
    for (size_t i = 0; i < held->count; i++)
        free(held->heap[i].text);
    free(held->heap);
    *held = (struct held){ 0 };
}

void held_add(struct held *held, int64_t at_ns, struct slice line)
{
    if (held->count == held->room) {
        held->room = held->room ? held->room * 2 : 64;
        held->heap = realloc(held->heap, held->room * sizeof *held->heap);
    }
    char *text = malloc(line.n);
    if (!held->heap || !text)
        abort();
    memcpy(text, line.p, line.n);
    struct held_line one = { at_ns, held->serial++, text, (uint32_t)line.n };
    size_t at = held->count++;
    for (; at && earlier(&one, &held->heap[(at - 1) / 2]); at = (at - 1) / 2)
        held->heap[at] = held->heap[(at - 1) / 2];
    held->heap[at] = one;
}

int64_t held_due_ns(const struct held *held)
{
    if (held->count > HELD_MAX)
        return INT64_MIN;
    return held->count ? held->heap[0].at_ns : INT64_MAX;
}

void held_take(struct held *held, struct buf *out)
{
    assert(held->count);
    buf_add(out, held->heap[0].text, held->heap[0].n);
    free(held->heap[0].text);
    struct held_line moving = held->heap[--held->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < held->count; at = child) {
        if (child + 1 < held->count && earlier(&held->heap[child + 1], &held->heap[child]))
            child++;
        if (!earlier(&held->heap[child], &moving))
            break;
        held->heap[at] = held->heap[child];
    }
    if (held->count)
        held->heap[at] = moving;
}
