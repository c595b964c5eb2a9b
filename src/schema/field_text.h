/* A field's bounds as one writes them. */
#pragma once
#include "base/buf.h"
#include "config/event_type.h"

/* 19.99 of money, 2026-01-31T00:00:00.000Z of a time, a number otherwise; nothing when it is not set. */
void field_text_add_bound(struct buf *out, const struct event_field *field, const struct event_bound *bound);
