/* The topic is read from its beginning, which compaction keeps short, so that a start knows, too, who had a partition
 * that nobody has. Until its end is reached, when a record came says nothing about its age: then its own time counts.
 *
 * A view is a copy of all records, left in one place: who takes it owns it, and one that nobody took is replaced. So
 * neither thread ever waits for the other. */
#include "serve/task_board.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/retry.h"
#include "world/world.h"

#define READ_BYTES (1u << 20)
#define VIEW_EVERY_US 100000
#define LOOK_EVERY_US 1000000
#define LOG_INTERVAL_US 60000000

struct kept {
    bool is_known;
    int64_t heard_us;
    size_t n;
    char *bytes;               /* TASK_STATUS_BYTES_MAX, or NULL */
    struct task_status status; /* views into them */
};

struct task_board {
    struct journal *journal;
    struct world *world;
    struct bell *bell;
    struct journal_reader *reader;
    struct retry retry;
    struct log_limit refused_log;
    int64_t not_before_us, view_at_us, look_at_us;
    bool current; /* the end was reached */
    bool changed; /* since the last view */
    struct counter *read, *refused, *outdated;
    struct gauge *unowned;
    struct task_view *_Atomic shown; /* the next one; NULL: it was taken */
    struct task_view *taken;         /* the API's */
    uint16_t count;
    struct kept kept[];
};

struct task_board *task_board_new(struct journal *journal, struct metrics *metrics, struct world *world)
{
    static const char REFUSED[] = "task_reports_refused_total", HELP[] = "Records of tasks that were passed over";
    struct task_board *board = calloc(1, sizeof *board + journal->partitions * sizeof board->kept[0]);
    if (!board)
        abort();
    board->journal = journal;
    board->world = world;
    board->count = journal->partitions;
    board->changed = true; /* that nobody has said anything is news, too */
    board->bell = bell_new();
    board->retry = (struct retry){ .first_ms = 100, .most_ms = 5000 };
    board->read = metrics_counter(metrics, "task_reports_read_total", "Records of tasks that were taken", "");
    board->refused = metrics_counter(metrics, REFUSED, HELP, "reason=\"malformed\"");
    board->outdated = metrics_counter(metrics, REFUSED, HELP, "reason=\"outdated\"");
    board->unowned = metrics_gauge(metrics, "process_partitions_unowned", "Partitions that no process works on", "");
    return board;
}

void task_board_free(struct task_board *board)
{
    if (!board)
        return;
    if (board->reader)
        board->journal->backend->reader_close(board->reader);
    for (uint16_t i = 0; i < board->count; i++)
        free(board->kept[i].bytes);
    free(atomic_load(&board->shown));
    free(board->taken);
    bell_free(board->bell);
    free(board);
}

/* Another process has the partition since, and lives. */
static bool is_outdated(const struct kept *kept, const struct task_status *status, int64_t now_us)
{
    const struct task_status *known = &kept->status;
    if (!kept->is_known || slice_equal(known->instance, status->instance) ||
        now_us - kept->heard_us > TASK_STATUS_SILENT_US)
        return false;
    return status->generation < known->generation ||
           (status->generation == known->generation && status->since_ms < known->since_ms);
}

static int64_t heard_us(const struct task_board *board, const struct task_status *status, int64_t now_us)
{
    const int64_t age_ms = world_wall_ms(board->world) - status->at_ms;
    return board->current || age_ms < 0 ? now_us : now_us - age_ms * 1000;
}

static void keep(struct kept *kept, struct slice record, int64_t at_us)
{
    struct error err;
    if (!kept->bytes && !(kept->bytes = malloc(TASK_STATUS_BYTES_MAX)))
        return;
    memcpy(kept->bytes, record.p, record.n);
    kept->n = record.n;
    kept->heard_us = at_us;
    kept->is_known = task_status_decode(slice_of(kept->bytes, kept->n), &kept->status, &err) == OK;
    assert(kept->is_known); /* it was, a moment ago */
}

static void refuse(struct task_board *board, const char *why)
{
    uint64_t skipped;
    counter_add(board->refused, 1);
    if (log_limit_pass(&board->refused_log, world_mono_us(board->world), LOG_INTERVAL_US, &skipped))
        log_warn("tasks.record_refused", "skipped=%llu error=\"%s\"", (unsigned long long)skipped, why);
}

static void take(struct task_board *board, struct slice record)
{
    struct task_status status;
    struct error err = { 0 };
    const int64_t now_us = world_mono_us(board->world);
    if (record.n > TASK_STATUS_BYTES_MAX || task_status_decode(record, &status, &err) != OK ||
        status.partition >= board->count) {
        refuse(board, err.text[0] ? err.text : "it is too long, or of no partition");
        return;
    }
    struct kept *kept = &board->kept[status.partition];
    if (is_outdated(kept, &status, now_us)) {
        counter_add(board->outdated, 1);
        return;
    }
    keep(kept, record, heard_us(board, &status, now_us));
    counter_add(board->read, 1);
    board->changed = true;
}

static enum status read_some(struct task_board *board, bool *out_more, struct error *err)
{
    const struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_TASKS),
                                                  .partition = JOURNAL_ALL_PARTITIONS,
                                                  .position = JOURNAL_BEGIN,
                                                  .waker = bell_waker(board->bell) };
    struct journal_batch batch = { 0 };
    enum status s = OK;
    if (!board->reader)
        s = board->journal->backend->reader_open(board->journal, &options, &board->reader, err);
    if (s == OK)
        s = journal_read(board->reader, READ_BYTES, &batch, err);
    for (size_t i = 0; s == OK && i < batch.chunk_count; i++) {
        struct slice rest = batch.chunks[i].bytes, record;
        while (journal_next_record(&rest, &record))
            take(board, record);
    }
    *out_more = s == OK && batch.chunk_count > 0;
    board->current |= s == OK && batch.chunk_count == 0;
    return s;
}

static struct task_view *make_view(const struct task_board *board)
{
    size_t bytes = 0;
    struct error err;
    for (uint16_t i = 0; i < board->count; i++)
        bytes += board->kept[i].is_known ? board->kept[i].n : 0;
    struct task_view *view = calloc(1, sizeof *view + board->count * sizeof view->entries[0] + bytes);
    if (!view)
        return NULL;
    char *at = (char *)&view->entries[board->count];
    view->count = board->count;
    for (uint16_t i = 0; i < board->count; i++) {
        const struct kept *kept = &board->kept[i];
        if (!kept->is_known)
            continue;
        memcpy(at, kept->bytes, kept->n);
        view->entries[i].heard_us = kept->heard_us;
        view->entries[i].is_known = task_status_decode(slice_of(at, kept->n), &view->entries[i].status, &err) == OK;
        at += kept->n;
    }
    return view;
}

/* Not before the end was reached: what stands before it may be old. */
static void show(struct task_board *board, int64_t now_us, int64_t *wake_us)
{
    if (!board->current || !board->changed)
        return;
    if (now_us < board->view_at_us) {
        *wake_us = board->view_at_us < *wake_us ? board->view_at_us : *wake_us;
        return;
    }
    struct task_view *view = make_view(board);
    if (!view)
        return; /* the older one is shown until there is memory */
    board->changed = false;
    board->view_at_us = now_us + VIEW_EVERY_US;
    free(atomic_exchange(&board->shown, view));
}

static void look(struct task_board *board, int64_t now_us)
{
    unsigned unowned = 0;
    if (!board->current || now_us < board->look_at_us)
        return;
    board->look_at_us = now_us + LOOK_EVERY_US;
    for (uint16_t i = 0; i < board->count; i++) {
        const struct kept *kept = &board->kept[i];
        const struct task_entry entry = { kept->is_known, kept->heard_us, kept->status };
        unowned += !task_entry_is_owned(&entry, now_us);
    }
    gauge_set(board->unowned, unowned);
}

static void begin_again_later(struct task_board *board, const struct error *err)
{
    if (board->reader)
        board->journal->backend->reader_close(board->reader);
    board->reader = NULL;
    board->current = false;
    board->not_before_us = retry_next_us(&board->retry, board->world);
    log_warn("tasks.waits", "going on with what is known of the tasks so far: %s", err->text);
}

static bool board_step(void *self, struct world *world, int64_t *wake_us)
{
    struct task_board *board = self;
    struct error err = { 0 };
    const int64_t now_us = world_mono_us(world);
    bool more = false;
    if (now_us < board->not_before_us) {
        *wake_us = board->not_before_us;
        return false;
    }
    if (read_some(board, &more, &err) == OK)
        retry_reset(&board->retry);
    else
        begin_again_later(board, &err);
    look(board, now_us);
    *wake_us = board->reader ? now_us + LOOK_EVERY_US : board->not_before_us;
    show(board, now_us, wake_us);
    return more;
}

struct role task_board_role(struct task_board *board)
{
    return (struct role){ "tasks", board, board_step, board->bell, 0 };
}

const struct task_view *task_board_view(struct task_board *board)
{
    struct task_view *newer = atomic_exchange(&board->shown, NULL);
    if (newer) {
        free(board->taken);
        board->taken = newer;
    }
    return board->taken;
}
