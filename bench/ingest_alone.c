/* Ingestion by itself: journal, catalog and HTTP, nobody behind them. To measure and profile, and to try clients
 * against.
 *
 *   ingest_alone DIRECTORY [PORT [LOOPS]]      journal in DIRECTORY/journal; "" as directory: everything in memory
 *
 * Tenants: demo_tenant (open, keys demo_write and demo_read, no quota) and standard (keys standard_write,
 * standard_read, 10,000 events a minute). Ends, drained, with SIGTERM or SIGINT. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "base/role.h"
#include "catalog/catalog.h"
#include "ingest/ingest.h"
#include "journal/journal.h"
#include "world/disk.h"
#include "world/world.h"

static void must(enum status status, const struct error *err)
{
    if (status == OK)
        return;
    fprintf(stderr, "ingest_alone: %s\n", err->text);
    exit(1);
}

static void make_tenant(struct catalog *catalog, const char *id, const char *write_key, const char *read_key, bool open)
{
    struct tenant tenant = { .open = open, .quota_per_minute = open ? UINT64_MAX : 0 };
    struct tenant_keys keys;
    struct error err;
    snprintf(tenant.id, sizeof tenant.id, "%s", id);
    snprintf(keys.write_key, sizeof keys.write_key, "%s", write_key);
    snprintf(keys.read_key, sizeof keys.read_key, "%s", read_key);
    enum status s = catalog->backend->tenant_create(catalog, &tenant, &keys, "ingest_alone", &err);
    if (s != ERR_FULL) /* it exists already */
        must(s, &err);
}

static struct catalog *open_catalog(const char *directory)
{
    struct catalog *catalog;
    struct catalog_options options = { .path = directory };
    struct error err;
    must(catalog_sqlite.open(&options, world_real(), &catalog, &err), &err);
    make_tenant(catalog, "demo_tenant", "demo_write", "demo_read", true);
    make_tenant(catalog, "standard", "standard_write", "standard_read", false);
    return catalog;
}

static struct journal *open_journal(const struct journal_backend *backend, const char *directory,
                                    struct metrics *metrics)
{
    char path[1100];
    struct journal *journal;
    struct error err;
    snprintf(path, sizeof path, "%s/journal", directory);
    struct journal_options options = { .path = path,
                                       .partitions = 16,
                                       .segment_bytes = 64u << 20,
                                       .retention_bytes = 192u << 20,
                                       .total_bytes_max = 2ull << 30,
                                       .queue_bytes_max = 64u << 20 };
    must(backend->open(&options, world_real(), metrics, &journal, &err), &err);
    return journal;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: ingest_alone DIRECTORY [PORT [LOOPS]]\n");
        return 64;
    }
    bool in_memory = argv[1][0] == 0;
    const char *directory = in_memory ? "/tmp" : argv[1];
    struct error err;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    must(disk_make_dirs(world_real()->disk, directory, &err), &err);

    struct metrics *metrics = metrics_new(20000);
    const struct journal_backend *backend = in_memory ? &journal_memory : &journal_file;
    struct journal *journal = open_journal(backend, directory, metrics);
    struct catalog *catalog = open_catalog(directory);
    struct role roles[2];
    struct role_thread *threads[2];
    size_t role_count = backend->roles(journal, roles);
    for (size_t i = 0; i < role_count; i++)
        must(role_start(&roles[i], world_real(), &threads[i], &err), &err);

    struct ingest_options options;
    struct ingest *ingest;
    ingest_options_init(&options);
    options.data_path = in_memory ? NULL : directory;
    options.http.port = argc > 2 ? (uint16_t)atoi(argv[2]) : 8000;
    options.loops = argc > 3 ? (uint32_t)atoi(argv[3]) : 1;
    must(ingest_new(&options, journal, catalog, metrics, world_real(), &ingest, &err), &err);
    must(ingest_start(ingest, &err), &err);

    int signal;
    sigwait(&ends, &signal);
    ingest_free(ingest);
    backend->drain(journal);
    for (size_t i = 0; i < role_count; i++)
        role_stop(threads[i]);
    backend->close(journal);
    catalog->backend->close(catalog);
    metrics_free(metrics);
    return 0;
}
