/* Line by line: NAME, perhaps {LABELS}, a blank, a value. Labels are looked into for le="…" only; a quoted value may
 * hold any character, so the closing brace is searched outside of quotes. */
#include "cli/metrics_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct line {
    struct slice name, labels;
    double value;
};

/* The number at the start of s, which is not terminated. */
static bool read_number(struct slice s, double *out)
{
    char text[40], *end;
    size_t n = 0;
    while (n < s.n && n + 1 < sizeof text && s.p[n] != ' ' && s.p[n] != '"')
        n++;
    memcpy(text, s.p, n);
    text[n] = '\0';
    *out = strtod(text, &end);
    return n > 0 && *end == '\0';
}

static size_t labels_length(struct slice s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.p[i] == '}')
            return i + 1;
    }
    return 0;
}

/* The next line with a value; comments and what cannot be read are passed over. */
static bool next_line(struct slice *rest, struct line *out)
{
    while (rest->n) {
        const char *end = memchr(rest->p, '\n', rest->n);
        struct slice line = slice_of(rest->p, end ? (size_t)(end - rest->p) : rest->n);
        *rest = slice_after(*rest, line.n + (end ? 1 : 0));
        if (line.n == 0 || *line.p == '#')
            continue;
        size_t n = 0;
        while (n < line.n && line.p[n] != '{' && line.p[n] != ' ')
            n++;
        out->name = slice_of(line.p, n);
        line = slice_after(line, n);
        size_t labels = line.n && *line.p == '{' ? labels_length(line) : 0;
        out->labels = slice_of(line.p, labels);
        line = slice_trim(slice_after(line, labels));
        if (read_number(line, &out->value))
            return true;
    }
    return false;
}

bool metrics_text_value(struct slice text, const char *name, bool largest, double *out)
{
    struct slice wanted = slice_from(name);
    struct line line;
    bool found = false;
    double value = 0;
    while (next_line(&text, &line)) {
        if (!slice_equal(line.name, wanted))
            continue;
        value = !found ? line.value : largest ? fmax(value, line.value) : value + line.value;
        found = true;
    }
    if (found)
        *out = value;
    return found;
}

static bool bound_of(struct slice labels, double *out)
{
    const char *at = memmem(labels.p, labels.n, "le=\"", 4);
    if (!at)
        return false;
    struct slice value = slice_of(at + 4, labels.n - (size_t)(at + 4 - labels.p));
    return read_number(value, out);
}

bool metrics_text_buckets(struct slice text, const char *name, struct metrics_buckets *out)
{
    char wanted[128];
    struct line line;
    double bound;
    snprintf(wanted, sizeof wanted, "%s_bucket", name);
    *out = (struct metrics_buckets){ 0 };
    while (next_line(&text, &line)) {
        if (!slice_equal(line.name, slice_from(wanted)) || !bound_of(line.labels, &bound))
            continue;
        size_t i = 0;
        while (i < out->count && out->bounds[i] < bound)
            i++;
        if (i == out->count || out->bounds[i] != bound) {
            if (out->count == METRICS_BUCKETS_MAX)
                continue;
            memmove(&out->bounds[i + 1], &out->bounds[i], (out->count - i) * sizeof out->bounds[0]);
            memmove(&out->counts[i + 1], &out->counts[i], (out->count - i) * sizeof out->counts[0]);
            out->bounds[i] = bound;
            out->counts[i] = 0;
            out->count++;
        }
        out->counts[i] += line.value;
    }
    return out->count > 0;
}

bool metrics_buckets_quantile(const struct metrics_buckets *before, const struct metrics_buckets *now, double q,
                              double *out)
{
    bool same = before && before->count == now->count;
    if (now->count == 0)
        return false;
    double base = same ? before->counts[now->count - 1] : 0;
    double total = now->counts[now->count - 1] - base, below = 0, from = 0;
    if (total <= 0)
        return false;
    for (size_t i = 0; i < now->count; i++) {
        double upto = now->counts[i] - (same ? before->counts[i] : 0);
        if (upto >= q * total && upto > below) {
            *out = isinf(now->bounds[i]) ? from : from + (now->bounds[i] - from) * (q * total - below) / (upto - below);
            return true;
        }
        below = upto;
        from = now->bounds[i];
    }
    return false;
}
