/* A window's key as bytes: what rows are told apart by, and what results are written from. The tenant is not in it.
 *
 * For each of the values: u8 kind, then INT i64 · NUMBER f64 · BOOL u8 · TEXT u16 bytes and so many · NULL nothing.
 * Equal keys have equal bytes: 1.0 is 1, -0 is 0. A text longer than WINDOW_KEY_TEXT_MAX keeps its beginning and a hash
 * of all of it, so that different texts stay different. Pure functions, any thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "config/domain.h"

#define WINDOW_KEY_TEXT_MAX 96
#define WINDOW_KEY_BYTES_MAX (WINDOW_KEYS_MAX * (WINDOW_KEY_TEXT_MAX + 3)) /* fits into a kv key with its prefix */

/* Writes the value behind `at` and returns the end. Room: WINDOW_KEY_TEXT_MAX + 3. */
char *window_key_add(char *at, struct value value);
/* {"page":"/a","country":null}: the key's bytes with the definition's names. Bytes that window_key_add did not make
 * give an object that ends early. */
void window_key_add_json(const struct window *window, struct slice key, struct buf *out);
