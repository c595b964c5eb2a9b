/* Settings as a table: help, documentation, defaults and checks come from its rows, so that they can't drift. Defaults
 * are text and go through the same parser as what a user writes. Read once at start, then const. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define OPTION_TEXT_MAX 255
#define OPTION_WHOLE 1000000 /* of OPTION_SHARE */

enum option_kind {
    OPTION_INTEGER,  /* int64_t */
    OPTION_BYTES,    /* int64_t; "64 MiB", "512k", "1073741824" */
    OPTION_DURATION, /* int64_t in milliseconds; "250ms", "10 s", "5m", "24h", "7d"; a bare number is refused */
    OPTION_SHARE,    /* int64_t in millionths of the whole; "0.9999" or "99.99 %" */
    OPTION_BOOLEAN,  /* bool; true or false */
    OPTION_TEXT,     /* char[OPTION_TEXT_MAX + 1] */
    OPTION_SECRET,   /* as OPTION_TEXT; never printed */
    OPTION_CHOICE,   /* as OPTION_TEXT, one of `choices`, separated by '|' */
};

struct option {
    const char *key; /* "journal.segment_size": the path in the YAML */
    enum option_kind kind;
    size_t offset; /* of the field in the settings struct */
    const char *default_text;
    int64_t min, max;    /* of numbers, in their base unit; both 0: no bounds */
    const char *choices; /* of OPTION_CHOICE; of a list: what its items may be; else NULL */
    const char *help;    /* one or two sentences, with what happens at the bound */
    bool reload;         /* may change while the program runs; else a change needs a restart */
    bool list;           /* a text that may be written as a YAML list, too: its items with commas between them */
};

struct option_table {
    const struct option *rows;
    size_t count;
};

const struct option *option_find(struct option_table table, struct slice key);
/* The key that was probably meant, or NULL. */
const char *option_closest(struct option_table table, struct slice key);
/* Some row's key lies below this path ("journal" for "journal.path"). */
bool option_is_section(struct option_table table, struct slice path);
/* Parses text into the field. ERR_INVALID says what is allowed. */
MUST_CHECK enum status option_set(const struct option *option, void *settings, struct slice text, struct error *err);
/* Sets every field to its default; a default that does not parse is our own mistake (assert). */
void options_set_defaults(struct option_table table, void *settings);
/* The field in two settings of one struct: the same, or made the same. For secrets too. */
bool option_equal(const struct option *option, const void *a, const void *b);
void option_copy(const struct option *option, const void *from, void *to);
/* The field as text, as a user could write it (of a secret only that it is set); at most n bytes with the terminator.
 */
void option_format(const struct option *option, const void *settings, char *to, size_t n);
