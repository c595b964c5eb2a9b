/* Each kind of record is decoded once into views, judged, and written straight into the buffer. JSON texts of weir's
 * own (key, measures) and of clients (properties) are copied as objects; a client's may have line breaks between its
 * words, and a value is one line: they become blanks, which mean the same there. */
#include "deliver/render.h"

#include "base/json_text.h"
#include "base/timestamp.h"
#include "event/dead_letter.h"
#include "event/event_json.h"
#include "event/late_record.h"
#include "event/session_record.h"
#include "event/window_record.h"
#include "journal/journal.h"

static void add_time(struct buf *out, const char *name, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    json_add_key(out, name);
    if (ms < TIMESTAMP_MIN_MS || ms > TIMESTAMP_MAX_MS) {
        buf_add_text(out, "null");
        return;
    }
    timestamp_format(ms, text);
    json_add_string(out, slice_of(text, sizeof text));
}

static void add_json(struct buf *out, const char *name, struct slice json)
{
    json_add_key(out, name);
    buf_add_slice(out, json.n ? json : SLICE("null"));
}

static void add_flag(struct buf *out, const char *name, bool yes)
{
    json_add_key(out, name);
    buf_add_text(out, yes ? "true" : "false");
}

/* What is being written: where its parts begin. */
struct drawing {
    struct buf *out;
    size_t id_at, key_at, value_at;
    const char *table;
};

static void begin_id(struct drawing *drawing, const char *table, const struct render_source *source)
{
    drawing->id_at = drawing->out->n;
    drawing->table = table;
    buf_add_format(drawing->out, "%s/%u/%lu", table, source->partition, source->offset);
    drawing->key_at = drawing->out->n;
    buf_add_char(drawing->out, '{');
}

static void begin_value(struct drawing *drawing, struct slice customer_id)
{
    struct buf *out = drawing->out;
    buf_add_char(out, '}');
    drawing->value_at = out->n;
    buf_add_char(out, '{');
    json_add_field(out, "table", slice_from(drawing->table));
    json_add_key(out, "id");
    buf_add_char(out, '"');
    /* By its place: adding may move the buffer. Ids have nothing to escape. */
    size_t n = drawing->key_at - drawing->id_at;
    char *to = buf_reserve(out, n);
    if (to) {
        memcpy(to, out->p + drawing->id_at, n);
        out->n += n;
    }
    buf_add_char(out, '"');
    json_add_field(out, "customer_id", customer_id);
}

static enum status window(struct drawing *drawing, const struct selection *selection,
                          const struct render_source *source, struct slice record, bool *wanted, struct error *err)
{
    struct window_record window;
    struct buf *out = drawing->out;
    enum status s = window_record_decode(record, &window, err);
    *wanted = s == OK && selection_names(selection->tenants, window.customer_id) &&
              selection_names(selection->windows, window.window) && (window.final || !selection->only_final);
    if (!*wanted)
        return s;
    begin_id(drawing, "windows", source);
    json_add_field(out, "customer_id", window.customer_id);
    json_add_field(out, "window", window.window);
    add_json(out, "key", window.key);
    begin_value(drawing, window.customer_id);
    json_add_field(out, "window", window.window);
    json_add_key(out, "definition"); /* a text: more than 2^53 */
    buf_add_format(out, "\"%lu\"", window.definition);
    json_add_field(out, "kind", slice_from(window_record_kind_name(window.kind)));
    add_time(out, "window_start", window.start_ms);
    add_time(out, "window_end", window.end_ms);
    add_json(out, "key", window.key);
    add_json(out, "measures", window.measures);
    json_add_field_u64(out, "event_count", window.events);
    json_add_field_u64(out, "revision", window.revision);
    add_flag(out, "is_final", window.final);
    add_flag(out, "is_removed", window.removed);
    return OK;
}

static enum status session(struct drawing *drawing, const struct selection *selection,
                           const struct render_source *source, struct slice record, bool *wanted, struct error *err)
{
    struct session_record session;
    struct buf *out = drawing->out;
    char id[SESSION_ID_TEXT_BYTES];
    enum status s = session_record_decode(record, &session, err);
    *wanted = s == OK && selection_names(selection->tenants, session.customer_id);
    if (!*wanted)
        return s;
    session_record_id(&session, id);
    begin_id(drawing, "sessions", source);
    json_add_field(out, "customer_id", session.customer_id);
    json_add_field(out, "visitor_id", session.visitor_id);
    begin_value(drawing, session.customer_id);
    json_add_field(out, "session_id", slice_of(id, sizeof id));
    json_add_field(out, "visitor_id", session.visitor_id);
    json_add_field(out, "user_id", session.user_id);
    add_time(out, "started_at", session.start_ms);
    add_time(out, "ended_at", session.end_ms);
    json_add_field_u64(out, "event_count", session.events);
    json_add_field_u64(out, "page_views", session.views);
    add_flag(out, "is_removed", session.removed);
    return OK;
}

static enum status late_event(struct drawing *drawing, const struct selection *selection,
                              const struct render_source *source, struct slice record, bool *wanted, struct error *err)
{
    struct late_record late;
    struct buf *out = drawing->out;
    enum status s = late_record_decode(record, &late, err);
    *wanted = s == OK && selection_names(selection->tenants, late.event.customer_id) &&
              selection_names(selection->windows, late.window);
    if (!*wanted)
        return s;
    begin_id(drawing, "late_events", source);
    json_add_field(out, "customer_id", late.event.customer_id);
    json_add_field(out, "window", late.window);
    add_json(out, "key", late.key);
    begin_value(drawing, late.event.customer_id);
    json_add_field(out, "window", late.window);
    add_time(out, "window_start", late.start_ms);
    add_time(out, "window_end", late.end_ms);
    add_json(out, "key", late.key);
    add_time(out, "watermark", late.watermark_ms);
    json_add_field_u64(out, "event_count", late.events);
    json_add_key(out, "event");
    event_json_add(out, &late.event);
    return OK;
}

static enum status dead_letter(struct drawing *drawing, const struct selection *selection,
                               const struct render_source *source, struct slice record, bool *wanted, struct error *err)
{
    struct dead_letter letter;
    struct buf *out = drawing->out;
    enum status s = dead_letter_decode(record, &letter, err);
    *wanted = s == OK && selection_names(selection->tenants, letter.customer_id);
    if (!*wanted)
        return s;
    begin_id(drawing, "dead_letters", source);
    json_add_field(out, "customer_id", letter.customer_id);
    json_add_field(out, "event_id", letter.event_id);
    begin_value(drawing, letter.customer_id);
    json_add_field(out, "stage", letter.stage);
    json_add_field(out, "reason", letter.reason);
    json_add_field(out, "message", letter.message);
    json_add_field(out, "field", letter.field);
    json_add_field(out, "event_id", letter.event_id);
    add_time(out, "received_at", letter.received_ms);
    json_add_field(out, "original", letter.original);
    return OK;
}

static enum status event(struct drawing *drawing, const struct selection *selection, const struct render_source *source,
                         struct slice record, bool *wanted, struct error *err)
{
    struct event event;
    struct buf *out = drawing->out;
    enum status s = event_decode(record, &event, err);
    *wanted = s == OK && selection_names(selection->tenants, event.customer_id);
    if (!*wanted)
        return s;
    begin_id(drawing, "events", source);
    json_add_field(out, "customer_id", event.customer_id);
    json_add_field(out, "visitor_id", event.visitor_id);
    begin_value(drawing, event.customer_id);
    json_add_key(out, "event");
    event_json_add(out, &event);
    return OK;
}

static void to_one_line(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == '\n' || p[i] == '\r')
            p[i] = ' ';
}

enum status render_record(const struct selection *selection, const struct render_source *source, struct slice record,
                          struct buf *out, struct render_sizes *out_sizes, bool *out_wanted, struct error *err)
{
    struct drawing drawing = { .out = out };
    const size_t before = out->n;
    enum status s = OK;
    *out_wanted = false;
    switch (source->topic) {
    case TOPIC_WINDOWS:
        s = window(&drawing, selection, source, record, out_wanted, err);
        break;
    case TOPIC_SESSIONS:
        s = session(&drawing, selection, source, record, out_wanted, err);
        break;
    case TOPIC_LATE:
        s = late_event(&drawing, selection, source, record, out_wanted, err);
        break;
    case TOPIC_DEAD_LETTERS:
        s = dead_letter(&drawing, selection, source, record, out_wanted, err);
        break;
    case TOPIC_ENRICHED:
        s = event(&drawing, selection, source, record, out_wanted, err);
        break;
    default:
        break;
    }
    if (s != OK || !*out_wanted)
        return s;
    buf_add_char(out, '}');
    if (out->full) {
        out->n = before;
        out->full = false;
        return error_set(err, ERR_FULL, "no room for one more result");
    }
    *out_sizes = (struct render_sizes){ .id_n = drawing.key_at - drawing.id_at,
                                        .key_n = drawing.value_at - drawing.key_at,
                                        .value_n = out->n - drawing.value_at };
    to_one_line(out->p + drawing.key_at, out->n - drawing.key_at);
    return OK;
}
