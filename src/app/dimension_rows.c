#include "app/dimension_rows.h"

#include <sysexits.h>
#include <unistd.h>

#include "app/asked.h"
#include "app/dimensions.h"
#include "base/log.h"
#include "base/role.h"
#include "world/world.h"

#define WAIT_US 60000000
#define TELL_US 5000000
#define LATER_NICE 5

static enum status wait_for_rows(struct dimension_rows *rows, struct world *world, int *exit_code, struct error *err)
{
    const int64_t began_us = world_mono_us(world);
    int64_t tell_us = began_us + TELL_US;
    while (!dimensions_are_current(rows->dimensions)) {
        const int64_t now_us = world_mono_us(world);
        if (asked_is_to_stop()) {
            *exit_code = EX_OK;
            return error_set(err, ERR_CLOSED, "ended while it read the rows of dimension tables");
        }
        if (now_us - began_us > WAIT_US) {
            log_warn("dimension.not_read", "after %d s lookups go on with the rows of the last start, or none",
                     WAIT_US / 1000000);
            return OK;
        }
        if (now_us >= tell_us) {
            log_info("dimension.waiting", "for the journal to give the rows of dimension tables");
            tell_us = now_us + TELL_US;
        }
        usleep(10000);
    }
    return OK;
}

enum status dimension_rows_open(struct dimension_rows *rows, const struct dimension_rows_options *options,
                                struct journal *journal, struct metrics *metrics, struct world *world,
                                int *out_exit_code, struct error *err)
{
    const struct dimensions_options read = { .journal = journal, .data_path = options->data_path };
    rows->dimensions = dimensions_new(&read, options->domains, metrics, world);
    struct role role = dimensions_role(rows->dimensions);
    role.nice = LATER_NICE;
    *out_exit_code = EX_OSERR;
    enum status s = role_start(&role, world, &rows->thread, err);
    if (s == OK)
        s = wait_for_rows(rows, world, out_exit_code, err);
    if (s == OK)
        dimensions_take(rows->dimensions);
    return s;
}

void dimension_rows_use(struct dimension_rows *rows, const struct domain_set *domains)
{
    if (rows->dimensions)
        dimensions_use(rows->dimensions, domains);
}

bool dimension_rows_are_waiting(const struct dimension_rows *rows)
{
    return rows->dimensions && dimensions_are_waiting(rows->dimensions);
}

void dimension_rows_take(struct dimension_rows *rows)
{
    if (rows->dimensions)
        dimensions_take(rows->dimensions);
}

void dimension_rows_stop(struct dimension_rows *rows)
{
    if (rows->dimensions)
        dimensions_stop(rows->dimensions);
    role_stop(rows->thread);
    rows->thread = NULL;
}

void dimension_rows_close(struct dimension_rows *rows)
{
    dimensions_free(rows->dimensions);
    rows->dimensions = NULL;
}
