/* What a fallible function tells the program: what it can do next. What happened, in words, is in struct error.
 * A switch over a status has no default, so that a new status stops the build until every place has decided. */
#pragma once

enum status {
    OK = 0,
    ERR_INVALID,   /* this input is wrong; trying again cannot help     */
    ERR_NOT_FOUND, /* no such thing; often fine for the caller          */
    ERR_FULL,      /* a bound was reached; slow down, then try again    */
    ERR_RETRY,     /* the far side failed; try again after a pause      */
    ERR_CORRUPT,   /* stored bytes are wrong; stop using this file      */
    ERR_IO,        /* the local disk or kernel refused                  */
    ERR_CLOSED,    /* shutting down                                     */
};

/* "invalid", "not_found" …: stable names for logs and metrics. */
const char *status_name(enum status status);
