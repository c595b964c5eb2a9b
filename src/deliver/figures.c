#include "deliver/figures.h"

#include <stdio.h>

void figures_init(struct figures *out, const char *sink, uint32_t orders, uint32_t order, struct metrics *metrics)
{
    char labels[96];
    int n = snprintf(labels, sizeof labels, "sink=\"%s\"", sink);
    if (orders > 1)
        snprintf(labels + n, sizeof labels - (size_t)n, ",partition=\"%u\"", order);
    atomic_init(&out->waiting_since_us, INT64_MAX);
    atomic_init(&out->asked_us, INT64_MAX);
    atomic_init(&out->answers, false);
    out->records = metrics_counter(metrics, "sink_records_total", "Results delivered.", labels);
    out->writes = metrics_counter(metrics, "sink_writes_total", "Writes to the sink's target that succeeded.", labels);
    out->failures = metrics_counter(metrics, "sink_failures_total", "Steps that failed, to be repeated.", labels);
    out->refused =
        metrics_counter(metrics, "sink_refused_total", "Results left out: too large, or unreadable.", labels);
    out->skipped =
        metrics_counter(metrics, "sink_skipped_total",
                        "Results passed over, since the target was away for longer than the journal waits.", labels);
    out->up = metrics_gauge(metrics, "sink_up",
                            "1: the target took the last write, or answers; 0: it is waited for, for five seconds or "
                            "since a failure.",
                            labels);
    out->lag_s = metrics_gauge(metrics, "sink_lag_seconds", "Age of the oldest result that is not delivered.", labels);
    out->write_s = metrics_histogram(metrics, "sink_write_seconds", "One write to the target, success or not.", labels);
}

void figures_show(struct figures *figures, int64_t wall_us, int64_t mono_us)
{
    const int64_t since_us = atomic_load(&figures->waiting_since_us), asked_us = atomic_load(&figures->asked_us);
    const bool slow = asked_us < mono_us && mono_us - asked_us > FIGURES_SLOW_US;
    gauge_set(figures->lag_s, since_us < wall_us ? (double)(wall_us - since_us) / 1e6 : 0);
    gauge_set(figures->up, atomic_load(&figures->answers) && !slow);
}
