#include "process/validate/amend.h"

void amend_init(struct amend *amend, size_t bytes_max)
{
    amend_begin(amend);
    for (size_t i = 0; i < COUNT_OF(amend->rooms); i++)
        buf_init(&amend->rooms[i], bytes_max);
}

void amend_done(struct amend *amend)
{
    for (size_t i = 0; i < COUNT_OF(amend->rooms); i++)
        buf_done(&amend->rooms[i]);
}

static void add(struct amend *amend, struct slice name, struct slice value, bool remove)
{
    assert(amend->count < AMENDMENTS_MAX);
    struct slice *kept = &amend->names[amend->count];
    *kept = name;
    amend->changes[amend->count++] = (struct json_change){ kept, 1, remove, value };
}

void amend_set(struct amend *amend, struct slice name, struct slice value, bool is_there)
{
    amend->edits |= is_there;
    add(amend, name, value, false);
}

void amend_remove(struct amend *amend, struct slice name)
{
    amend->edits = true;
    add(amend, name, (struct slice){ 0 }, true);
}

static char *put(char *to, struct slice s)
{
    memcpy(to, s.p, s.n);
    return to + s.n;
}

/* Behind the last member: `{…` + `,"name":value`… + `}`. */
static enum amend_result append(const struct amend *amend, struct arena *arena, struct slice *io_object)
{
    struct slice object = slice_trim(*io_object);
    if (object.n < 2 || object.p[0] != '{' || object.p[object.n - 1] != '}')
        return AMEND_NO_OBJECT;
    struct slice inner = slice_trim(slice_of(object.p + 1, object.n - 2));
    size_t n = object.n;
    for (size_t i = 0; i < amend->count; i++)
        n += amend->names[i].n + amend->changes[i].value.n + sizeof ",\"\":" - 1;
    char *room = arena_take(arena, n), *to = room;
    if (!room)
        return AMEND_NO_ROOM;
    to = put(to, slice_of(object.p, object.n - 1));
    for (size_t i = 0; i < amend->count; i++) {
        to = put(to, i || inner.n ? SLICE(",\"") : SLICE("\""));
        to = put(to, amend->names[i]);
        to = put(to, SLICE("\":"));
        to = put(to, amend->changes[i].value);
    }
    *to++ = '}';
    assert((size_t)(to - room) <= n);
    *io_object = slice_of(room, (size_t)(to - room));
    return AMEND_OK;
}

/* As many changes at a time as json_edit makes at once. */
static enum amend_result edit(struct amend *amend, struct arena *arena, struct slice *io_object)
{
    struct slice object = *io_object;
    size_t turn = 0, n;
    for (size_t from = 0; from < amend->count; from += n) {
        struct buf *room = &amend->rooms[turn];
        n = amend->count - from < JSON_EDIT_MAX ? amend->count - from : JSON_EDIT_MAX;
        buf_reset(room);
        if (!json_edit(object, amend->changes + from, n, room))
            return room->full ? AMEND_TOO_LARGE : AMEND_NO_OBJECT;
        object = buf_slice(room);
        turn ^= 1;
    }
    object = arena_copy(arena, object);
    if (!object.p)
        return AMEND_NO_ROOM;
    *io_object = object;
    return AMEND_OK;
}

enum amend_result amend_make(struct amend *amend, struct arena *arena, struct slice *io_object)
{
    struct slice object = io_object->n ? *io_object : SLICE("{}");
    if (!amend->count)
        return AMEND_OK;
    enum amend_result result = amend->edits ? edit(amend, arena, &object) : append(amend, arena, &object);
    if (result == AMEND_OK)
        *io_object = object;
    return result;
}
