/* The files of a partition's states: checkpoints, each described by a manifest that is replaced atomically. The last
 * two are kept, so that one damaged file costs time (a longer replay), never an answer. Owner: the partition's task;
 * one thread. The format is drawn in state_base.c. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "process/state/state.h"

struct state_base;
struct disk;

#define STATE_BASE_STATES_MAX 8
#define STATE_BASE_NAME_BYTES 64 /* of a file, with its end */

/* How far a base goes in the journal. */
struct state_point {
    uint64_t position;         /* read the changelog from here … */
    uint64_t changelog_offset; /* … and skip its records before this one */
    bool from_files;           /* false: there is no base, everything must come from the changelog */
};

/* path: the partition's directory. The states stay the caller's. Aborts when out of memory (start-up only). */
struct state_base *state_base_new(const char *path, struct disk *disk, uint16_t partition, struct state *const *states,
                                  size_t state_count);
void state_base_free(struct state_base *base);

/* Makes the directory and reads the manifests. */
MUST_CHECK enum status state_base_open(struct state_base *base, struct error *err);
/* The next attempt: the newest base that was not tried yet, then none at all (from_files false), then ERR_NOT_FOUND.
 * A base of another life of the journal (other seed, or ahead of changelog_end) is not tried. What made earlier ones
 * unusable is in err->text. Manifests newer than the one in use are deleted. Other errors: the disk; try again. */
MUST_CHECK enum status state_base_restore(struct state_base *base, uint64_t seed, uint64_t changelog_end,
                                          struct state_point *out, struct error *err);
/* A step towards a checkpoint; *point: what is durable now, which is what the changelog holds before it. The first step
 * begins the checkpoint there, and events go on meanwhile; ERR_RETRY: it is not settled yet, or a state has upkeep to
 * finish: again soon. OK: it is there, *point says how far it goes (where it began), *out_keep that the journal must
 * keep what lies behind this position (JOURNAL_BEGIN: not known yet, leave the mark where it is). Other errors lose
 * nothing: the next step begins anew. */
MUST_CHECK enum status state_base_checkpoint(struct state_base *base, uint64_t seed, struct state_point *point,
                                             uint64_t *out_keep, struct error *err);
/* Keeps the newest checkpoint's files until unpin, whatever checkpoints follow, so that they can be copied in pieces;
 * its manifest is valid until then. ERR_NOT_FOUND: there is no checkpoint. */
MUST_CHECK enum status state_base_pin(struct state_base *base, struct slice *out_manifest, struct state_point *out,
                                      struct error *err);
void state_base_unpin(struct state_base *base);
/* The names of the pinned files, in the partition's directory. */
MUST_CHECK enum status state_base_pinned_files(struct state_base *base, void (*visit)(void *self, const char *name),
                                               void *self, struct error *err);
/* Forgets what the states hold in memory; the files stay. */
void state_base_empty(struct state_base *base);
/* The states become what the manifest of a copy says, whose files are in place and whose map is loaded (state_kv_load).
 * ERR_CORRUPT, ERR_NOT_FOUND: it does not fit to what is there. */
MUST_CHECK enum status state_base_adopt(struct state_base *base, struct slice manifest, uint64_t seed,
                                        struct state_point *out, struct error *err);
const char *state_base_path(const struct state_base *base);
/* A name that one of the states may give to a file of the partition's directory. */
bool state_base_is_file_name(const struct state_base *base, const char *name);

/* A checkpoint has begun and is not there yet. */
bool state_base_is_settling(const struct state_base *base);
