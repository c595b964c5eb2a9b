/* Bytes as text and back: hex, base64, percent. The caller gives the room; nothing is terminated. Any thread.
 * (SHA-256 and the like: libsodium's crypto_hash_sha256, crypto_generichash.) */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

/* Writes 2 × n lower-case digits. */
void hex_encode(struct slice bytes, char *to);
/* Writes n / 2 bytes. False: odd length, or something else than hex digits (either case); `to` is then undefined. */
MUST_CHECK bool hex_decode(struct slice text, void *to);

#define BASE64_ENCODED_BYTES(n) (((n) + 2) / 3 * 4)
#define BASE64_DECODED_BYTES_MAX(n) (((n) + 3) / 4 * 3)

/* RFC 4648, the standard alphabet, with padding. Writes BASE64_ENCODED_BYTES(bytes.n). */
void base64_encode(struct slice bytes, char *to);
/* Takes both alphabets (+/ and -_), with or without padding; no blanks. Refuses bits that are left over, so each value
 * has one spelling per alphabet. Writes at most BASE64_DECODED_BYTES_MAX(text.n). */
MUST_CHECK bool base64_decode(struct slice text, void *to, size_t *out_n);

/* %41 → A; '+' → ' ' when plus_is_space (forms, queries). Writes at most text.n bytes; `to` may be text.p.
 * False: a % without two hex digits behind it. */
MUST_CHECK bool percent_decode(struct slice text, bool plus_is_space, char *to, size_t *out_n);
