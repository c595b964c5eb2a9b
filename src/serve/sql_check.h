/* The first look at SQL from outside, before the engine sees it: one statement, a SELECT, nothing that could change
 * settings, choose the output or leave the tenant's views. It is a fence, not the wall: what holds today is the
 * engine's user, which may read nothing but views of its own rows (design.md, "Tenancy: two walls"). The full guard
 * (parser, allow-list, the tenant filter printed into every scan) takes this file's place later.
 *
 * The text is never changed: what was checked is, byte for byte, what runs. No allocation, one pass, any thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define SQL_BYTES_MAX 65536

/* OK, or ERR_INVALID with words for the person who wrote it, place included ("line 2, column 7: …"). */
MUST_CHECK enum status sql_check(struct slice sql, struct error *err);
