/* Any bytes as the status of a task, which another process has written and a broker has kept. What is taken is within
 * the bytes, its labels are safe to be copied into JSON, and it is taken again as it was when it is written anew. */
#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "process/task_status.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

/* As serve/stream_tasks.c does it: every quoted text within is a JSON string. */
static void look_at_labels(struct slice labels)
{
    while (labels.n) {
        const char *equals = memchr(labels.p, '=', labels.n);
        expect(equals != NULL);
        struct slice rest = slice_after(labels, (size_t)(equals + 1 - labels.p)), value;
        expect(json_scan_value(&rest, &value) && value.n >= 2 && value.p[0] == '"');
        expect(rest.n == 0 || rest.p[0] == ',');
        labels = rest.n ? slice_after(rest, 1) : rest;
    }
}

static size_t look_at_series(const struct task_status *status)
{
    struct slice rest = status->series;
    struct task_series_item item;
    size_t count = 0;
    for (; task_series_next(&rest, &item); count++)
        look_at_labels(item.labels);
    expect(rest.n == 0);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct task_status status, again;
    struct error err;
    if (task_status_decode(slice_of(data, size), &status, &err) != OK)
        return 0;
    expect(look_at_series(&status) == status.series_count);
    struct buf anew;
    buf_init(&anew, TASK_STATUS_BYTES_MAX);
    task_status_encode(&status, &anew);
    expect(!anew.full && task_status_decode(buf_slice(&anew), &again, &err) == OK);
    expect(again.partition == status.partition && again.state == status.state &&
           again.generation == status.generation && again.at_ms == status.at_ms);
    expect(size > TASK_STATUS_BYTES_MAX || again.series_count <= status.series_count);
    buf_done(&anew);
    return 0;
}
