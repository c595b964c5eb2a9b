#include "app/task_watch.h"

#include "base/role.h"
#include "serve/task_board.h"

#define LATER_NICE 5 /* whoever looks can wait; a client's request goes first */

enum status task_watch_open(struct task_watch *watch, struct journal *journal, struct metrics *metrics,
                            struct world *world, struct error *err)
{
    watch->board = task_board_new(journal, metrics, world);
    struct role role = task_board_role(watch->board);
    role.nice = LATER_NICE;
    return role_start(&role, world, &watch->thread, err);
}

void task_watch_stop(struct task_watch *watch)
{
    role_stop(watch->thread);
    watch->thread = NULL;
}

void task_watch_close(struct task_watch *watch)
{
    task_board_free(watch->board);
    watch->board = NULL;
}
