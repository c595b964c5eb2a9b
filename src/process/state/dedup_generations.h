/* The inside of the set of seen ids, shared by dedup.c (generations, looking up) and dedup_state.c (changelog,
 * checkpoints, restoring). Owner: the partition's task. */
#pragma once
#include "base/buf.h"
#include "process/state/dedup.h"
#include "process/state/id_file.h"
#include "process/state/id_log.h"
#include "process/state/id_table.h"
#include "world/disk.h"

#define DEDUP_GENERATIONS_MAX 64

struct generation {
    uint32_t number;
    int64_t first_ms, last_ms;
    uint64_t first_offset; /* of its first changelog record; UINT64_MAX when none is durable yet */
    /* While it is in memory: */
    struct id_table table;
    struct id_log log;
    uint64_t durable_ids;
    struct buf pending; /* added since the last collect */
    /* Once it is sealed: */
    struct id_file *file;
};

struct dedup {
    struct state state;
    struct dedup_options options;
    char path[DISK_PATH_MAX]; /* options.path is not kept */
    struct world *world;
    struct generation active, sealing; /* sealing.number 0: none */
    struct id_file_writer *writer;
    struct generation sealed[DEDUP_GENERATIONS_MAX]; /* oldest first */
    size_t sealed_count;
    int64_t clock_base_ms, mono_base_us;
    int64_t dropped_until_ms; /* of the clock: the newest id that went early; INT64_MIN when none did */
    uint64_t dropped_early;
};

enum dedup_kind { KIND_LOG = 0, KIND_FILE = 1 };

extern const struct state_ops dedup_ops;

static inline struct dedup *dedup_of(struct state *state)
{
    return (struct dedup *)state;
}

int64_t dedup_clock_ms(const struct dedup *dedup);
void dedup_clock_set(struct dedup *dedup, int64_t ms);
/* Both return `to`, or `path`. */
const char *dedup_file_name(uint32_t number, int kind, char *to, size_t n);
const char *dedup_file_path(const struct dedup *dedup, uint32_t number, int kind, char path[DISK_PATH_MAX]);

void dedup_generation_init(struct dedup *dedup, struct generation *generation, uint32_t number);
void dedup_generation_done(struct generation *generation);
/* An empty active generation gets another number. */
void dedup_generation_renew(struct dedup *dedup, uint32_t number);
/* A log that cannot be opened now stays broken: then the generation is sealed from memory. */
void dedup_log_start(struct dedup *dedup, struct generation *generation);
/* The active generation is complete; the next one begins (without a log yet). */
void dedup_rotate(struct dedup *dedup, uint32_t next_number);
void dedup_rotate_and_log(struct dedup *dedup);
/* Generations that are too old, or for which there is no room beside a file of more_ids. */
void dedup_drop_due(struct dedup *dedup, uint64_t more_ids);
/* All ids of the sealing generation are durable: its file may be written. */
bool dedup_may_seal(const struct dedup *dedup);
/* One piece of the file of the sealing generation. */
MUST_CHECK enum status dedup_seal_step(struct dedup *dedup, struct error *err);
