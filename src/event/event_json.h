/* An event in the words of POST /track, so that people can read it and send it again. */
#pragma once
#include "base/buf.h"
#include "event/event.h"

/* Appends one JSON object. Empty fields are left out; properties and context are copied as they are. */
void event_json_add(struct buf *out, const struct event *event);
