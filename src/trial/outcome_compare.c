/* Expected rows against those that there are: every expected row takes one that has all of its members. An expected row
 * that names little may take what another one needs: it then moves on to another (Kuhn's augmenting paths). What is
 * left over on either side is told, an expected row beside the one that comes nearest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/timestamp.h"
#include "trial/outcome.h"

#define DIFFERENCES_MAX 20 /* of one table; further ones are counted */
#define MOVES_MAX 10000    /* of rows for one's sake: bounds the stack */

/* What is expected of one table or window. */
struct expected {
    enum outcome_table table;
    struct slice window; /* empty: of all */
    struct slice *rows;
    size_t count;
    size_t next;    /* of the outcome's rows; where to look first, as lists are mostly in order */
    uint32_t round; /* rows seen in it lead nowhere */
};

static bool is_group(struct slice value)
{
    return value.n && value.p[0] == '{';
}

static bool is_list(struct slice value)
{
    return value.n && value.p[0] == '[';
}

static struct slice bare(struct slice value)
{
    return value.n >= 2 && value.p[0] == '"' ? slice_of(value.p + 1, value.n - 2) : value;
}

static bool as_number(struct slice value, double *out)
{
    char text[64], *end;
    if (value.n == 0 || value.n >= sizeof text)
        return false;
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    *out = strtod(text, &end);
    return *end == '\0';
}

/* 1999 and 1999.0 are the same, and so are 10:00Z and 10:00:00.000Z; the texts "7" and "007" are not. */
static bool same_scalar(struct slice wanted, struct slice is)
{
    double a, b;
    int64_t a_ms, b_ms;
    const bool texts = wanted.p[0] == '"' && is.p[0] == '"';
    wanted = bare(wanted);
    is = bare(is);
    if (slice_equal(wanted, is))
        return true;
    if (!texts && as_number(wanted, &a) && as_number(is, &b))
        return a == b; /* both were written by people or by json_add_number: exact */
    return timestamp_parse(wanted, &a_ms) && timestamp_parse(is, &b_ms) && a_ms == b_ms;
}

static bool has_all(struct slice wanted, struct slice is);

static bool same_list(struct slice wanted, struct slice is)
{
    struct json_walk a, b;
    bool more;
    json_walk_begin(&a, wanted);
    json_walk_begin(&b, is);
    while ((more = json_walk_next(&a)) == json_walk_next(&b) && more)
        if (!has_all(a.value, b.value))
            return false;
    return a.ended && b.ended;
}

static struct slice member(struct slice group, struct slice quoted_name)
{
    struct json_walk walk;
    json_walk_begin(&walk, group);
    while (json_walk_next(&walk))
        if (slice_equal(walk.name, quoted_name))
            return walk.value;
    return (struct slice){ 0 };
}

static bool has_all(struct slice wanted, struct slice is)
{
    struct json_walk walk;
    if (is_list(wanted))
        return is_list(is) && same_list(wanted, is);
    if (!is_group(wanted))
        return is.n && !is_group(is) && !is_list(is) && same_scalar(wanted, is);
    if (!is_group(is))
        return false;
    json_walk_begin(&walk, wanted);
    while (json_walk_next(&walk))
        if (!has_all(walk.value, member(is, walk.name)))
            return false;
    return true;
}

/* How many members of the wanted row the other one has. */
static size_t likeness(struct slice wanted, struct slice is)
{
    struct json_walk walk;
    size_t count = 0;
    json_walk_begin(&walk, wanted);
    while (json_walk_next(&walk))
        count += has_all(walk.value, member(is, walk.name)) +
                 (is_group(walk.value) ? likeness(walk.value, member(is, walk.name)) : 0);
    return count;
}

static void tell_members(struct slice wanted, struct slice is, const char *within, struct buf *diff)
{
    struct json_walk walk;
    json_walk_begin(&walk, wanted);
    while (json_walk_next(&walk)) {
        struct slice name = bare(walk.name), found = member(is, walk.name);
        char path[256];
        snprintf(path, sizeof path, "%s%.*s", within, SLICE_ARG(name));
        if (has_all(walk.value, found))
            continue;
        if (is_group(walk.value) && is_group(found)) {
            snprintf(path, sizeof path, "%s%.*s.", within, SLICE_ARG(name));
            tell_members(walk.value, found, path, diff);
        } else {
            buf_add_format(diff, "      %s: expected %.*s, is ", path, SLICE_ARG(walk.value));
            buf_add_slice(diff, found.n ? found : SLICE("not there"));
            buf_add_char(diff, '\n');
        }
    }
}

static bool is_of(const struct outcome_row *row, const struct expected *expected)
{
    return row->table == expected->table && !row->gone &&
           (expected->window.n == 0 || slice_equal(row->window, expected->window));
}

/* ---- who takes which ---- */

static bool take_free(struct outcome *outcome, struct expected *expected, size_t number)
{
    for (size_t i = 0; i < outcome->count; i++) {
        const size_t at = (expected->next + i) % outcome->count;
        struct outcome_row *row = &outcome->rows[at];
        if (row->taker || !is_of(row, expected) || !has_all(expected->rows[number], buf_slice(&row->json)))
            continue;
        row->taker = (uint32_t)number + 1;
        expected->next = at + 1;
        return true;
    }
    return false;
}

static bool take(struct outcome *outcome, struct expected *expected, size_t number, unsigned moves)
{
    if (take_free(outcome, expected, number))
        return true;
    for (size_t i = 0; moves < MOVES_MAX && i < outcome->count; i++) {
        struct outcome_row *row = &outcome->rows[i];
        if (!row->taker || row->seen == expected->round || !has_all(expected->rows[number], buf_slice(&row->json)))
            continue;
        row->seen = expected->round;
        if (!take(outcome, expected, row->taker - 1, moves + 1))
            continue;
        row->taker = (uint32_t)number + 1;
        return true;
    }
    return false;
}

/* Returns how many found none. */
static size_t match_rows(struct outcome *outcome, struct expected *expected)
{
    size_t missing = 0;
    expected->round = 1;
    for (size_t i = 0; i < expected->count; i++)
        if (take(outcome, expected, i, 0))
            expected->round++; /* else: what led nowhere never will */
        else
            missing++;
    return missing;
}

/* ---- what differs ---- */

static void tell_missing(struct outcome *outcome, const struct expected *expected, struct slice wanted,
                         struct buf *diff)
{
    struct outcome_row *nearest = NULL;
    size_t most = 0;
    for (size_t i = 0; i < outcome->count; i++) {
        struct outcome_row *row = &outcome->rows[i];
        if (!is_of(row, expected) || row->taker)
            continue;
        size_t like = likeness(wanted, buf_slice(&row->json));
        if (!nearest || like > most) {
            most = like;
            nearest = row;
        }
    }
    buf_add_format(diff, "    - expected %.*s\n", SLICE_ARG(wanted));
    if (!nearest)
        return;
    nearest->taker = UINT32_MAX;
    buf_add_format(diff, "      nearest  %.*s\n", SLICE_ARG(buf_slice(&nearest->json)));
    tell_members(wanted, buf_slice(&nearest->json), "", diff);
}

static void tell_rows(struct outcome *outcome, const struct expected *expected, struct buf *diff)
{
    size_t told = 0;
    bool *found = calloc(expected->count + 1, sizeof *found);
    if (!found)
        abort();
    for (size_t i = 0; i < outcome->count; i++)
        if (outcome->rows[i].taker)
            found[outcome->rows[i].taker - 1] = true;
    for (size_t i = 0; i < expected->count; i++)
        if (!found[i] && told++ < DIFFERENCES_MAX)
            tell_missing(outcome, expected, expected->rows[i], diff);
    free(found);
    for (size_t i = 0; i < outcome->count; i++)
        if (is_of(&outcome->rows[i], expected) && !outcome->rows[i].taker && told++ < DIFFERENCES_MAX)
            buf_add_format(diff, "    + nobody expected %.*s\n", SLICE_ARG(buf_slice(&outcome->rows[i].json)));
    if (told > DIFFERENCES_MAX)
        buf_add_format(diff, "    … and %zu more\n", told - DIFFERENCES_MAX);
}

static void begin(struct expected *expected, struct slice list)
{
    struct json_walk walk;
    size_t count = 0;
    for (json_walk_begin(&walk, list); json_walk_next(&walk);)
        count++;
    expected->rows = calloc(count + 1, sizeof *expected->rows);
    if (!expected->rows)
        abort();
    for (json_walk_begin(&walk, list); json_walk_next(&walk);)
        expected->rows[expected->count++] = walk.value;
}

bool outcome_is(struct outcome *outcome, enum outcome_table table, struct slice window, struct slice wanted,
                struct buf *diff)
{
    struct expected expected = { .table = table, .window = window };
    double number;
    size_t rows = 0;
    for (size_t i = 0; i < outcome->count; i++) {
        outcome->rows[i].taker = outcome->rows[i].seen = 0;
        rows += is_of(&outcome->rows[i], &expected);
    }
    const bool counts = as_number(wanted, &number);
    begin(&expected, counts ? SLICE("[]") : wanted);
    const bool right = counts ? number == (double)rows : match_rows(outcome, &expected) == 0 && expected.count == rows;
    if (!right) {
        buf_add_format(diff, "  %s%s%.*s: ", OUTCOME_NAMES[table], window.n ? " " : "", SLICE_ARG(window));
        if (counts)
            buf_add_format(diff, "expected %.*s rows, there are %zu\n", SLICE_ARG(wanted), rows);
        else
            buf_add_format(diff, "expected %zu rows, there are %zu\n", expected.count, rows);
        tell_rows(outcome, &expected, diff);
    }
    free(expected.rows);
    return right;
}
