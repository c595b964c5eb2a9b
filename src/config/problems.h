/* Mistakes that were found in configuration files, in the order in which they were found, written twice: as text for
 * people (file:line:column, the line, a caret) and as JSON objects for tools. Bounded: mistakes beyond PROBLEMS_MAX are
 * counted and not written. One owner, one thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"

#define PROBLEMS_MAX 100

struct problems {
    struct buf text, json; /* json: {…},{…} without the brackets around them */
    size_t count;
    bool colours; /* the text is for a terminal */
};

struct problem {
    const char *file;
    int line, column;    /* from 1; columns count characters */
    const char *message; /* one line, with what was probably meant */
    struct slice source; /* the line itself; empty: it is not shown */
    size_t at, width;    /* bytes of it that are underlined */
};

void problems_init(struct problems *problems, bool colours);
void problems_done(struct problems *problems);
static inline void problems_auto(struct problems *problems)
{
    problems_done(problems);
}
void problems_add(struct problems *problems, const struct problem *problem);
/* Counts one more that is not worth describing, as there are PROBLEMS_MAX. False: it is to be added. */
bool problems_count_only(struct problems *problems);
/* The text, and how many were left out. Call it once, at the end. */
const char *problems_text(struct problems *problems);
