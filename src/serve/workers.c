/* Each worker has a queue of one place; the loop gives it a job only when it has none, so that the push cannot fail and
 * the loop knows at any time which job a worker has (which makes breaking one off safe: the client is marked only while
 * its own job is on it). Finished jobs come back through one queue whose waker is the loop's uv_async. */
#include "serve/workers.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/queue.h"
#include "store/store_http.h"

#define WORKERS_MAX 64

struct worker {
    struct workers *workers;
    struct bell *bell;
    struct queue *queue;
    struct store_http *http;
    pthread_t thread;
    bool started;
    struct job *job; /* the loop's view: what it was given and has not brought back */
};

struct workers {
    struct workers_options options;
    struct worker items[WORKERS_MAX];
    struct queue *finished;
    uv_async_t async;
    struct job *first, **last; /* the line */
    size_t waiting;
    bool stopping;
};

static void *worker_run(void *self)
{
    struct worker *worker = self;
    while (!queue_is_finished(worker->queue)) {
        struct job *job = queue_pop(worker->queue);
        if (!job) {
            bell_wait(worker->bell, -1);
            continue;
        }
        job->run(job, worker->http);
        enum status s = queue_push(worker->workers->finished, job);
        assert(s == OK); /* it has a place for every worker */
    }
    return NULL;
}

static size_t running_of(const struct workers *workers, const char *tenant_id)
{
    size_t count = 0;
    for (size_t i = 0; i < workers->options.threads; i++) {
        const struct job *job = workers->items[i].job;
        count += job && strcmp(job->tenant_id, tenant_id) == 0;
    }
    return count;
}

/* The first in the line whose tenant has not yet half of the workers; taken out of the line. */
static struct job *take_next(struct workers *workers)
{
    size_t share = (workers->options.threads + 1) / 2;
    for (struct job **at = &workers->first; *at; at = &(*at)->next) {
        struct job *job = *at;
        if (job->tenant_id[0] && running_of(workers, job->tenant_id) >= share)
            continue;
        *at = job->next;
        if (!job->next)
            workers->last = at;
        workers->waiting--;
        job->next = NULL;
        return job;
    }
    return NULL;
}

static void hand_out(struct workers *workers)
{
    for (size_t i = 0; i < workers->options.threads && !workers->stopping; i++) {
        struct worker *worker = &workers->items[i];
        struct job *job = worker->job ? NULL : take_next(workers);
        if (!job)
            continue;
        worker->job = job;
        job->worker = worker;
        if (worker->http)
            store_http_cancel(worker->http, false);
        enum status s = queue_push(worker->queue, job);
        assert(s == OK);
    }
}

static void bring_back(struct workers *workers)
{
    struct job *job;
    while ((job = queue_pop(workers->finished))) {
        job->worker->job = NULL;
        job->worker = NULL;
        job->done(job);
    }
}

static void on_finished(uv_async_t *async)
{
    struct workers *workers = async->data;
    bring_back(workers);
    hand_out(workers);
}

static void wake_loop(void *self)
{
    uv_async_send(self);
}

enum status workers_new(const struct workers_options *options, uv_loop_t *loop, struct workers **out, struct error *err)
{
    if (options->threads == 0 || options->threads > WORKERS_MAX)
        return error_set(err, ERR_INVALID, "questions at once: %u, use 1 to %d", options->threads, WORKERS_MAX);
    struct workers *workers = calloc(1, sizeof *workers);
    if (!workers)
        return error_set(err, ERR_FULL, "out of memory");
    workers->options = *options;
    workers->last = &workers->first;
    if (uv_async_init(loop, &workers->async, on_finished) != 0) {
        free(workers);
        return error_set(err, ERR_IO, "the event loop has no place for the workers");
    }
    workers->async.data = workers;
    workers->finished = queue_new("serve.finished", options->threads, (struct waker){ wake_loop, &workers->async });
    for (size_t i = 0; i < options->threads; i++) {
        struct worker *worker = &workers->items[i];
        worker->workers = workers;
        worker->bell = bell_new();
        worker->queue = queue_new("serve.worker", 1, bell_waker(worker->bell));
    }
    *out = workers;
    return OK;
}

enum status workers_start(struct workers *workers, struct error *err)
{
    for (size_t i = 0; i < workers->options.threads; i++) {
        struct worker *worker = &workers->items[i];
        struct store_http_options http = { workers->options.engine_url, "", "", 2000, workers->options.engine_tls_ca };
        enum status s = http.url ? store_http_open(&http, &worker->http, err) : OK;
        if (s != OK)
            return s;
        if (pthread_create(&worker->thread, NULL, worker_run, worker) != 0)
            return error_set(err, ERR_FULL,
                             "no thread for queries: raise the limit of processes or lower "
                             "api.queries_max");
        worker->started = true;
        pthread_setname_np(worker->thread, "query");
    }
    return OK;
}

size_t workers_busy(const struct workers *workers)
{
    size_t busy = workers->waiting;
    for (size_t i = 0; i < workers->options.threads; i++)
        busy += workers->items[i].job != NULL;
    return busy;
}

enum status workers_submit(struct workers *workers, struct job *job)
{
    size_t of_tenant = running_of(workers, job->tenant_id);
    for (const struct job *at = workers->first; at; at = at->next)
        of_tenant += strcmp(at->tenant_id, job->tenant_id) == 0;
    if (job->tenant_id[0] && of_tenant >= workers->options.per_tenant)
        return ERR_FULL;
    if (workers->waiting >= workers->options.waiting_max || workers->stopping)
        return ERR_RETRY;
    job->next = NULL;
    job->worker = NULL;
    *workers->last = job;
    workers->last = &job->next;
    workers->waiting++;
    hand_out(workers);
    return OK;
}

void workers_cancel(struct workers *workers, struct job *job)
{
    if (job->worker) {
        if (job->worker->http)
            store_http_cancel(job->worker->http, true);
        return;
    }
    for (struct job **at = &workers->first; *at; at = &(*at)->next) {
        if (*at != job)
            continue;
        *at = job->next;
        if (!job->next)
            workers->last = at;
        workers->waiting--;
        job->done(job);
        return;
    }
    assert(!"a job that is neither running nor waiting");
}

void workers_stop(struct workers *workers)
{
    if (workers->stopping)
        return;
    workers->stopping = true;
    for (size_t i = 0; i < workers->options.threads; i++) {
        queue_close(workers->items[i].queue);
        if (workers->items[i].started)
            pthread_join(workers->items[i].thread, NULL);
    }
    bring_back(workers);
    while (workers->first) {
        struct job *job = workers->first;
        workers->first = job->next;
        job->done(job);
    }
    workers->last = &workers->first;
    workers->waiting = 0;
    uv_close((uv_handle_t *)&workers->async, NULL);
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    assert(workers->stopping);
    for (size_t i = 0; i < workers->options.threads; i++) {
        store_http_close(workers->items[i].http);
        queue_free(workers->items[i].queue);
        bell_free(workers->items[i].bell);
    }
    queue_free(workers->finished);
    free(workers);
}
