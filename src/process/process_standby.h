/* Standby copies: the state of partitions that other processes work on, brought up to date in this process's directory
 * from time to time, so that a takeover reads only what came since. A copy is what its owner's own directory would be:
 * it stands at the owner's newest checkpoint (decision 0028).
 *
 * A role of its own that gives way to all others. One partition is open at a time: memory is that of one task, and each
 * copy has the disk bounds of a task. Trouble is counted, logged and tried again; it never fails anybody. A directory
 * has one owner at a time: before a task of the partition is made, unfollow and wait for is_free. */
#pragma once
#include "base/role.h"
#include "process/process_task.h"

struct process_standby;

/* options: as for the tasks; looks at a partition once each checkpoint_interval_ms. Follows none yet. Aborts when out
 * of memory. */
struct process_standby *process_standby_new(const struct process_options *options, struct journal *journal,
                                            struct metrics *metrics);
struct role process_standby_role(struct process_standby *standby);
/* Whether the partition has a copy kept here from now on. Any thread. */
void process_standby_follow(struct process_standby *standby, uint16_t partition, bool follow);
/* Nothing of the partition is open; it stays so as long as it is not followed. Any thread. */
bool process_standby_is_free(const struct process_standby *standby, uint16_t partition);
/* Lets go of all, at the next step, which may be seconds away while brokers do not answer. Any thread. */
void process_standby_stop(struct process_standby *standby);
bool process_standby_is_stopped(const struct process_standby *standby);
void process_standby_free(struct process_standby *standby); /* after its thread; NULL is fine */
