/* Any bytes as a stored result of each kind (windows, sessions, late events, dead letters, events): what decodes is
 * written again to the same record, and what a sink makes of it is one line in three parts; nothing outside of the
 * record is read. The first byte says of which kind, and whether there is little room. */
#include <stdlib.h>

#include "base/json_scan.h"
#include "deliver/render.h"
#include "event/late_record.h"
#include "event/session_record.h"
#include "event/window_record.h"
#include "journal/journal.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static char *room_of(size_t n)
{
    char *room = malloc(n ? n : 1);
    expect(room != NULL);
    return room;
}

static void check_window(struct slice record)
{
    struct window_record first, second;
    if (window_record_decode(record, &first, NULL) != OK)
        return;
    size_t n = window_record_size(&first);
    char *once = room_of(n), *twice = room_of(n);
    window_record_encode(&first, once);
    expect(window_record_decode(slice_of(once, n), &second, NULL) == OK && window_record_size(&second) == n);
    window_record_encode(&second, twice);
    expect(memcmp(once, twice, n) == 0);
    free(once);
    free(twice);
}

static void check_session(struct slice record)
{
    struct session_record first, second;
    if (session_record_decode(record, &first, NULL) != OK)
        return;
    size_t n = session_record_size(&first);
    char *once = room_of(n), *twice = room_of(n);
    session_record_encode(&first, once);
    expect(session_record_decode(slice_of(once, n), &second, NULL) == OK && session_record_size(&second) == n);
    session_record_encode(&second, twice);
    expect(memcmp(once, twice, n) == 0);
    free(once);
    free(twice);
}

static void check_late(struct slice record)
{
    struct late_record first, second;
    if (late_record_decode(record, &first, NULL) != OK)
        return;
    size_t n = late_record_size(&first);
    char *once = room_of(n), *twice = room_of(n);
    late_record_encode(&first, once);
    expect(late_record_decode(slice_of(once, n), &second, NULL) == OK && late_record_size(&second) == n);
    late_record_encode(&second, twice);
    expect(memcmp(once, twice, n) == 0);
    free(once);
    free(twice);
}

/* For others: windows of one name, of one tenant, final ones alone. */
static void check_render(uint16_t topic, struct slice record, size_t bytes_max)
{
    static const struct selection ALL = { .results = "", .windows = "", .tenants = "" },
                                  SOME = { .results = "", .windows = "w, x", .tenants = "acme", .only_final = true };
    const struct render_source source = { topic, 3, 1874 };
    for (int i = 0; i < 2; i++) {
        struct buf out;
        struct render_sizes sizes;
        struct error err;
        bool wanted = false;
        buf_init(&out, bytes_max);
        buf_add_text(&out, "before");
        enum status s = render_record(i ? &SOME : &ALL, &source, record, &out, &sizes, &wanted, &err);
        expect(s == OK || s == ERR_CORRUPT || s == ERR_FULL);
        size_t n = s == OK && wanted ? sizes.id_n + sizes.key_n + sizes.value_n : 0;
        expect(out.n == 6 + n && !out.full && memcmp(out.p, "before", 6) == 0);
        expect(!n || (sizes.id_n && sizes.key_n > 1 && sizes.value_n > 1));
        expect(!n || (!memchr(out.p, '\n', out.n) && !memchr(out.p, '\r', out.n)));
        expect(!n || (out.p[out.n - 1] == '}' && out.p[6 + sizes.id_n] == '{'));
        buf_done(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t TOPICS[] = { TOPIC_WINDOWS, TOPIC_SESSIONS, TOPIC_LATE, TOPIC_DEAD_LETTERS, TOPIC_ENRICHED };
    if (size < 1)
        return 0;
    char *bytes = room_of(size - 1); /* its own block, so that reading past it is seen */
    memcpy(bytes, data + 1, size - 1);
    struct slice record = slice_of(bytes, size - 1);
    uint16_t topic = TOPICS[(data[0] & 0x7f) % COUNT_OF(TOPICS)];
    if (topic == TOPIC_WINDOWS)
        check_window(record);
    else if (topic == TOPIC_SESSIONS)
        check_session(record);
    else if (topic == TOPIC_LATE)
        check_late(record);
    check_render(topic, record, data[0] & 0x80 ? 200 : 8 << 20);
    free(bytes);
    return 0;
}
