#include "base/queue.h"

#include <pthread.h>
#include <stdlib.h>

struct queue {
    pthread_mutex_t mutex;
    struct waker waker;
    const char *name;
    size_t first, count, items_max;
    uint64_t full_count;
    bool closed;
    void *items[];
};

struct queue *queue_new(const char *name, size_t items_max, struct waker waker)
{
    assert(items_max > 0);
    struct queue *queue = calloc(1, sizeof *queue + items_max * sizeof(void *));
    if (!queue)
        abort();
    pthread_mutex_init(&queue->mutex, NULL);
    queue->name = name;
    queue->items_max = items_max;
    queue->waker = waker;
    return queue;
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    assert(queue->count == 0);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

enum status queue_push(struct queue *queue, void *item)
{
    enum status s = OK;
    assert(item);
    pthread_mutex_lock(&queue->mutex);
    if (queue->closed) {
        s = ERR_CLOSED;
    } else if (queue->count == queue->items_max) {
        queue->full_count++;
        s = ERR_FULL;
    } else {
        queue->items[(queue->first + queue->count++) % queue->items_max] = item;
    }
    pthread_mutex_unlock(&queue->mutex);
    if (s == OK)
        waker_wake(queue->waker);
    return s;
}

size_t queue_pop_many(struct queue *queue, void **out_items, size_t items_max)
{
    pthread_mutex_lock(&queue->mutex);
    size_t n = queue->count < items_max ? queue->count : items_max;
    for (size_t i = 0; i < n; i++) {
        out_items[i] = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->items_max;
    }
    queue->count -= n;
    pthread_mutex_unlock(&queue->mutex);
    return n;
}

void *queue_pop(struct queue *queue)
{
    void *item;
    return queue_pop_many(queue, &item, 1) ? item : NULL;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_mutex_unlock(&queue->mutex);
    waker_wake(queue->waker);
}

bool queue_is_finished(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    bool finished = queue->closed && queue->count == 0;
    pthread_mutex_unlock(&queue->mutex);
    return finished;
}

size_t queue_depth(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    size_t n = queue->count;
    pthread_mutex_unlock(&queue->mutex);
    return n;
}

uint64_t queue_full_count(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    uint64_t n = queue->full_count;
    pthread_mutex_unlock(&queue->mutex);
    return n;
}
