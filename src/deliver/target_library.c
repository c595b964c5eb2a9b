/* A target of somebody else's: a shared object with one symbol, `weir_target`, a table like those of the targets here.
 * It stands between weir and the target and only hands calls on. The file is whatever code the configuration names:
 * who may write there may run it. */
#include <dlfcn.h>
#include <stdlib.h>

#include "deliver/target.h"

struct library_target {
    struct target target;
    void *handle;
    struct target *inside;
};

static struct target *inside(struct target *target)
{
    return ((struct library_target *)target)->inside;
}

static void library_close(struct target *self)
{
    struct library_target *target = (struct library_target *)self;
    target_close(target->inside);
    if (target->handle)
        dlclose(target->handle);
    free(target);
}

static enum status load(struct library_target *target, const struct target_options *options, struct world *world,
                        struct error *err)
{
    /* It stays in memory to the end: what it has loaded itself may have threads, or hooks at the process's end. */
    target->handle = dlopen(options->library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!target->handle)
        return error_set(err, ERR_INVALID, "library: %s", dlerror());
    const struct target_backend *backend = dlsym(target->handle, TARGET_LIBRARY_SYMBOL);
    if (!backend)
        return error_set(err, ERR_INVALID, "library: %s has no " TARGET_LIBRARY_SYMBOL, options->library);
    if (backend->version != TARGET_VERSION)
        return error_set(err, ERR_INVALID, "library: %s is for version %u of targets, this weir has version %u",
                         options->library, backend->version, TARGET_VERSION);
    return backend->open(options, world, &target->inside, err);
}

static enum status library_open(const struct target_options *options, struct world *world, struct target **out,
                                struct error *err)
{
    if (!options->library[0])
        return error_set(err, ERR_INVALID, "library must name a shared object (docs/sinks.md)");
    struct library_target *target = calloc(1, sizeof *target);
    if (!target)
        abort();
    target->target.backend = &target_library;
    enum status s = load(target, options, world, err);
    if (s != OK) {
        library_close(&target->target);
        return s;
    }
    *out = &target->target;
    return OK;
}

static enum status library_resume(struct target *self, char io_note[TARGET_NOTE_MAX], uint64_t *io_position,
                                  struct error *err)
{
    return inside(self)->backend->resume(inside(self), io_note, io_position, err);
}

static enum status library_write(struct target *self, const struct target_batch *batch, char io_note[TARGET_NOTE_MAX],
                                 struct error *err)
{
    return inside(self)->backend->write(inside(self), batch, io_note, err);
}

const struct target_backend target_library = { TARGET_VERSION, "library",     library_open,
                                               library_resume, library_write, library_close };
