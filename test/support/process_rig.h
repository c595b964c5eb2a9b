/* A processing task of partition 0 over a real journal backend and a simulated world, stepped by hand: for the tests of
 * src/process. Everything repeats from the seed. */
#pragma once
#include "base/metrics.h"
#include "journal/journal.h"
#include "process/live.h"
#include "process/process_task.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define RIG_IDS_MAX 400000
#define RIG_BAD_MAX 4096

struct rig {
    uint64_t seed;
    struct world_sim time;
    struct disk_sim *disk;
    const struct journal_backend *backend;
    struct journal_options journal_options;
    struct process_options options;
    struct journal *journal; /* NULL while down */
    struct role journal_roles[2];
    size_t journal_role_count;
    struct process_task *task;
    struct metrics *metrics;
    struct queue *live;
    unsigned bad_every; /* rig_send puts an event "b<i>" without visitor behind so many; 0: none */
    unsigned bad_next;
    bool bad_accepted[RIG_BAD_MAX];
    uint64_t accepted_live, duplicates_live, dead_live; /* sums of what came to the live queue */
};

/* Not yet up. Settings may be changed before rig_up. */
void rig_init(struct rig *rig, uint64_t seed, const struct journal_backend *backend);
/* Opens the journal and makes the task. */
enum status rig_up(struct rig *rig, struct error *err);
/* One step of each role, in a seeded order; true when any did something. */
bool rig_step(struct rig *rig);
/* Until nothing moves, letting time pass to the next wake-up within `for_ms`. */
void rig_run(struct rig *rig, int64_t for_ms);
/* Orderly: the task stops with a checkpoint, the journal is closed. */
void rig_down(struct rig *rig);
/* What is left of roles whose disk is gone: everything is closed and freed, nothing is finished. */
void rig_crash(struct rig *rig);
void rig_done(struct rig *rig);

/* A test with a rig that is up over the memory journal. */
int rig_test_begin(void **rig);
int rig_test_end(void **rig);
#define RIG_TEST(test, rig) cmocka_unit_test_prestate_setup_teardown(test, rig_test_begin, rig_test_end, rig)

/* Events "e<first>" … of tenant `tenant`, in one commit of accepted events. OK: durable. Steps the journal alone. */
enum status rig_send(struct rig *rig, const char *tenant, unsigned first, unsigned count);
/* Any records in TOPIC_EVENTS. framed: in the journal's format. */
enum status rig_send_records(struct rig *rig, struct slice framed, uint32_t records);
/* Another reader's mark: the journal may delete what lies before its end now, unless the task needs it. */
enum status rig_mark_all_read(struct rig *rig);
/* The number in the id of each enriched record or dead letter that the journal still has, by its offset; returns the
 * offset behind the last. */
uint64_t rig_numbers(struct rig *rig, enum journal_topic topic, uint32_t *numbers, uint64_t max);
/* How often "e<i>" of any tenant is in the topic, for i < max. Returns the number of records. */
uint64_t rig_count(struct rig *rig, enum journal_topic topic, uint8_t *times, unsigned max);
double rig_metric(struct rig *rig, const char *line_start); /* value of the first line that begins so, or -1 */
