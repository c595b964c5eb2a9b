/* C11's threads, mutexes and conditions by those of POSIX, for builds with ThreadSanitizer alone.
 *
 * Debian's librdkafka starts its threads by thrd_create, of which GCC's sanitizer knows nothing: such a thread has no
 * state there, and the first thing in it that the sanitizer does look at (malloc, a callback of ours) ends the process
 * by SIGSEGV. In glibc the two families are the same underneath (thrd_t is a pthread_t, mtx_t a pthread_mutex_t, cnd_t
 * a pthread_cond_t, once_flag a pthread_once_t), so these forward, and the sanitizer sees who starts, locks and wakes
 * whom. An executable's functions come before those of the C library, also for the shared libraries it is linked with.
 *
 * So with the read-write locks of POSIX: calls of the interceptors by librdkafka itself are ignored, since
 * tools/tsan_suppressions.txt asks for it. What ends a lock is not here: a count of references decides that, by
 * atomics in a library that is not built with the sanitizer, so it would look like a race.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "a thread is the same in both");
_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "a mutex is the same in both");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "a condition is the same in both");
_Static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "a flag is the same in both");

struct start {
    thrd_start_t run;
    void *context;
};

static int as_c11(int failed)
{
    switch (failed) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

static void *run_start(void *argument)
{
    struct start start = *(struct start *)argument;
    free(argument);
    return (void *)(intptr_t)start.run(start.context);
}

int thrd_create(thrd_t *out, thrd_start_t run, void *context)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return thrd_nomem;
    *start = (struct start){ run, context };
    int failed = pthread_create(out, NULL, run_start, start);
    if (failed)
        free(start);
    return failed == EAGAIN ? thrd_nomem : as_c11(failed);
}

int thrd_join(thrd_t thread, int *out_result)
{
    void *result = NULL;
    int failed = pthread_join(thread, &result);
    if (!failed && out_result)
        *out_result = (int)(intptr_t)result;
    return as_c11(failed);
}

int thrd_detach(thrd_t thread)
{
    return as_c11(pthread_detach(thread));
}

void thrd_exit(int result)
{
    pthread_exit((void *)(intptr_t)result);
}

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
    int failed = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return as_c11(failed);
}

int mtx_lock(mtx_t *mutex)
{
    return as_c11(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex)
{
    return as_c11(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int mtx_timedlock(mtx_t *mutex, const struct timespec *until)
{
    return as_c11(pthread_mutex_timedlock((pthread_mutex_t *)mutex, until));
}

int mtx_unlock(mtx_t *mutex)
{
    return as_c11(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int cnd_init(cnd_t *condition)
{
    return as_c11(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return as_c11(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
    return as_c11(pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

int cnd_signal(cnd_t *condition)
{
    return as_c11(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
    return as_c11(pthread_cond_broadcast((pthread_cond_t *)condition));
}

void call_once(once_flag *flag, void (*run)(void))
{
    pthread_once((pthread_once_t *)flag, run);
}

/* The sanitizer's own, of libtsan. */
int __interceptor_pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes);
int __interceptor_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int __interceptor_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int __interceptor_pthread_rwlock_unlock(pthread_rwlock_t *lock);

int pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes)
{
    return __interceptor_pthread_rwlock_init(lock, attributes);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    return __interceptor_pthread_rwlock_rdlock(lock);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    return __interceptor_pthread_rwlock_wrlock(lock);
}

int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    return __interceptor_pthread_rwlock_unlock(lock);
}
