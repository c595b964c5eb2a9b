/* An event that the client gave no id gets one made of its bytes and of the letter it lies in: the same letter gives
 * the same id each time, two letters with equal bytes were two events and stay two. */
#include "cli/letter_mend.h"

#include <stdio.h>
#include <xxhash.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/timestamp.h"

#define ID_BYTES 40

static bool is_scalar(struct slice json)
{
    static const char *const WORDS[] = { "true", "false", "null" };
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (slice_equal(json, slice_from(WORDS[i])))
            return true;
    size_t at = json.n && json.p[0] == '-';
    bool digits = false, point = false;
    for (; at < json.n; at++) {
        if (json.p[at] == '.' && digits && !point)
            point = true;
        else if (json.p[at] >= '0' && json.p[at] <= '9')
            digits = true;
        else
            return false;
    }
    bool leading_zero = json.n > 1 && json.p[0] == '0' && json.p[1] != '.';
    return digits && !leading_zero && json.p[json.n - 1] != '.';
}

static bool is_json(struct slice text)
{
    char first = text.n ? text.p[0] : '\0';
    return first == '{' || first == '[' || first == '"' ? json_is_whole(text) : is_scalar(text);
}

static bool split_way(struct slice way, struct slice names[JSON_EDIT_DEPTH_MAX], size_t *out_count)
{
    size_t count = 0;
    while (count < JSON_EDIT_DEPTH_MAX) {
        const char *dot = way.n ? memchr(way.p, '.', way.n) : NULL;
        names[count] = slice_of(way.p, dot ? (size_t)(dot - way.p) : way.n);
        if (names[count++].n == 0)
            return false;
        *out_count = count;
        if (!dot)
            return true;
        way = slice_after(way, names[count - 1].n + 1);
    }
    return false;
}

static bool is_beginning(const struct json_change *a, const struct json_change *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (!slice_equal(a->names[i], b->names[i]))
            return false;
    return true;
}

static enum status add_set(struct letter_sets *sets, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    struct json_change *change = &sets->changes[sets->count];
    struct slice *names = sets->names[sets->count];
    if (!equals || !split_way(slice_of(text, (size_t)(equals - text)), names, &change->count))
        return error_set(err, ERR_INVALID,
                         "--set wants FIELD=VALUE, such as event_type=view or properties.price=10, "
                         "not '%s'",
                         text);
    change->names = names;
    change->value = slice_from(equals + 1);
    change->remove = change->value.n == 0;
    if (!change->remove && !is_json(change->value)) {
        size_t from = sets->values.n;
        json_add_string(&sets->values, change->value);
        change->value = slice_of(sets->values.p + from, sets->values.n - from);
    }
    for (size_t i = 0; i < sets->count; i++)
        if (is_beginning(&sets->changes[i], change))
            return error_set(err, ERR_INVALID, "--set %s: another --set changes that field, or one within it", text);
    sets->count++;
    return OK;
}

enum status letter_sets_init(struct letter_sets *sets, const struct args_texts *texts, struct error *err)
{
    enum status s = OK;
    size_t bytes = 64;
    for (int64_t i = 0; i < texts->count; i++)
        bytes += strlen(texts->items[i]) * 6 + 2;
    sets->count = 0;
    buf_init(&sets->values, bytes);
    if (!buf_reserve(&sets->values, bytes - 1)) /* slices point into it: it must not move */
        return error_set(err, ERR_FULL, "out of memory");
    for (int64_t i = 0; i < texts->count && s == OK; i++)
        s = add_set(sets, texts->items[i], err);
    return s;
}

void letter_sets_done(struct letter_sets *sets)
{
    buf_done(&sets->values);
}

/* The first of these members that has a value, as ingestion reads them. */
static bool find_any(struct slice object, const char *const *names, size_t count, struct slice *out)
{
    for (size_t i = 0; i < count; i++)
        if (json_find(object, names[i], out) && !json_is_null(*out) && !slice_equal(*out, SLICE("\"\"")))
            return true;
    return false;
}

static void make_id(const struct letter_line *line, struct slice old_id, char to[ID_BYTES + 3])
{
    struct slice content = old_id.n ? old_id : line->original;
    XXH128_hash_t hash = XXH3_128bits_withSeed(content.p, content.n, XXH3_64bits(line->origin.p, line->origin.n));
    snprintf(to, ID_BYTES + 3, "\"letter-%016llx%016llx\"", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

/* In one line: blanks are all that line ends can be outside of JSON's strings. */
static void add_line(struct buf *out, struct slice text)
{
    size_t from = out->n;
    buf_add_slice(out, text);
    for (size_t i = from; i < out->n; i++)
        if (out->p[i] == '\n' || out->p[i] == '\r')
            out->p[i] = ' ';
    buf_add_char(out, '\n');
}

static bool is_changed(const struct letter_sets *sets, const char *name)
{
    for (size_t i = 0; i < sets->count; i++)
        if (slice_equal(sets->names[i][0], slice_from(name)))
            return true;
    return false;
}

bool letter_mend(const struct letter_line *line, const struct letter_sets *sets, struct buf *out)
{
    static const char *const IDS[] = { "event_id", "messageId", "uuid", "eid" };
    static const char *const TIMES[] = { "timestamp", "originalTimestamp", "sentAt", "sent_at", "dtm" };
    static const struct slice ID_NAME = { "event_id", 8 }, TIME_NAME = { "timestamp", 9 };
    struct json_change changes[LETTER_SETS_MAX + 2];
    size_t count = 0, from = out->n;
    struct slice object = slice_trim(line->original), found = { 0 };
    char id[ID_BYTES + 3], time[TIMESTAMP_TEXT_BYTES + 2];
    if (!object.n || object.p[0] != '{' || !json_is_whole(object)) {
        if (!sets->count)
            add_line(out, line->original);
        return !sets->count && !out->full;
    }
    for (; count < sets->count; count++)
        changes[count] = sets->changes[count];
    bool has_id = find_any(object, IDS, COUNT_OF(IDS), &found);
    if ((!has_id || line->new_id) && !is_changed(sets, "event_id")) {
        make_id(line, has_id ? found : SLICE(""), id);
        changes[count] = (struct json_change){ .names = &ID_NAME, .count = 1, .value = slice_from(id) };
        count++;
    }
    bool datable = line->received_ms >= TIMESTAMP_MIN_MS && line->received_ms <= TIMESTAMP_MAX_MS && line->received_ms;
    if (datable && !find_any(object, TIMES, COUNT_OF(TIMES), &found) && !is_changed(sets, "timestamp")) {
        time[0] = time[TIMESTAMP_TEXT_BYTES + 1] = '"';
        timestamp_format(line->received_ms, time + 1);
        changes[count] = (struct json_change){ .names = &TIME_NAME, .count = 1, .value = { time, sizeof time } };
        count++;
    }
    if (!count) {
        add_line(out, object);
        return !out->full;
    }
    AUTO(buf) struct buf edited;
    buf_init(&edited, LETTER_LINE_MAX);
    if (!json_edit(object, changes, count, &edited)) {
        out->n = from;
        return false;
    }
    add_line(out, buf_slice(&edited));
    return !out->full;
}
