/* The few compiler words that the code base uses, each under one name. */
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define NORETURN __attribute__((noreturn))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Cleanup tied to the scope: `AUTO(buf) struct buf b = {0};` calls buf_auto(&b) on every way out.
 * A module that wants this defines `static inline void NAME_auto(TYPE *)` beside its releasing function.
 * GIVE(p) returns the pointer and disarms it: the receiver owns it now. */
#define AUTO(name) __attribute__((cleanup(name##_auto)))
#define GIVE(pointer)                                                                                                  \
    __extension__({                                                                                                    \
        __auto_type give_ = (pointer);                                                                                 \
        (pointer) = NULL;                                                                                              \
        give_;                                                                                                         \
    })

#ifdef __cplusplus
#define C_BEGIN extern "C" {
#define C_END }
#else
#define C_BEGIN
#define C_END
#endif
