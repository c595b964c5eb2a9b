/* Which windows a time belongs to. Windows begin at multiples of their slide from the Unix epoch, so that midnight and
 * full hours (UTC) are borders; [start, end). A sliding window is made of slices ("panes") as long as its slide: an
 * event is counted in one slice, and a result adds up size / slide of them. A tumbling window is one slice.
 *
 * Pure functions, any thread. Times are Unix milliseconds of any sign; results stop at the ends of int64. */
#pragma once
#include "base/compiler.h"

/* The largest multiple of step_ms (> 0) that is <= time_ms. */
static inline int64_t window_slice_start(int64_t time_ms, int64_t step_ms)
{
    assert(step_ms > 0);
    int64_t behind_ms = time_ms % step_ms;
    if (behind_ms < 0)
        behind_ms += step_ms;
    return time_ms < INT64_MIN + behind_ms ? INT64_MIN : time_ms - behind_ms;
}

/* time_ms + more_ms (>= 0), at most INT64_MAX. */
static inline int64_t window_time_add(int64_t time_ms, int64_t more_ms)
{
    assert(more_ms >= 0);
    return time_ms > INT64_MAX - more_ms ? INT64_MAX : time_ms + more_ms;
}

/* The end of the first and of the last window that the slice from start_ms is part of. */
static inline int64_t window_first_end(int64_t start_ms, int64_t slide_ms)
{
    return window_time_add(start_ms, slide_ms);
}
static inline int64_t window_last_end(int64_t start_ms, int64_t size_ms)
{
    return window_time_add(start_ms, size_ms);
}
