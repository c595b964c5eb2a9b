/* JSON to Lua and back. A double holds fewer digits than JSON may write, and Lua's tables have no order; so what comes
 * back is laid beside what went in: members stand in the order they had, and a value that still means the same is
 * copied byte for byte. New names come last, sorted. null is a light pointer, so that it differs from a name that is
 * not there. */
#include <math.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "expr/value.h"
#include "script/script_inside.h"

static void push_value(lua_State *L, struct slice raw, int depth);

static void push_string(lua_State *L, struct slice raw)
{
    struct buf *scratch = &script_of(L)->scratch;
    if (!memchr(raw.p, '\\', raw.n)) {
        lua_pushlstring(L, raw.p + 1, raw.n - 2);
        return;
    }
    buf_reset(scratch);
    if (!json_scan_string(raw, scratch) || scratch->full)
        luaL_error(L, "the event has a text that cannot be read");
    lua_pushlstring(L, scratch->p ? scratch->p : "", scratch->n);
}

static void push_members(lua_State *L, struct slice raw, int depth)
{
    struct json_walk walk;
    int at = 0;
    json_walk_begin(&walk, raw);
    while (json_walk_next(&walk)) {
        script_charge(L, 1 + walk.value.n / 64);
        if (!walk.object) {
            push_value(L, walk.value, depth);
            lua_rawseti(L, -2, ++at);
            continue;
        }
        push_string(L, walk.name);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        bool known = !lua_isnil(L, -1); /* the first of a name counts */
        lua_pop(L, 1);
        if (known) {
            lua_pop(L, 1);
            continue;
        }
        push_value(L, walk.value, depth);
        lua_rawset(L, -3);
    }
    if (walk.bad)
        luaL_error(L, "the event has JSON that cannot be read");
}

static void push_value(lua_State *L, struct slice raw, int depth)
{
    if (depth > SCRIPT_DEPTH_MAX)
        luaL_error(L, "the event is more than %d objects deep", SCRIPT_DEPTH_MAX);
    luaL_checkstack(L, 8, "the event is too deep");
    char first = raw.n ? raw.p[0] : 'n';
    if (first == '"') {
        push_string(L, raw);
    } else if (first == '{' || first == '[') {
        lua_newtable(L);
        push_members(L, raw, depth + 1);
    } else if (first == 't' || first == 'f') {
        lua_pushboolean(L, first == 't');
    } else if (first == 'n') {
        lua_pushlightuserdata(L, NULL);
    } else {
        struct value v = value_from_decimal(raw);
        lua_pushnumber(L, value_is_null(v) ? 0 : value_as_double(v));
    }
}

void script_push_json(lua_State *L, struct slice text)
{
    push_value(L, text, 0);
}

/* ---- and back ---- */

static void add_value(lua_State *L, int index, struct slice before, struct buf *out, int depth);

static void add_comma(struct buf *out)
{
    if (out->n && out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[')
        buf_add_char(out, ',');
}

/* A scalar that means what it meant before. */
static bool is_same(lua_State *L, int index, struct slice raw)
{
    if (!raw.n || raw.p[0] == '{' || raw.p[0] == '[' || lua_istable(L, index))
        return false;
    push_value(L, raw, 0);
    bool same = lua_rawequal(L, index, -1);
    lua_pop(L, 1);
    return same;
}

static void add_number(lua_State *L, double d, struct buf *out)
{
    if (!isfinite(d))
        luaL_error(L, "a number is infinite or not a number at all; JSON has neither");
    value_add_json(value_from_double(d), out);
}

static size_t count_keys(lua_State *L, int index)
{
    size_t n = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        n++;
    }
    return n;
}

static bool is_list(lua_State *L, int index, struct slice before)
{
    size_t n = lua_objlen(L, index), keys = count_keys(L, index);
    script_charge(L, keys);
    return keys == n && (n > 0 || (before.n && before.p[0] == '['));
}

static void add_list(lua_State *L, int index, struct slice before, struct buf *out, int depth)
{
    struct json_walk walk = { .ended = true };
    size_t n = lua_objlen(L, index);
    if (before.n && before.p[0] == '[')
        json_walk_begin(&walk, before);
    buf_add_char(out, '[');
    for (size_t i = 1; i <= n; i++) {
        bool was = json_walk_next(&walk);
        add_comma(out);
        lua_rawgeti(L, index, (int)i);
        add_value(L, lua_gettop(L), was ? walk.value : (struct slice){ 0 }, out, depth);
        lua_pop(L, 1);
    }
    buf_add_char(out, ']');
}

static void add_name(lua_State *L, int index, struct buf *out)
{
    size_t n;
    lua_pushvalue(L, index);
    const char *p = lua_tolstring(L, -1, &n);
    add_comma(out);
    json_add_string(out, slice_of(p, n));
    buf_add_char(out, ':');
    lua_pop(L, 1);
}

/* Members that were there before, in their order; the table at `done` gets their names. */
static void add_known(lua_State *L, int index, int done, struct slice before, struct buf *out, int depth)
{
    struct json_walk walk;
    json_walk_begin(&walk, before);
    while (json_walk_next(&walk)) {
        push_string(L, walk.name);
        lua_pushvalue(L, -1);
        lua_rawget(L, done);
        lua_pushvalue(L, -2);
        lua_rawget(L, index);
        if (lua_isnil(L, -2) && !lua_isnil(L, -1)) {
            add_comma(out);
            buf_add_slice(out, walk.name);
            buf_add_char(out, ':');
            add_value(L, lua_gettop(L), walk.value, out, depth);
            lua_pushvalue(L, -3);
            lua_pushboolean(L, 1);
            lua_rawset(L, done);
        }
        lua_pop(L, 3);
    }
}

static void add_object(lua_State *L, int index, struct slice before, struct buf *out, int depth)
{
    lua_newtable(L);
    int done = lua_gettop(L);
    buf_add_char(out, '{');
    if (before.n && before.p[0] == '{')
        add_known(L, index, done, before, out, depth);
    int count = script_push_sorted_keys(L, index), keys = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, keys, i);
        lua_pushvalue(L, -1);
        lua_tostring(L, -1);
        lua_rawget(L, done);
        if (lua_isnil(L, -1)) {
            add_name(L, lua_gettop(L) - 1, out);
            lua_pushvalue(L, -2);
            lua_rawget(L, index);
            add_value(L, lua_gettop(L), (struct slice){ 0 }, out, depth);
            lua_pop(L, 1);
        }
        lua_pop(L, 2);
    }
    buf_add_char(out, '}');
    lua_settop(L, done - 1);
}

static void add_value(lua_State *L, int index, struct slice before, struct buf *out, int depth)
{
    size_t n;
    script_charge(L, 1);
    if (out->full)
        luaL_error(L, "the event becomes larger than 1 MiB");
    if (depth > SCRIPT_DEPTH_MAX)
        luaL_error(L, "the event becomes more than %d objects deep (or contains itself)", SCRIPT_DEPTH_MAX);
    luaL_checkstack(L, 16, "the event is too deep");
    if (is_same(L, index, before)) {
        buf_add_slice(out, before);
        return;
    }
    switch (lua_type(L, index)) {
    case LUA_TSTRING: {
        const char *p = lua_tolstring(L, index, &n);
        script_charge(L, n / 64);
        json_add_string(out, slice_of(p, n));
        return;
    }
    case LUA_TNUMBER:
        add_number(L, lua_tonumber(L, index), out);
        return;
    case LUA_TBOOLEAN:
        buf_add_text(out, lua_toboolean(L, index) ? "true" : "false");
        return;
    case LUA_TLIGHTUSERDATA:
        buf_add_text(out, "null");
        return;
    case LUA_TTABLE:
        if (is_list(L, index, before))
            add_list(L, index, before, out, depth + 1);
        else
            add_object(L, index, before, out, depth + 1);
        return;
    default:
        luaL_error(L, "an event cannot hold a %s", luaL_typename(L, index));
    }
}

void script_add_json(lua_State *L, int index, struct slice before, struct buf *out)
{
    buf_reset(out);
    add_value(L, index, before, out, 0);
    if (out->full)
        luaL_error(L, "the event becomes larger than 1 MiB");
}
