/* The processing tasks of one to three partitions over one file journal on the simulated disk, with domains, stepped by
 * hand: for the tests of windows and sessions. Unlike process_rig.h, events may be anything, and what came out is read
 * back by topic. Everything repeats from the seed. One thread. */
#pragma once
#include "base/metrics.h"
#include "config/domain.h"
#include "event/event.h"
#include "journal/journal.h"
#include "process/process_task.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define STREAM_PARTITIONS_MAX 3

struct stream_rig {
    uint64_t seed;
    struct world_sim time;
    struct disk_sim *disk;
    struct journal_options journal_options;
    struct process_options options;
    struct domain_set *domains; /* NULL: none */
    struct journal *journal;    /* NULL while down */
    struct role journal_roles[2];
    size_t journal_role_count;
    struct process_task *tasks[STREAM_PARTITIONS_MAX];
    struct metrics *metrics; /* of this life; NULL before the first */
};

/* Not yet up. Settings may be changed before stream_rig_up. */
void stream_rig_init(struct stream_rig *rig, uint64_t seed, uint16_t partitions);
/* Puts the text on the disk as a domain file and loads all files there are; only while down. */
void stream_rig_domain(struct stream_rig *rig, const char *name, const char *yaml);
enum status stream_rig_up(struct stream_rig *rig, struct error *err);
/* One step of each role, in a seeded order; true when any did something. */
bool stream_rig_step(struct stream_rig *rig);
/* Lets time pass, with everything that falls due in it. */
void stream_rig_run(struct stream_rig *rig, int64_t for_ms);
/* Until the tasks have taken in everything, but at most for_ms. False: they have not. */
bool stream_rig_settle(struct stream_rig *rig, int64_t for_ms);
/* Orderly: the tasks stop with a checkpoint, the journal is closed. */
void stream_rig_down(struct stream_rig *rig);
/* What is left of roles whose disk is gone: everything is closed and freed, nothing is finished. */
void stream_rig_crash(struct stream_rig *rig);
void stream_rig_done(struct stream_rig *rig);
/* The text of the first task that failed, or NULL. */
const char *stream_rig_failure(const struct stream_rig *rig);

/* The events in one commit of accepted events, each in its visitor's partition. OK: durable. Steps the journal alone.
 */
enum status stream_rig_send(struct stream_rig *rig, const struct event *events, size_t count);
uint16_t stream_rig_partition(const struct stream_rig *rig, const struct event *event);

/* Every durable record of the topics (TOPIC_BIT()s) behind the position, in the journal's order. Returns the position
 * from which to read on. */
typedef void stream_rig_visit(void *self, uint16_t topic, uint16_t partition, struct slice record);
uint64_t stream_rig_read(struct stream_rig *rig, uint32_t topics, uint64_t position, stream_rig_visit *visit,
                         void *self);
/* What a sink does when it has stored everything before the position: the journal may forget it. */
enum status stream_rig_mark(struct stream_rig *rig, uint64_t position);
/* The sum of all metrics whose line begins so. */
double stream_rig_metric(struct stream_rig *rig, const char *line_start);
