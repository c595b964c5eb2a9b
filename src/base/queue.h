/* The only way that data passes between threads: a bounded queue of pointers, many producers, many consumers.
 * Its bound is stated at birth; it counts how often the bound was reached. Closing it lets consumers drain it first. */
#pragma once
#include "base/bell.h"
#include "base/compiler.h"
#include "base/status.h"

struct queue;

/* waker is woken after each push and at close. name must outlive the queue. Aborts when out of memory (start-up only).
 */
struct queue *queue_new(const char *name, size_t items_max, struct waker waker);
void queue_free(struct queue *queue); /* the items still in it are the caller's business: pop them first */

/* OK: the queue owns the item now. ERR_FULL or ERR_CLOSED: it is still yours. */
MUST_CHECK enum status queue_push(struct queue *queue, void *item);
/* The oldest item, or NULL when there is none now. */
void *queue_pop(struct queue *queue);
/* Up to items_max of the oldest items, in order; returns how many. */
size_t queue_pop_many(struct queue *queue, void **out_items, size_t items_max);
/* Nothing can be pushed any more. */
void queue_close(struct queue *queue);
/* Closed and empty: nothing will ever come out again. */
bool queue_is_finished(struct queue *queue);

size_t queue_depth(struct queue *queue);
uint64_t queue_full_count(struct queue *queue);
