/* Any bytes as a stored record. The first byte says of which kind. What decodes must encode to the same bytes (the
 * reserved ones aside), and nothing outside the record may be read. */
#include <stdlib.h>

#include "event/dead_letter.h"
#include "event/event.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void check_event(struct slice record)
{
    struct event event;
    struct error err;
    if (event_decode(record, &event, &err) != OK)
        return;
    expect(event_encoded_size(&event) == record.n);
    char *again = malloc(record.n);
    event_encode(&event, again);
    memcpy(again + 42, record.p + 42, 2); /* reserved */
    expect(memcmp(again, record.p, record.n) == 0);
    free(again);
}

static void check_dead_letter(struct slice record)
{
    struct dead_letter letter;
    struct error err;
    if (dead_letter_decode(record, &letter, &err) != OK)
        return;
    expect(dead_letter_encoded_size(&letter) == record.n);
    char *again = malloc(record.n);
    dead_letter_encode(&letter, again);
    memcpy(again + 1, record.p + 1, 3); /* reserved */
    expect(memcmp(again, record.p, record.n) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *record = malloc(size > 1 ? size - 1 : 1); /* its own block, so that reading past it is seen */
    memcpy(record, data + 1, size - 1);
    if (data[0] % 2)
        check_event(slice_of(record, size - 1));
    else
        check_dead_letter(slice_of(record, size - 1));
    free(record);
    return 0;
}
