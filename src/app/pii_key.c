#include "app/pii_key.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world/disk.h"
#include "world/world.h"

static enum status make(struct world *world, const char *path, char out[PII_KEY_BYTES], struct error *err)
{
    uint8_t bytes[PII_KEY_BYTES / 2];
    char hex[PII_KEY_BYTES + 1];
    world->random(world, bytes, sizeof bytes);
    sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
    enum status s = disk_replace(world->disk, path, hex, PII_KEY_BYTES, err);
    memcpy(out, hex, PII_KEY_BYTES);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(hex, sizeof hex);
    return s;
}

enum status pii_key_open(struct world *world, const char *directory, char out[PII_KEY_BYTES], struct error *err)
{
    char path[DISK_PATH_MAX], *text;
    size_t n;
    snprintf(path, sizeof path, "%s/pii.key", directory);
    enum status s = disk_read_whole(world->disk, path, PII_KEY_BYTES, &text, &n, err);
    if (s == ERR_NOT_FOUND)
        return make(world, path, out, err);
    if (s != OK)
        return error_wrap(err, s, "read the key of persons' fields");
    if (n == PII_KEY_BYTES)
        memcpy(out, text, PII_KEY_BYTES);
    else
        s = error_set(err, ERR_CORRUPT, "%s is not whole: bring it back from a backup; hashes depend on it", path);
    sodium_memzero(text, n);
    free(text);
    return s;
}
