/* One Lua state per script, with our own allocator (LuaJIT with 64-bit references takes one) and the compiler to
 * machine code switched off: compiled loops do not call the hook that counts instructions, interpreted ones always do.
 * A transform is a few dozen instructions, so little is lost (numbers in README.md), and an endless loop ends.
 *
 * For each event the chunk runs in new surroundings, whose only way out is the read-only library: globals and local
 * variables begin anew, so a script cannot remember. What was raised as an error comes back through lua_pcall alone; no
 * C function holds memory of its own while Lua runs. */
#include <stdio.h>
#include <stdlib.h>

#include "script/script_inside.h"

#define HOOK_STEPS 1000 /* instructions between two looks at the budget */
#define TEXT_BYTES_MAX (64u << 10)
#define NAME_BYTES_MAX 1024

static const char STEPS_OUT[] = "the script does not come to an end: more than 100000 steps for one event";

/* ---- bounds ---- */

static void *allocate(void *self, void *p, size_t old_bytes, size_t new_bytes)
{
    struct script *script = self;
    if (!p)
        old_bytes = 0;
    if (new_bytes == 0) {
        free(p);
        script->used_bytes -= old_bytes;
        return NULL;
    }
    if (new_bytes > old_bytes && script->used_bytes + (new_bytes - old_bytes) > SCRIPT_MEMORY_MAX) {
        script->memory_out = true;
        return NULL;
    }
    void *moved = realloc(p, new_bytes);
    if (!moved)
        abort();
    script->used_bytes = script->used_bytes - old_bytes + new_bytes;
    return moved;
}

struct script *script_of(lua_State *L)
{
    void *self;
    lua_getallocf(L, &self);
    return self;
}

void script_charge(lua_State *L, size_t work)
{
    struct script *script = script_of(L);
    script->steps -= work < INT32_MAX ? (int64_t)work : INT32_MAX;
    if (script->steps >= 0)
        return;
    script->steps_out = true;
    luaL_error(L, "%s", STEPS_OUT);
}

static void count_steps(lua_State *L, lua_Debug *where)
{
    (void)where;
    script_charge(L, HOOK_STEPS);
}

static void refill(struct script *script)
{
    script->steps = SCRIPT_STEPS_MAX;
    script->memory_out = script->steps_out = false;
    lua_sethook(script->L, count_steps, LUA_MASKCOUNT, HOOK_STEPS);
}

/* ---- errors ---- */

/* Puts the line in front of messages that have none, such as those of functions written in C. */
static int add_line(lua_State *L)
{
    struct script *script = script_of(L);
    lua_Debug where;
    const char *message = lua_type(L, 1) == LUA_TSTRING || lua_type(L, 1) == LUA_TNUMBER ? lua_tostring(L, 1) : NULL;
    if (!message)
        message = lua_pushfstring(L, "error was called with a %s", luaL_typename(L, 1));
    if (strncmp(message, script->name.p, script->name.n) == 0 && message[script->name.n] == ':') {
        lua_pushstring(L, message);
        return 1;
    }
    for (int level = 1; lua_getstack(L, level, &where); level++) {
        if (lua_getinfo(L, "Sl", &where) && where.currentline > 0) {
            lua_pushfstring(L, "%s:%d: %s", script->name.p, where.currentline, message);
            return 1;
        }
    }
    lua_pushfstring(L, "%s: %s", script->name.p, message);
    return 1;
}

static enum status fail(struct script *script, int result, struct error *err)
{
    const char *message = lua_tostring(script->L, -1);
    if (result == LUA_ERRMEM || script->memory_out)
        error_set(err, ERR_FULL, "%s: the script needs more than %u MiB for one event", buf_text(&script->name),
                  SCRIPT_MEMORY_MAX >> 20);
    else
        error_set(err, script->steps_out ? ERR_FULL : ERR_INVALID, "%s", message ? message : "the script failed");
    lua_settop(script->L, 0);
    lua_gc(script->L, LUA_GCCOLLECT, 0);
    return script->memory_out || script->steps_out || result == LUA_ERRMEM ? ERR_FULL : ERR_INVALID;
}

/* Runs a C function on the script under its bounds. */
static enum status protect(struct script *script, lua_CFunction function, void *argument, struct error *err)
{
    lua_State *L = script->L;
    refill(script);
    lua_settop(L, 0);
    lua_pushcfunction(L, add_line);
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, argument);
    int result = lua_pcall(L, 1, 0, 1);
    if (result != 0)
        return fail(script, result, err);
    lua_settop(L, 0);
    return OK;
}

/* ---- start ---- */

static int open_library(lua_State *L)
{
    struct script *script = script_of(L);
    script_open_library(L);
    script->library = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* Leaves the script's function `transform` on the stack, made anew. */
static void push_transform(lua_State *L, const struct script *script)
{
    lua_newtable(L); /* the surroundings */
    int surroundings = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->library);
    lua_setmetatable(L, surroundings);
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->main);
    lua_pushvalue(L, surroundings);
    lua_setfenv(L, -2);
    lua_call(L, 0, 0);
    lua_pushliteral(L, "transform");
    lua_rawget(L, surroundings);
    if (!lua_isfunction(L, -1))
        luaL_error(L, "the script has no function transform(event)");
    lua_remove(L, surroundings);
}

static const char *read_text(lua_State *L, void *data, size_t *out_n)
{
    (void)L;
    struct buf **text = data;
    const struct buf *all = *text;
    *text = NULL;
    *out_n = all ? all->n : 0;
    return all ? all->p : NULL;
}

static int load_text(lua_State *L)
{
    struct script *script = script_of(L);
    struct buf *text = &script->text;
    lua_pushfstring(L, "=%s", buf_text(&script->name));
    if (lua_loadx(L, read_text, &text, lua_tostring(L, -1), "t") != 0)
        lua_error(L);
    script->main = luaL_ref(L, LUA_REGISTRYINDEX);
    push_transform(L, script);
    return 0;
}

enum status script_new(struct slice text, struct slice name, int first_line, struct script **out, struct error *err)
{
    if (text.n > TEXT_BYTES_MAX)
        return error_set(err, ERR_INVALID, "%.*s:%d: a script has at most 64 KiB", SLICE_ARG(name), first_line);
    struct script *script = calloc(1, sizeof *script);
    if (!script || !(script->L = lua_newstate(allocate, script)))
        abort();
    luaJIT_setmode(script->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    buf_init(&script->name, 64);
    buf_init(&script->text, 2 << 20);
    buf_init(&script->scratch, SCRIPT_OBJECT_BYTES_MAX);
    buf_init(&script->properties, SCRIPT_OBJECT_BYTES_MAX);
    buf_init(&script->context, SCRIPT_OBJECT_BYTES_MAX);
    arena_init(&script->values, SCRIPT_MEMORY_MAX);
    /* Lua itself cuts longer names. Lines before the script's first make its lines those of the file.
     */
    buf_add_slice(&script->name, name.n > SCRIPT_NAME_MAX ? slice_after(name, name.n - SCRIPT_NAME_MAX) : name);
    (void)buf_text(&script->name);
    for (int i = 1; i < first_line && i < 1000000; i++)
        buf_add_char(&script->text, '\n');
    buf_add_slice(&script->text, text);
    enum status s = protect(script, open_library, NULL, err);
    if (s == OK)
        s = protect(script, load_text, NULL, err);
    if (s != OK) {
        script_free(script);
        return ERR_INVALID;
    }
    *out = script;
    return OK;
}

void script_free(struct script *script)
{
    if (!script)
        return;
    lua_close(script->L);
    buf_done(&script->name);
    buf_done(&script->text);
    buf_done(&script->scratch);
    buf_done(&script->properties);
    buf_done(&script->context);
    arena_done(&script->values);
    free(script);
}

/* ---- events ---- */

static const struct text_field {
    const char *name;
    size_t at;
} FIXED[] = {
    { "visitor_id", offsetof(struct event, visitor_id) },   { "user_id", offsetof(struct event, user_id) },
    { "session_id", offsetof(struct event, session_id) },   { "event_id", offsetof(struct event, event_id) },
    { "customer_id", offsetof(struct event, customer_id) },
}, CHANGEABLE[] = {
    { "event_type", offsetof(struct event, event_type) },
    { "event_name", offsetof(struct event, event_name) },
};

static struct slice text_of(const struct event *event, const struct text_field *field)
{
    return *(const struct slice *)(const void *)((const char *)event + field->at);
}

static void set_text(lua_State *L, const struct event *event, const struct text_field *field)
{
    struct slice text = text_of(event, field);
    if (!text.n)
        return;
    lua_pushlstring(L, text.p, text.n);
    lua_setfield(L, -2, field->name);
}

static void push_event(lua_State *L, const struct event *event)
{
    lua_newtable(L);
    for (size_t i = 0; i < COUNT_OF(FIXED); i++)
        set_text(L, event, &FIXED[i]);
    for (size_t i = 0; i < COUNT_OF(CHANGEABLE); i++)
        set_text(L, event, &CHANGEABLE[i]);
    lua_pushnumber(L, (lua_Number)event->timestamp_ms);
    lua_setfield(L, -2, "timestamp");
    lua_pushnumber(L, (lua_Number)event->received_ms);
    lua_setfield(L, -2, "received_at");
    script_push_json(L, event->properties);
    lua_setfield(L, -2, "properties");
    script_push_json(L, event->context);
    lua_setfield(L, -2, "context");
}

/* The field of the table at index as text; empty when it is not there. It stays on the stack, so that it stays alive.
 */
static struct slice field_at(lua_State *L, int index, const char *name)
{
    struct slice text = { "", 0 };
    lua_pushstring(L, name);
    lua_rawget(L, index);
    if (lua_isnil(L, -1))
        return text;
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "event.%s must be text, not a %s", name, luaL_typename(L, -1));
    text.p = lua_tolstring(L, -1, &text.n);
    return text;
}

static void check_fixed(lua_State *L, int index, const struct event *event)
{
    for (size_t i = 0; i < COUNT_OF(FIXED); i++)
        if (!slice_equal(field_at(L, index, FIXED[i].name), text_of(event, &FIXED[i])))
            luaL_error(L, "event.%s cannot be changed", FIXED[i].name);
    lua_pushliteral(L, "timestamp");
    lua_rawget(L, index);
    if (lua_tonumber(L, -1) != (lua_Number)event->timestamp_ms)
        luaL_error(L, "event.timestamp cannot be changed");
}

static struct slice changed_name(lua_State *L, int index, const char *name, struct arena *values)
{
    struct slice text = field_at(L, index, name);
    if (text.n == 0 || text.n > NAME_BYTES_MAX)
        luaL_error(L, "event.%s must have 1 to %d bytes", name, NAME_BYTES_MAX);
    struct slice kept = arena_copy(values, text);
    if (!kept.p)
        luaL_error(L, "no room for event.%s", name);
    return kept;
}

static void add_object(lua_State *L, int index, const char *name, struct slice before, struct buf *out)
{
    lua_pushstring(L, name);
    lua_rawget(L, index);
    if (!lua_istable(L, -1))
        luaL_error(L, "event.%s must be a table, not a %s", name, luaL_typename(L, -1));
    script_add_json(L, lua_gettop(L), before, out);
    if (out->p[0] != '{')
        luaL_error(L, "event.%s must have names, not places 1, 2, 3", name);
}

static int run_event(lua_State *L)
{
    struct script *script = script_of(L);
    const struct event *event = lua_touserdata(L, 1);
    push_transform(L, script);
    push_event(L, event);
    lua_call(L, 1, 1);
    int result = lua_gettop(L);
    if (!lua_istable(L, result))
        return luaL_error(L, "transform returned a %s; it ends with `return event`", luaL_typename(L, result));
    check_fixed(L, result, event);
    script->event_type = changed_name(L, result, "event_type", &script->values);
    script->event_name = changed_name(L, result, "event_name", &script->values);
    add_object(L, result, "properties", event->properties, &script->properties);
    add_object(L, result, "context", event->context, &script->context);
    return 0;
}

/* What is as it was keeps its place; the rest moves to the arena. */
static bool keep(struct arena *arena, struct slice before, struct slice *io)
{
    if (slice_equal(before, *io)) {
        *io = before;
        return true;
    }
    *io = arena_copy(arena, *io);
    return io->p != NULL;
}

enum status script_run(struct script *script, struct event *event, struct arena *arena, struct error *err)
{
    arena_reset(&script->values);
    struct event changed = *event;
    enum status s = protect(script, run_event, &changed, err);
    if (s != OK)
        return s;
    changed.event_type = script->event_type;
    changed.event_name = script->event_name;
    changed.properties = buf_slice(&script->properties);
    changed.context = buf_slice(&script->context);
    if (!keep(arena, event->event_type, &changed.event_type) || !keep(arena, event->event_name, &changed.event_name) ||
        !keep(arena, event->properties, &changed.properties) || !keep(arena, event->context, &changed.context))
        return error_set(err, ERR_FULL, "the texts of this batch's events take more than its memory; replay it");
    *event = changed;
    return OK;
}
