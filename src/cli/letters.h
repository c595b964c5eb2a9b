/* Dead letters, read through POST /v1/sql page by page, as the tenant's read key sees them. For the dead-letters
 * commands. One owner; a letter's texts are valid until the next call. Bounds: LETTERS_PAGE letters in memory. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"
#include "cli/args.h"
#include "http/http_client.h"

#define LETTERS_PAGE 200
#define LETTER_ID_BYTES_MAX 32

struct letter {
    struct slice id; /* "3-1842": the journal's partition and the position in it */
    struct slice stage, reason, field, message, event_id;
    struct slice original; /* the bytes that came, whatever they are */
    int64_t received_ms;
};

/* What the options of every dead-letters command fill in. */
struct letter_filter {
    const char *stage, *reason, *since; /* since: "2h" before now, or a time; NULL: all */
    struct args_rest ids;               /* none: all */
};

/* Appends " WHERE …" (or nothing). ERR_INVALID: an id or --since that is none. */
MUST_CHECK enum status letter_filter_add(const struct letter_filter *filter, int64_t now_ms, struct buf *sql,
                                         struct error *err);
static inline bool letter_filter_is_empty(const struct letter_filter *filter)
{
    return !filter->stage && !filter->reason && !filter->since && !filter->ids.count;
}

/* Sends one statement. On failure *out_exit_code is what the command returns. *out_answer is the client's. */
MUST_CHECK enum status letters_ask(struct http_client *client, struct slice sql, struct slice *out_answer,
                                   int *out_exit_code, struct error *err);
/* The number of letters that a filter selects. */
MUST_CHECK enum status letters_count(struct http_client *client, const struct letter_filter *filter, int64_t now_ms,
                                     uint64_t *out_count, int *out_exit_code, struct error *err);

struct letters;
/* newest_first: for people; otherwise in the order in which they came. limit 0: all. */
MUST_CHECK enum status letters_open(struct http_client *client, const struct letter_filter *filter, int64_t now_ms,
                                    bool newest_first, uint64_t limit, struct letters **out, struct error *err);
/* *out is NULL after the last one. */
MUST_CHECK enum status letters_next(struct letters *letters, const struct letter **out, int *out_exit_code,
                                    struct error *err);
void letters_close(struct letters *letters); /* NULL is fine */
static inline void letters_auto(struct letters **letters)
{
    letters_close(*letters);
}
