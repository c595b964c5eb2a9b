/* Which groups of readers have had a mark, of which journal: brokers may forget marks, and whoever finds none must know
 * whether he is new. A small file of the data directory. Of the main thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "world/disk.h"

struct world;

struct marked {
    struct world *world;
    char path[DISK_PATH_MAX];
    const char *journal; /* its name; "": of this one nothing is noted, its marks cannot be lost */
    struct buf lines;
};

/* Reads the file. The journal's name is borrowed. */
MUST_CHECK enum status marked_open(struct marked *marked, const char *data_path, const char *journal,
                                   struct world *world, struct error *err);
bool marked_has(const struct marked *marked, const char *group);
/* On disk when they return OK; what is so already costs nothing. */
MUST_CHECK enum status marked_add(struct marked *marked, const char *group, struct error *err);
MUST_CHECK enum status marked_remove(struct marked *marked, const char *group, struct error *err);
void marked_close(struct marked *marked); /* a zeroed one is fine */
