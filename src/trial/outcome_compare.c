/* Expected rows against those that there are: every expected row takes the first that has all of its members. What is
 * left over on either side is told, an expected row beside the one that comes nearest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/timestamp.h"
#include "trial/outcome.h"

#define DIFFERENCES_MAX 20 /* of one table; further ones are counted */

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

/* 1999 and 1999.0 are the same, and so are 10:00Z and 10:00:00.000Z. */
static bool same_scalar(struct slice wanted, struct slice is)
{
    double a, b;
    int64_t a_ms, b_ms;
    wanted = bare(wanted);
    is = bare(is);
    if (slice_equal(wanted, is))
        return true;
    if (as_number(wanted, &a) && as_number(is, &b))
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

static bool is_of(const struct outcome_row *row, enum outcome_table table, struct slice window)
{
    return row->table == table && !row->gone && (window.n == 0 || slice_equal(row->window, window));
}

static void tell_missing(struct outcome *outcome, enum outcome_table table, struct slice window, struct slice wanted,
                         struct buf *diff)
{
    struct outcome_row *nearest = NULL;
    size_t most = 0;
    for (size_t i = 0; i < outcome->count; i++) {
        struct outcome_row *row = &outcome->rows[i];
        if (!is_of(row, table, window) || row->matched)
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
    nearest->matched = true;
    buf_add_format(diff, "      nearest  %.*s\n", SLICE_ARG(buf_slice(&nearest->json)));
    tell_members(wanted, buf_slice(&nearest->json), "", diff);
}

static size_t match_rows(struct outcome *outcome, enum outcome_table table, struct slice window, struct slice wanted)
{
    struct json_walk walk;
    size_t missing = 0;
    json_walk_begin(&walk, wanted);
    while (json_walk_next(&walk)) {
        bool found = false;
        for (size_t i = 0; i < outcome->count && !found; i++) {
            struct outcome_row *row = &outcome->rows[i];
            found = is_of(row, table, window) && !row->matched && has_all(walk.value, buf_slice(&row->json));
            row->matched |= found;
        }
        missing += !found;
    }
    return missing;
}

/* Those that found none, again: only now it is known what is left over. */
static void tell_rows(struct outcome *outcome, enum outcome_table table, struct slice window, struct slice wanted,
                      struct buf *diff)
{
    struct json_walk walk;
    size_t told = 0;
    for (size_t i = 0; i < outcome->count; i++)
        outcome->rows[i].matched = false;
    (void)match_rows(outcome, table, window, wanted);
    json_walk_begin(&walk, wanted);
    while (json_walk_next(&walk)) {
        bool found = false;
        for (size_t i = 0; i < outcome->count && !found; i++)
            found = is_of(&outcome->rows[i], table, window) && outcome->rows[i].matched &&
                    has_all(walk.value, buf_slice(&outcome->rows[i].json));
        if (!found && told++ < DIFFERENCES_MAX)
            tell_missing(outcome, table, window, walk.value, diff);
    }
    for (size_t i = 0; i < outcome->count; i++)
        if (is_of(&outcome->rows[i], table, window) && !outcome->rows[i].matched && told++ < DIFFERENCES_MAX)
            buf_add_format(diff, "    + nobody expected %.*s\n", SLICE_ARG(buf_slice(&outcome->rows[i].json)));
    if (told > DIFFERENCES_MAX)
        buf_add_format(diff, "    … and %zu more\n", told - DIFFERENCES_MAX);
}

bool outcome_is(struct outcome *outcome, enum outcome_table table, struct slice window, struct slice wanted,
                struct buf *diff)
{
    size_t rows = 0, wanted_rows = 0;
    double number;
    struct json_walk walk;
    for (size_t i = 0; i < outcome->count; i++) {
        outcome->rows[i].matched = false;
        rows += is_of(&outcome->rows[i], table, window);
    }
    const bool counts = as_number(wanted, &number);
    json_walk_begin(&walk, wanted);
    while (!counts && json_walk_next(&walk))
        wanted_rows++;
    if (counts ? number == (double)rows : match_rows(outcome, table, window, wanted) == 0 && wanted_rows == rows)
        return true;
    buf_add_format(diff, "  %s%s%.*s: ", OUTCOME_NAMES[table], window.n ? " " : "", SLICE_ARG(window));
    if (counts)
        buf_add_format(diff, "expected %.*s rows, there are %zu\n", SLICE_ARG(wanted), rows);
    else
        buf_add_format(diff, "expected %zu rows, there are %zu\n", wanted_rows, rows);
    tell_rows(outcome, table, window, counts ? SLICE("[]") : wanted, diff);
    return false;
}
