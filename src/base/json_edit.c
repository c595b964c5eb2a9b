/* Changes are a set of bits; going down a name keeps those whose way leads there. The recursion is as deep as the ways
 * are long, so at most JSON_EDIT_DEPTH_MAX. */
#include "base/json_edit.h"

#include "base/json_scan.h"
#include "base/json_text.h"

#define NAME_BYTES_MAX 512 /* of a name with escapes: a longer one is nobody's */

struct editing {
    const struct json_change *changes;
    struct buf *out;
};

static bool edit_object(const struct editing *editing, struct slice object, uint64_t set, size_t depth);

static int first_of(uint64_t set)
{
    return __builtin_ctzll(set);
}

/* The name without quotes; escapes are undone in `room`. */
static struct slice plain_name(struct slice raw, char room[NAME_BYTES_MAX])
{
    struct slice inner = slice_of(raw.p + 1, raw.n - 2);
    if (!memchr(inner.p, '\\', inner.n) || raw.n > NAME_BYTES_MAX)
        return inner;
    struct buf text = { .p = room, .capacity = NAME_BYTES_MAX, .max_bytes = NAME_BYTES_MAX };
    return json_scan_string(raw, &text) ? buf_slice(&text) : inner;
}

static uint64_t leading_to(const struct editing *editing, uint64_t set, size_t depth, struct slice name)
{
    uint64_t found = 0;
    for (uint64_t rest = set; rest; rest &= rest - 1) {
        int i = first_of(rest);
        if (slice_equal(editing->changes[i].names[depth], name))
            found |= 1ull << i;
    }
    return found;
}

static bool only_removes(const struct editing *editing, uint64_t set)
{
    for (; set; set &= set - 1)
        if (!editing->changes[first_of(set)].remove)
            return false;
    return true;
}

static void add_comma(struct buf *out)
{
    if (out->n && out->p[out->n - 1] != '{')
        buf_add_char(out, ',');
}

static bool is_object(struct slice value)
{
    return value.n && value.p[0] == '{';
}

/* A member that some changes lead to. */
static bool edit_member(const struct editing *editing, struct slice name, struct slice value, uint64_t found,
                        size_t depth)
{
    const struct json_change *change = &editing->changes[first_of(found)];
    if (change->count == depth + 1 && change->remove)
        return true;
    add_comma(editing->out);
    buf_add_slice(editing->out, name);
    buf_add_char(editing->out, ':');
    if (change->count == depth + 1) {
        buf_add_slice(editing->out, change->value);
        return true;
    }
    if (is_object(value))
        return edit_object(editing, value, found, depth + 1);
    if (only_removes(editing, found)) {
        buf_add_slice(editing->out, value);
        return true;
    }
    return edit_object(editing, SLICE("{}"), found, depth + 1);
}

/* What no member was there for. */
static bool add_missing(const struct editing *editing, uint64_t set, size_t depth)
{
    while (set) {
        struct slice name = editing->changes[first_of(set)].names[depth];
        uint64_t found = leading_to(editing, set, depth, name);
        set &= ~found;
        if (only_removes(editing, found))
            continue;
        const struct json_change *change = &editing->changes[first_of(found)];
        add_comma(editing->out);
        json_add_string(editing->out, name);
        buf_add_char(editing->out, ':');
        if (change->count == depth + 1)
            buf_add_slice(editing->out, change->value);
        else if (!edit_object(editing, SLICE("{}"), found, depth + 1))
            return false;
    }
    return true;
}

static bool edit_object(const struct editing *editing, struct slice object, uint64_t set, size_t depth)
{
    struct json_walk walk;
    uint64_t done = 0;
    json_walk_begin(&walk, object);
    if (walk.bad || !walk.object)
        return false;
    buf_add_char(editing->out, '{');
    while (json_walk_next(&walk)) {
        char room[NAME_BYTES_MAX];
        uint64_t found = leading_to(editing, set, depth, plain_name(walk.name, room));
        if (!found) {
            add_comma(editing->out);
            buf_add_slice(editing->out, walk.name);
            buf_add_char(editing->out, ':');
            buf_add_slice(editing->out, walk.value);
        } else if (!(found & done)) {
            done |= found;
            if (!edit_member(editing, walk.name, walk.value, found, depth))
                return false;
        }
    }
    if (walk.bad || !add_missing(editing, set & ~done, depth))
        return false;
    buf_add_char(editing->out, '}');
    return true;
}

bool json_edit(struct slice object, const struct json_change *changes, size_t count, struct buf *out)
{
    assert(count <= JSON_EDIT_MAX);
    const struct editing editing = { changes, out };
    uint64_t set = count == JSON_EDIT_MAX ? UINT64_MAX : (1ull << count) - 1;
    for (size_t i = 0; i < count; i++)
        assert(changes[i].count >= 1 && changes[i].count <= JSON_EDIT_DEPTH_MAX);
    return edit_object(&editing, object, set, 0) && !out->full;
}
