#include "test/support/lost_state.h"

#include <stdio.h>

#include "base/test.h"
#include "world/disk.h"

struct lost {
    struct disk *disk;
    const char *path;
};

static void remove_one(void *self, const char *name)
{
    const struct lost *lost = self;
    char path[DISK_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", lost->path, name);
    assert_int_equal(lost->disk->ops->remove(lost->disk, path, NULL), OK);
}

static void remove_all(struct disk *disk, const char *path)
{
    struct lost lost = { disk, path };
    assert_int_equal(disk->ops->list(disk, path, remove_one, &lost, NULL), OK);
    assert_int_equal(disk->ops->sync_dir(disk, path, NULL), OK);
}

void lost_state(struct disk *disk, const char *state_path, uint16_t partition)
{
    char path[DISK_PATH_MAX / 2], map[DISK_PATH_MAX];
    snprintf(path, sizeof path, "%s/partition-%05u", state_path, partition);
    snprintf(map, sizeof map, "%s/kv", path);
    remove_all(disk, map);
    remove_all(disk, path);
}
