/* The stream without servers: the processing tasks of one to three partitions over one file journal, on a simulated
 * disk in simulated time, stepped by hand. `weir test` runs people's cases in it, and the simulations of windows and
 * sessions run theirs. Everything repeats from the seed. One thread. */
#pragma once
#include "base/metrics.h"
#include "config/domain.h"
#include "event/event.h"
#include "journal/journal.h"
#include "process/process_task.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define MACHINE_PARTITIONS_MAX 3

struct machine {
    uint64_t seed;
    struct world_sim time;
    struct disk_sim *disk;
    struct journal_options journal_options;
    struct process_options options;
    struct journal *journal; /* NULL while down */
    struct role journal_roles[2];
    size_t journal_role_count;
    struct process_task *tasks[MACHINE_PARTITIONS_MAX];
    const char *standby_path; /* another machine's copies of all partitions; NULL: there is none */
    struct process_standby *standby;
    struct metrics *metrics; /* of this life; NULL before the first */
    struct machine_answer {
        bool here;
        enum status status;
    } answer;           /* the journal's, to the commit in hand */
    struct error error; /* what went wrong first, besides in a task; "" */
};

/* Not yet up. Settings may be changed before machine_up: the sizes of the journal and of commits, and options.domains,
 * which outlives the machine. Aborts when out of memory. */
void machine_init(struct machine *machine, uint64_t seed, uint16_t partitions);
MUST_CHECK enum status machine_up(struct machine *machine, struct error *err);
/* One step of each role, in a seeded order; true when any did something. */
bool machine_step(struct machine *machine);
/* Lets time pass, with everything that falls due in it. */
void machine_run(struct machine *machine, int64_t for_ms);
/* Until the tasks have taken in everything, but at most for_ms. False: they have not. */
bool machine_settle(struct machine *machine, int64_t for_ms);
/* Orderly: the tasks stop with a checkpoint, the journal is closed. */
void machine_down(struct machine *machine);
/* What is left of roles whose disk is gone: everything is closed and freed, nothing is finished. */
void machine_crash(struct machine *machine);
void machine_done(struct machine *machine);
/* What went wrong: of the machine itself, or of the first task that failed. NULL: nothing. */
const char *machine_failure(const struct machine *machine);

/* The events in one commit of accepted events, each in its visitor's partition. OK: durable. Steps the journal alone.
 */
enum status machine_send(struct machine *machine, const struct event *events, size_t count);
uint16_t machine_partition(const struct machine *machine, const struct event *event);

/* Every durable record of the topics (TOPIC_BIT()s) behind the position, in the journal's order. Returns the position
 * from which to read on. */
typedef void machine_visit(void *self, uint16_t topic, uint16_t partition, struct slice record);
uint64_t machine_read(struct machine *machine, uint32_t topics, uint64_t position, machine_visit *visit, void *self);
/* What a sink does when it has stored everything before the position: the journal may forget it. */
enum status machine_mark(struct machine *machine, uint64_t position);
