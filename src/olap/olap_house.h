/* Where a child that was started by root lives: as which user, and under which paths it finds its two directories. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"

/* High enough that nothing else has it. */
#define HOUSE_UID 64738

struct olap_paths {
    char run[1200], engine[1200];
};

/* Gives both directories to the user that the child will be (*out_uid: HOUSE_UID, or 0 where that user could not reach
 * them) and says where they are from now on. May put this process into a mount namespace of its own. As root only. */
MUST_CHECK enum status olap_house(const char *run, const char *engine, uint32_t *out_uid, struct olap_paths *out_paths,
                                  struct error *err);
