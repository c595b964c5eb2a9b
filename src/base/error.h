/* The words that go with a status: the caller supplies the place, each layer may put its own words in front.
 *     return error_wrap(err, s, "accept batch %u", batch->id);
 *     → "accept batch 71: write segment 0000000004000000: no space left on device"
 * Write messages that say what to do next. err may be NULL where nobody will read it. No allocation; long text is cut.
 */
#pragma once
#include "base/compiler.h"
#include "base/status.h"

#define ERROR_TEXT_MAX 512

struct error {
    enum status status;
    char text[ERROR_TEXT_MAX];
};

/* Each returns the status that it was given, so that failing is one line: return error_set(err, ERR_FULL, "…"). */
PRINTF_LIKE(3, 4) enum status error_set(struct error *err, enum status status, const char *format, ...);
PRINTF_LIKE(3, 4) enum status error_wrap(struct error *err, enum status status, const char *format, ...);
/* As error_set, with ": " and the text of errno_value behind it. */
PRINTF_LIKE(4, 5)
enum status error_errno(struct error *err, enum status status, int errno_value, const char *format, ...);
/* ERR_IO in general; ERR_FULL for a full disk or quota, ERR_NOT_FOUND for a missing file. */
enum status status_from_errno(int errno_value);
