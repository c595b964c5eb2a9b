/* How the tasks of all processes are, as these say (process/task_report.h): of each partition the newest word of who
 * has it. What a process says that another one has followed (a zombie, woken after a long pause) is passed over, and
 * who is silent for TASK_STATUS_SILENT_US has the partition no more, as far as anybody knows.
 *
 * Owner: its role, which reads the journal. The API's loop alone takes views; they are its own until the next one.
 * Bounds: a record of TASK_STATUS_BYTES_MAX a partition, three times. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/role.h"
#include "journal/journal.h"
#include "process/task_status.h"

struct metrics;
struct task_board;
struct world;

struct task_entry {
    bool is_known;    /* somebody said something once */
    int64_t heard_us; /* monotonic */
    struct task_status status;
};

struct task_view {
    uint16_t count; /* partitions of the journal */
    struct task_entry entries[];
};

/* Aborts when out of memory (start-up only). All that is passed outlives it. */
struct task_board *task_board_new(struct journal *journal, struct metrics *metrics, struct world *world);
struct role task_board_role(struct task_board *board);
/* The newest; NULL: what the journal has is not read yet. */
const struct task_view *task_board_view(struct task_board *board);
void task_board_free(struct task_board *board); /* before the journal's close; NULL is fine */

/* Somebody works on the partition. */
static inline bool task_entry_is_owned(const struct task_entry *entry, int64_t now_us)
{
    return entry->is_known && entry->status.state != TASK_LEFT && now_us - entry->heard_us <= TASK_STATUS_SILENT_US;
}
