/* The library is a list of what is allowed, not of what is not. Left out on purpose: whatever reaches outside (io, os,
 * ffi, debug, package, load…), whatever catches errors (pcall: it would swallow the end of the budget), metatables and
 * coroutines (nobody needs them here), Lua's patterns (their matching has no bound; weir.matches has), and what differs
 * from run to run: addresses in texts, the order of pairs (here: sorted). Functions written in C charge for work that
 * the count of instructions does not see. */
#include <stdlib.h>

#include "expr/expr.h"
#include "script/script_inside.h"

#define WORK_BYTES 64 /* of text that count as one instruction */

static size_t work_of(size_t bytes)
{
    return bytes / WORK_BYTES;
}

/* ---- base ---- */

/* As tostring, but without addresses. */
static int base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    switch (lua_type(L, 1)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
        lua_pushvalue(L, 1);
        lua_tostring(L, -1);
        return 1;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false");
        return 1;
    case LUA_TLIGHTUSERDATA:
        lua_pushliteral(L, "null");
        return 1;
    default:
        lua_pushstring(L, luaL_typename(L, 1));
        return 1;
    }
}

static int compare_keys(lua_State *L, int a, int b)
{
    bool a_number = lua_type(L, a) == LUA_TNUMBER, b_number = lua_type(L, b) == LUA_TNUMBER;
    if (a_number != b_number)
        return a_number ? -1 : 1;
    return lua_lessthan(L, a, b) ? -1 : lua_lessthan(L, b, a);
}

/* The list of keys at the top, sorted by a heap: no recursion, no more than n log n steps. */
static void sift(lua_State *L, int list, int from, int n)
{
    for (int at = from; 2 * at <= n;) {
        int child = 2 * at;
        lua_rawgeti(L, list, child);
        if (child < n) {
            lua_rawgeti(L, list, child + 1);
            if (compare_keys(L, -2, -1) < 0) {
                lua_remove(L, -2);
                child++;
            } else {
                lua_pop(L, 1);
            }
        }
        lua_rawgeti(L, list, at);
        if (compare_keys(L, -1, -2) >= 0) {
            lua_pop(L, 2);
            return;
        }
        lua_rawseti(L, list, child);
        lua_rawseti(L, list, at);
        at = child;
    }
}

static void swap_ends(lua_State *L, int list, int n)
{
    lua_rawgeti(L, list, 1);
    lua_rawgeti(L, list, n);
    lua_rawseti(L, list, 1);
    lua_rawseti(L, list, n);
}

/* Pushes the sorted keys of the table at index; returns how many. */
int script_push_sorted_keys(lua_State *L, int index)
{
    int n = 0;
    lua_newtable(L);
    int list = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        int type = lua_type(L, -1);
        if (type != LUA_TNUMBER && type != LUA_TSTRING)
            luaL_error(L, "a name in a table is a text or a number, not a %s", lua_typename(L, type));
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, ++n);
    }
    script_charge(L, (size_t)n * 8);
    for (int i = n / 2; i >= 1; i--)
        sift(L, list, i, n);
    for (int i = n; i > 1; i--) {
        swap_ends(L, list, i);
        sift(L, list, 1, i - 1);
    }
    return n;
}

/* upvalues: keys, table, where we are */
static int next_sorted(lua_State *L)
{
    for (;;) {
        int at = (int)lua_tointeger(L, lua_upvalueindex(3)) + 1;
        lua_pushinteger(L, at);
        lua_replace(L, lua_upvalueindex(3));
        lua_rawgeti(L, lua_upvalueindex(1), at);
        if (lua_isnil(L, -1))
            return 1;
        lua_pushvalue(L, -1);
        lua_rawget(L, lua_upvalueindex(2));
        if (!lua_isnil(L, -1))
            return 2;
        lua_pop(L, 2); /* taken away meanwhile */
        script_charge(L, 1);
    }
}

static int base_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    script_push_sorted_keys(L, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_sorted, 3);
    return 1;
}

/* ---- string ---- */

/* Calls the function in the first upvalue, having charged for the texts it gets. */
static int call_charged(lua_State *L)
{
    size_t work = 1;
    for (int i = 1; i <= lua_gettop(L); i++) {
        if (lua_type(L, i) == LUA_TSTRING)
            work += work_of(lua_objlen(L, i));
        else if (lua_type(L, i) == LUA_TTABLE)
            work += lua_objlen(L, i) * 8;
    }
    script_charge(L, work);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    for (int i = 1; i <= lua_gettop(L); i++)
        if (lua_type(L, i) == LUA_TSTRING)
            script_charge(L, work_of(lua_objlen(L, i)));
    return lua_gettop(L);
}

static int string_format(lua_State *L)
{
    size_t n;
    const char *format = luaL_checklstring(L, 1, &n);
    for (size_t i = 0; i + 1 < n; i++)
        if (format[i] == '%' && format[++i] == 'p')
            return luaL_error(L, "format has no %%p");
    for (int i = 2; i <= lua_gettop(L); i++) {
        int type = lua_type(L, i);
        if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
            return luaL_error(L, "format takes texts and numbers, not a %s", lua_typename(L, type));
    }
    return call_charged(L);
}

static int string_rep(lua_State *L)
{
    struct script *script = script_of(L);
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    lua_Number times = luaL_checknumber(L, 2);
    if (n == 0 || !(times >= 1)) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (times * (double)n > SCRIPT_OBJECT_BYTES_MAX)
        return luaL_error(L, "rep makes at most 1 MiB");
    script_charge(L, work_of(n * (size_t)times));
    buf_reset(&script->scratch);
    for (size_t i = 0; i < (size_t)times; i++)
        buf_add(&script->scratch, text, n);
    lua_pushlstring(L, script->scratch.p, script->scratch.n);
    return 1;
}

/* find(text, part, from): where the part begins and ends, or nil. No patterns. */
static int string_find(lua_State *L)
{
    size_t n, part_n;
    const char *text = luaL_checklstring(L, 1, &n), *part = luaL_checklstring(L, 2, &part_n);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    from = from < 0 ? (lua_Integer)n + from + 1 : from;
    size_t skip = from > 1 ? (size_t)from - 1 : 0;
    script_charge(L, work_of(n));
    const char *found = skip > n ? NULL : part_n ? memmem(text + skip, n - skip, part, part_n) : text + skip;
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - text + 1);
    lua_pushinteger(L, found - text + (lua_Integer)part_n);
    return 2;
}

/* replace(text, part, by): every one. No patterns. */
static int string_replace(lua_State *L)
{
    struct script *script = script_of(L);
    size_t n, part_n, by_n;
    const char *text = luaL_checklstring(L, 1, &n), *part = luaL_checklstring(L, 2, &part_n),
               *by = luaL_checklstring(L, 3, &by_n), *end = text + n, *found;
    luaL_argcheck(L, part_n > 0, 2, "what is replaced has at least one byte");
    buf_reset(&script->scratch);
    while ((found = memmem(text, (size_t)(end - text), part, part_n))) {
        buf_add(&script->scratch, text, (size_t)(found - text));
        buf_add(&script->scratch, by, by_n);
        text = found + part_n;
    }
    buf_add(&script->scratch, text, (size_t)(end - text));
    script_charge(L, work_of(n + script->scratch.n));
    if (script->scratch.full)
        return luaL_error(L, "replace makes at most 1 MiB");
    lua_pushlstring(L, script->scratch.p ? script->scratch.p : "", script->scratch.n);
    return 1;
}

/* ---- table ---- */

static int table_insert(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer n = (lua_Integer)lua_objlen(L, 1), at = n + 1;
    if (lua_gettop(L) == 3)
        at = luaL_checkinteger(L, 2);
    luaL_argcheck(L, lua_gettop(L) == 2 || (lua_gettop(L) == 3 && at >= 1 && at <= n + 1), 2, "a place in the list");
    script_charge(L, (size_t)(n + 1 - at));
    for (lua_Integer i = n; i >= at; i--) {
        lua_rawgeti(L, 1, (int)i);
        lua_rawseti(L, 1, (int)i + 1);
    }
    lua_settop(L, lua_gettop(L));
    lua_rawseti(L, 1, (int)at);
    return 0;
}

static int table_remove(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer n = (lua_Integer)lua_objlen(L, 1), at = luaL_optinteger(L, 2, n);
    if (n == 0 || at < 1 || at > n)
        return 0;
    script_charge(L, (size_t)(n - at));
    lua_rawgeti(L, 1, (int)at);
    for (lua_Integer i = at; i < n; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        lua_rawseti(L, 1, (int)i);
    }
    lua_pushnil(L);
    lua_rawseti(L, 1, (int)n);
    return 1;
}

/* ---- weir ---- */

static struct value value_at(lua_State *L, int index)
{
    size_t n;
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        return value_bool(lua_toboolean(L, index));
    case LUA_TNUMBER:
        return value_from_double(lua_tonumber(L, index));
    case LUA_TSTRING: {
        const char *p = lua_tolstring(L, index, &n);
        return value_text(slice_of(p, n));
    }
    default:
        return value_null(REASON_TYPE);
    }
}

/* The functions of expressions; upvalue: which. null becomes nil. */
static int weir_call(lua_State *L)
{
    struct value arguments[16];
    int count = lua_gettop(L);
    luaL_argcheck(L, count <= 16, 17, "at most 16");
    size_t work = 1;
    for (int i = 0; i < count; i++) {
        arguments[i] = value_at(L, i + 1);
        work += arguments[i].kind == VALUE_TEXT ? work_of(arguments[i].n) : 0;
    }
    script_charge(L, work);
    struct value v = expr_function_call((size_t)lua_tointeger(L, lua_upvalueindex(1)), arguments, (size_t)count,
                                        &script_of(L)->values);
    switch ((enum value_kind)v.kind) {
    case VALUE_BOOL:
        lua_pushboolean(L, v.b);
        break;
    case VALUE_INT:
    case VALUE_NUMBER:
        lua_pushnumber(L, value_as_double(v));
        break;
    case VALUE_TEXT:
        lua_pushlstring(L, v.p, v.n);
        break;
    case VALUE_NULL:
        lua_pushnil(L);
        break;
    }
    return 1;
}

static int weir_matches(lua_State *L)
{
    size_t n, pattern_n;
    const char *text = luaL_checklstring(L, 1, &n), *pattern = luaL_checklstring(L, 2, &pattern_n);
    luaL_argcheck(L, pattern_n <= 254, 2, "a pattern has at most 254 bytes");
    script_charge(L, n * (pattern_n + 1) / 16);
    lua_pushboolean(L, expr_glob(slice_of(pattern, pattern_n), slice_of(text, n)));
    return 1;
}

/* ---- putting it together ---- */

/* Copies the named fields of the table at the top into the one below it. */
static void take(lua_State *L, const char *const *names, size_t count, bool charged)
{
    for (size_t i = 0; i < count; i++) {
        lua_getfield(L, -1, names[i]);
        if (charged)
            lua_pushcclosure(L, call_charged, 1);
        lua_setfield(L, -3, names[i]);
    }
    lua_pop(L, 1);
}

static void open_lib(lua_State *L, lua_CFunction open, const char *name)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
    if (name[0])
        lua_getglobal(L, name);
    else
        lua_pushvalue(L, LUA_GLOBALSINDEX);
}

static int refuse_change(lua_State *L)
{
    return luaL_error(L, "the library cannot be changed");
}

/* The table at the top is replaced by one that shows the same and cannot be written to. */
static void seal(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_change);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

static void add_function(lua_State *L, const char *name, lua_CFunction function)
{
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
}

static void make_string(lua_State *L)
{
    static const char *const NAMES[] = { "byte", "char", "len", "lower", "upper", "sub", "reverse" };
    lua_newtable(L);
    open_lib(L, luaopen_string, LUA_STRLIBNAME);
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, string_format, 1);
    lua_setfield(L, -3, "format");
    take(L, NAMES, COUNT_OF(NAMES), true);
    add_function(L, "rep", string_rep);
    add_function(L, "find", string_find);
    add_function(L, "replace", string_replace);
    /* ("x"):upper() goes the same way. */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    seal(L);
}

static void make_table(lua_State *L)
{
    static const char *const NAMES[] = { "concat", "sort" };
    lua_newtable(L);
    open_lib(L, luaopen_table, LUA_TABLIBNAME);
    take(L, NAMES, COUNT_OF(NAMES), true);
    add_function(L, "insert", table_insert);
    add_function(L, "remove", table_remove);
    seal(L);
}

static void make_math(lua_State *L)
{
    static const char *const NAMES[] = { "abs", "ceil", "floor", "fmod", "huge", "max", "min", "modf", "pi", "sqrt" };
    lua_newtable(L);
    open_lib(L, luaopen_math, LUA_MATHLIBNAME);
    take(L, NAMES, COUNT_OF(NAMES), false);
    seal(L);
}

static void make_weir(lua_State *L)
{
    struct expr_function_help help;
    lua_newtable(L);
    for (size_t i = 0; expr_function_at(i, &help); i++) {
        if (!help.callable)
            continue;
        lua_pushlstring(L, help.usage, strcspn(help.usage, "("));
        lua_pushinteger(L, (lua_Integer)i);
        lua_pushcclosure(L, weir_call, 1);
        lua_rawset(L, -3);
    }
    add_function(L, "matches", weir_matches);
    seal(L);
}

void script_open_library(lua_State *L)
{
    static const char *const NAMES[] = { "assert", "error", "ipairs", "select", "tonumber", "type", "unpack" };
    lua_newtable(L); /* the metatable */
    lua_newtable(L);
    open_lib(L, luaopen_base, "");
    take(L, NAMES, COUNT_OF(NAMES), false);
    add_function(L, "tostring", base_tostring);
    add_function(L, "pairs", base_pairs);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    make_string(L);
    lua_setfield(L, -2, "string");
    make_table(L);
    lua_setfield(L, -2, "table");
    make_math(L);
    lua_setfield(L, -2, "math");
    make_weir(L);
    lua_setfield(L, -2, "weir");
    lua_setfield(L, -2, "__index");
}
