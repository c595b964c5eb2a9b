/* What the files of script/ share. Nobody outside of it includes this. */
#pragma once
#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>

#include "base/buf.h"
#include "script/script.h"

#define SCRIPT_DEPTH_MAX 32 /* of JSON that goes in or out */

struct script {
    lua_State *L;
    size_t used_bytes; /* of all of Lua's memory */
    int64_t steps;     /* left for this event */
    bool memory_out, steps_out;
    struct buf name, text;          /* of the script */
    struct buf scratch;             /* one string at a time */
    struct buf properties, context; /* what comes out */
    struct arena values;            /* of weir's functions, until the event ends */
    struct slice event_type, event_name;
    int main, library; /* registry: the chunk; the metatable of its surroundings */
};

/* Of the state that a function runs in. */
struct script *script_of(lua_State *L);
/* Work that the count of instructions does not see; raises the error when nothing is left. */
void script_charge(lua_State *L, size_t work);

/* Pushes a list of the names of the table at index, sorted: numbers first. Returns how many. Raises errors. */
int script_push_sorted_keys(lua_State *L, int index);
/* script_library.c: leaves the metatable of a script's surroundings on the stack. Raises errors. */
void script_open_library(lua_State *L);
/* script_json.c: pushes what the text means. Raises errors. */
void script_push_json(lua_State *L, struct slice text);
/* Appends the value at index; `before` is the JSON that it came from (or empty): equal parts keep their bytes. Raises
 * errors. */
void script_add_json(lua_State *L, int index, struct slice before, struct buf *out);
