/* The data directory of a process: locked for its life, with a name of its own, and the catalog of tenants, which lies
 * in it or at a server (`weir serve`, `weir up`) or is followed through the journal (the others). Of the main thread.
 */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/role.h"
#include "catalog/catalog_journal.h"
#include "config/config.h"
#include "world/disk.h"

#define INSTANCE_BYTES 22

struct house {
    struct world *world;
    char path[DISK_PATH_MAX - 64];
    char instance[INSTANCE_BYTES + 1]; /* made once for the directory: who this process is to the others */
    struct disk_file *lock;
    struct catalog *catalog;
    struct catalog_publisher *publisher;
    struct role_thread *catalog_thread;   /* the catalog's own, where it has one */
    struct role_thread *publisher_thread; /* where the catalog is published */
};

/* Makes and locks the directory. ERR_RETRY with the process that has it. *out_exit_code: a sysexits code; the same
 * below. */
MUST_CHECK enum status house_open(struct house *house, const char *path, struct world *world, int *out_exit_code,
                                  struct error *err);
/* A server that cannot be used is one of the problems, too, told where catalog.url was set. */
MUST_CHECK enum status house_open_catalog(struct house *house, const struct config *config, struct problems *problems,
                                          int *out_exit_code, struct error *err);
/* From now on processes that share the journal know the tenants. */
MUST_CHECK enum status house_publish(struct house *house, struct journal *journal, int *out_exit_code,
                                     struct error *err);
/* Waits until the tenants are known; EX_OK with an error: SIGTERM came first. */
MUST_CHECK enum status house_follow(struct house *house, struct journal *journal, int *out_exit_code,
                                    struct error *err);
/* Ends the catalog's role: before the journal's roles end, and, what is left of the catalog, before it is closed. */
void house_stop(struct house *house);
void house_close_catalog(struct house *house);
void house_close(struct house *house);
