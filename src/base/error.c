#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *status_name(enum status status)
{
    switch (status) {
    case OK:
        return "ok";
    case ERR_INVALID:
        return "invalid";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_FULL:
        return "full";
    case ERR_RETRY:
        return "retry";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_IO:
        return "io";
    case ERR_CLOSED:
        return "closed";
    }
    return "unknown";
}

static void error_format(struct error *err, enum status status, const char *format, va_list arguments)
{
    assert(status != OK);
    err->status = status;
    vsnprintf(err->text, sizeof err->text, format, arguments);
}

enum status error_set(struct error *err, enum status status, const char *format, ...)
{
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        error_format(err, status, format, arguments);
        va_end(arguments);
    }
    return status;
}

enum status error_wrap(struct error *err, enum status status, const char *format, ...)
{
    if (err) {
        struct error outer;
        va_list arguments;
        va_start(arguments, format);
        error_format(&outer, status, format, arguments);
        va_end(arguments);
        size_t used = strlen(outer.text);
        snprintf(outer.text + used, sizeof outer.text - used, ": %s", err->text);
        *err = outer;
    }
    return status;
}

enum status error_errno(struct error *err, enum status status, int errno_value, const char *format, ...)
{
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        error_format(err, status, format, arguments);
        va_end(arguments);
        char reason[128];
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s", strerror_r(errno_value, reason, sizeof reason));
    }
    return status;
}

enum status status_from_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    default:
        return ERR_IO;
    }
}
