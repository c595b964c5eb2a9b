/* A transform written in Lua, run in a sandbox. A script defines `function transform(event) … return event end`; it
 * gets one event as a table and returns it, changed. It sees no files, no network, no clock, no chance, no other
 * script, and nothing of the events before: its whole text is run anew for each event, so that what comes out depends
 * on the event alone.
 *
 * Bounds: SCRIPT_STEPS_MAX instructions and SCRIPT_MEMORY_MAX bytes an event; whatever a script does, script_run comes
 * back. Owner: one task; one thread. */
#pragma once
#include "base/arena.h"
#include "base/compiler.h"
#include "base/error.h"
#include "event/event.h"

#define SCRIPT_NAME_MAX 56 /* of a longer name, messages show the end */
#define SCRIPT_STEPS_MAX 100000
#define SCRIPT_MEMORY_MAX (4u << 20)
#define SCRIPT_OBJECT_BYTES_MAX (1u << 20) /* of what becomes properties or context */

struct script;

/* Compiles and runs it once. name and first_line: where the text stands, for messages ("web.yaml", 12). ERR_INVALID:
 * err->text is "web.yaml:14: …". */
MUST_CHECK enum status script_new(struct slice text, struct slice name, int first_line, struct script **out,
                                  struct error *err);
void script_free(struct script *script);

/* Changes properties, context, event_type and event_name of the event; their new bytes are in the arena, and what the
 * script did not touch keeps its digits and its order. On failure the event is as it was: ERR_INVALID: the script
 * failed or gave something that is no event; ERR_FULL: it reached a bound (or the arena did). err->text has the line.
 */
MUST_CHECK enum status script_run(struct script *script, struct event *event, struct arena *arena, struct error *err);
