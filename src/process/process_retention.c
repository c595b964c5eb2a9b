#include "process/process_retention.h"

#include <stdlib.h>

#include "catalog/catalog.h"

#define DAY_MS ((int64_t)86400000)

struct process_retention {
    struct catalog *catalog;
    struct directory *directory; /* NULL: none yet */
    uint64_t version;            /* of the catalog when it was read */
    int32_t days;
};

struct process_retention *process_retention_new(struct catalog *catalog, int32_t days)
{
    struct process_retention *retention = calloc(1, sizeof *retention);
    if (!retention)
        abort();
    *retention = (struct process_retention){ .catalog = catalog, .days = days };
    return retention;
}

void process_retention_free(struct process_retention *retention)
{
    if (retention && retention->directory)
        directory_free(retention->directory);
    free(retention);
}

static void read_again(struct process_retention *retention)
{
    struct directory *directory;
    const uint64_t version = retention->catalog->backend->version(retention->catalog);
    if (retention->directory && version == retention->version)
        return;
    if (retention->directory)
        directory_free(retention->directory);
    retention->directory = NULL;
    retention->version = version;
    if (retention->catalog->backend->directory(retention->catalog, &directory, NULL) == OK)
        retention->directory = directory;
}

int64_t process_retention_ms(void *self, struct slice customer_id)
{
    struct process_retention *retention = self;
    read_again(retention);
    const struct tenant *tenant = retention->directory ? directory_find(retention->directory, customer_id) : NULL;
    int32_t days = tenant && tenant->retention_days ? tenant->retention_days : retention->days;
    return tenant && days > 0 ? days * DAY_MS : INT64_MAX;
}
