/* Held are always two: of day D and, drawn in advance, of day D+1. Whoever first asks on day D+1 draws that of D+2,
 * writes the file and publishes the new pair; meanwhile others simply use the pair they have, which covers both days.
 * So nobody waits, and all loops agree. When the clock jumps further, the second salt of the pair serves until the new
 * pair is there. A clock that goes back gets the older salt of the pair.
 *
 * The pairs live in a ring: a pair is overwritten RING rotations (days) after it was published, and wiped at the
 * rotation after its own.
 *
 * File: 8 bytes magic "WEIRSLT1", i64 day (little-endian), 32 bytes salt of that day, 32 bytes of the next, u32 CRC32C
 * of all before. A file that is not whole is replaced by fresh salts: the cost is that addresses of this day hash
 * differently before and after. */
#include "ingest/salt.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "event/event_parse.h"
#include "world/disk.h"
#include "world/world.h"

#define RING 8
#define DAY_MS INT64_C(86400000)

struct pair {
    int64_t day;
    uint8_t salts[2][EVENT_IP_SALT_BYTES];
};

struct salt {
    struct world *world;
    char *path;
    struct pair ring[RING];
    _Atomic uint32_t current; /* index into the ring */
    atomic_flag rotating;
};

struct __attribute__((packed)) file {
    char magic[8];
    int64_t day;
    uint8_t salts[2][EVENT_IP_SALT_BYTES];
    uint32_t checksum;
};

static int64_t day_of(int64_t wall_ms)
{
    return wall_ms >= 0 ? wall_ms / DAY_MS : 0;
}

static enum status pair_write(struct salt *salt, const struct pair *pair, struct error *err)
{
    if (!salt->path)
        return OK;
    struct file file = { .magic = "WEIRSLT1", .day = pair->day };
    memcpy(file.salts, pair->salts, sizeof file.salts);
    file.checksum = crc32c(0, &file, offsetof(struct file, checksum));
    enum status s = disk_replace(salt->world->disk, salt->path, &file, sizeof file, err);
    sodium_memzero(&file, sizeof file);
    return s == OK ? OK : error_wrap(err, s, "keep the salt of IP addresses in %s", salt->path);
}

/* False: there is no whole file. */
static bool pair_read(struct salt *salt, struct pair *out)
{
    char *bytes = NULL;
    size_t n = 0;
    struct file file;
    if (!salt->path || disk_read_whole(salt->world->disk, salt->path, sizeof file, &bytes, &n, NULL) != OK)
        return false;
    bool whole = n == sizeof file;
    if (whole) {
        memcpy(&file, bytes, sizeof file);
        whole = memcmp(file.magic, "WEIRSLT1", 8) == 0 &&
                file.checksum == crc32c(0, &file, offsetof(struct file, checksum));
    }
    if (whole) {
        out->day = file.day;
        memcpy(out->salts, file.salts, sizeof out->salts);
    }
    free(bytes);
    sodium_memzero(&file, sizeof file);
    return whole;
}

/* The pair for `day`, keeping what the old one already knows about it. */
static struct pair pair_for(struct world *world, const struct pair *old, int64_t day)
{
    struct pair pair = { .day = day };
    world->random(world, pair.salts, sizeof pair.salts);
    if (old && old->day == day)
        memcpy(pair.salts, old->salts, sizeof pair.salts);
    else if (old && old->day == day - 1)
        memcpy(pair.salts[0], old->salts[1], sizeof pair.salts[0]);
    return pair;
}

enum status salt_open(struct world *world, const char *path, struct salt **out, struct error *err)
{
    struct salt *salt = calloc(1, sizeof *salt);
    if (!salt || (path && !(salt->path = strdup(path)))) {
        free(salt);
        return error_set(err, ERR_FULL, "open the salt of IP addresses: out of memory");
    }
    salt->world = world;
    atomic_flag_clear(&salt->rotating);
    struct pair kept;
    bool found = pair_read(salt, &kept);
    salt->ring[0] = pair_for(world, found ? &kept : NULL, day_of(world_wall_ms(world)));
    enum status s = pair_write(salt, &salt->ring[0], err);
    if (s != OK) {
        salt_close(salt);
        return s;
    }
    *out = salt;
    return OK;
}

void salt_close(struct salt *salt)
{
    if (!salt)
        return;
    free(salt->path);
    sodium_memzero(salt->ring, sizeof salt->ring);
    free(salt);
}

static void rotate(struct salt *salt, int64_t day)
{
    if (atomic_flag_test_and_set(&salt->rotating))
        return; /* another loop is at it */
    uint32_t at = atomic_load(&salt->current), next = (at + 1) % RING;
    if (day > salt->ring[at].day) {
        salt->ring[next] = pair_for(salt->world, &salt->ring[at], day);
        struct error err;
        if (pair_write(salt, &salt->ring[next], &err) != OK)
            log_error("ingest.salt_not_kept", "%s; a restart today will hash addresses anew", err.text);
        atomic_store(&salt->current, next);
        sodium_memzero(&salt->ring[(at + RING - 1) % RING], sizeof(struct pair));
        log_info("ingest.salt_rotated", "day=%ld", (long)day);
    }
    atomic_flag_clear(&salt->rotating);
}

const uint8_t *salt_at(struct salt *salt, int64_t wall_ms)
{
    int64_t day = day_of(wall_ms);
    const struct pair *pair = &salt->ring[atomic_load_explicit(&salt->current, memory_order_acquire)];
    if (UNLIKELY(day > pair->day)) {
        rotate(salt, day);
        pair = &salt->ring[atomic_load_explicit(&salt->current, memory_order_acquire)];
    }
    return pair->salts[day > pair->day];
}
