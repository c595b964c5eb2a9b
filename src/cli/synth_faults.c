/* A fault is a change of the text, as it happens to real clients: a name misspelt, a time that is none, a line cut off.
 * A third of the faults is a repeat, which is no fault of the event and counts once. */
#include "cli/synth_faults.h"

#include <string.h>

#include "cli/synth_parts.h"

static const struct {
    const char *from; /* the first place of it … */
    const char *to;   /* … becomes this; the rest of a value goes, up to the next quote */
    bool value;
} FAULTS[] = {
    { "\"visitor_id\":", "\"visitor_di\":", false },
    { "\"event_type\":", "\"kind\":", false },
    { "\"timestamp\":\"", "\"timestamp\":\"yesterday", true },
    { "\"timestamp\":\"20", "\"timestamp\":\"21", false },
    { "\"properties\":{", "\"properties\":\"[object Object]\",\"lost\":{", false },
};

static uint64_t next(struct synth_faults *faults)
{
    return synth_mix(faults->state++);
}

static void add_broken(struct buf *out, struct slice line, const char *from, const char *to, bool value)
{
    const char *at = memmem(line.p, line.n, from, strlen(from));
    if (!at) {
        buf_add_slice(out, line);
        return;
    }
    const char *rest = at + strlen(from), *end = line.p + line.n;
    if (value)
        while (rest < end && *rest != '"')
            rest++;
    buf_add_slice(out, slice_of(line.p, (size_t)(at - line.p)));
    buf_add_text(out, to);
    buf_add_slice(out, slice_of(rest, (size_t)(end - rest)));
}

void synth_faults_add(struct synth_faults *faults, struct buf *out, struct slice line)
{
    if (faults->share <= 0 || (double)(next(faults) >> 11) * 0x1p-53 >= faults->share) {
        buf_add_slice(out, line);
        return;
    }
    uint64_t kind = next(faults) % (COUNT_OF(FAULTS) + 4);
    if (kind < COUNT_OF(FAULTS)) {
        add_broken(out, line, FAULTS[kind].from, FAULTS[kind].to, FAULTS[kind].value);
    } else if (kind == COUNT_OF(FAULTS)) {
        buf_add_slice(out, slice_of(line.p, line.n * 2 / 3));
        buf_add_char(out, '\n');
    } else {
        buf_add_slice(out, line);
        buf_add_slice(out, line);
    }
}
