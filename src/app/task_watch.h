/* What a process that answers knows of the tasks of all processes: the board (serve/task_board.h) and its thread. Of
 * the main thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"

struct journal;
struct metrics;
struct role_thread;
struct task_board;
struct world;

struct task_watch {
    struct task_board *board; /* NULL: not opened */
    struct role_thread *thread;
};

MUST_CHECK enum status task_watch_open(struct task_watch *watch, struct journal *journal, struct metrics *metrics,
                                       struct world *world, struct error *err);
void task_watch_stop(struct task_watch *watch);  /* after the API's stop */
void task_watch_close(struct task_watch *watch); /* before the journal's close */
