/* The catalog as a backend that follows what another process publishes (catalog_journal.h). The newest text is kept as
 * it came; a directory is made of it for whoever asks, as the SQLite backend makes one of its tables. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/retry.h"
#include "catalog/catalog_journal.h"
#include "catalog/deployed_types.h"
#include "catalog/snapshot.h"
#include "world/world.h"

#define READ_BYTES (1u << 20)

struct follower {
    struct catalog catalog;
    struct journal *journal;
    struct world *world;
    struct bell *bell;
    struct journal_reader *reader; /* the role's */
    uint64_t position;
    struct retry retry;
    int64_t not_before_us;
    pthread_mutex_t mutex; /* of text */
    char *text;
    size_t n;    /* 0: none came yet */
    char *types; /* deployed_types.h; NULL: none came, or the owner is of an earlier weir */
    size_t types_n;
    _Atomic bool current; /* has been at the end of what is published */
    _Atomic uint64_t version;
    _Atomic int64_t next_end_ms;
};

static struct follower *follower_of(struct catalog *catalog)
{
    return (struct follower *)catalog;
}

static enum status follower_directory(struct catalog *catalog, struct directory **out, struct error *err)
{
    struct follower *self = follower_of(catalog);
    int64_t next_end_ms = KEY_NO_END;
    pthread_mutex_lock(&self->mutex);
    enum status s =
        self->n ? snapshot_read(slice_of(self->text, self->n), world_wall_ms(self->world), out, &next_end_ms, err)
                : error_set(err, ERR_RETRY, "no tenants are known yet: weir serve has not told them");
    pthread_mutex_unlock(&self->mutex);
    if (s == OK)
        atomic_store(&self->next_end_ms, next_end_ms);
    return s;
}

static uint64_t follower_version(struct catalog *catalog)
{
    struct follower *self = follower_of(catalog);
    int64_t end_ms = atomic_load_explicit(&self->next_end_ms, memory_order_relaxed);
    if (UNLIKELY(end_ms != KEY_NO_END) && world_wall_ms(self->world) >= end_ms &&
        atomic_compare_exchange_strong(&self->next_end_ms, &end_ms, KEY_NO_END))
        atomic_fetch_add_explicit(&self->version, 1, memory_order_release);
    return atomic_load_explicit(&self->version, memory_order_acquire);
}

static void pass_item(void *self, const struct catalog_item *item)
{
    (void)self, (void)item;
}

static void take_types(struct follower *self, struct slice text)
{
    struct error err;
    char *copy = malloc(text.n);
    if (!copy || deployed_types_read(text, pass_item, NULL, &err) != OK) {
        log_error("catalog.types_refused", "%s", copy ? err.text : "out of memory");
        free(copy);
        return;
    }
    memcpy(copy, text.p, text.n);
    pthread_mutex_lock(&self->mutex);
    free(self->types);
    self->types = copy;
    self->types_n = text.n;
    pthread_mutex_unlock(&self->mutex);
}

/* Takes the text over when it is whole. */
static void take(struct follower *self, struct slice text)
{
    struct error err;
    struct directory *directory;
    int64_t next_end_ms;
    char *copy = malloc(text.n + 1);
    if (!copy || snapshot_read(text, world_wall_ms(self->world), &directory, &next_end_ms, &err) != OK) {
        log_error("catalog.refused", "going on with the tenants known so far: %s", copy ? err.text : "out of memory");
        free(copy);
        return;
    }
    log_debug("catalog.taken", "tenants=%zu keys=%zu", directory_count(directory), directory_key_count(directory));
    directory_free(directory);
    memcpy(copy, text.p, text.n);
    pthread_mutex_lock(&self->mutex);
    free(self->text);
    self->text = copy;
    self->n = text.n;
    pthread_mutex_unlock(&self->mutex);
    atomic_fetch_add_explicit(&self->version, 1, memory_order_release);
}

static enum status follow(struct follower *self, bool *out_more, struct error *err)
{
    struct journal_batch batch = { 0 };
    const struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_CATALOG),
                                                  .position = self->position,
                                                  .waker = bell_waker(self->bell) };
    enum status s = OK;
    if (!self->reader)
        s = self->journal->backend->reader_open(self->journal, &options, &self->reader, err);
    if (s == OK)
        s = journal_read(self->reader, READ_BYTES, &batch, err);
    if (s != OK)
        return s;
    struct slice newest = { 0 }, types = { 0 }, record;
    for (size_t i = 0; i < batch.chunk_count; i++) {
        struct slice rest = batch.chunks[i].bytes;
        while (journal_next_record(&rest, &record))
            *(deployed_types_is(record) ? &types : &newest) = record;
    }
    if (types.n)
        take_types(self, types);
    if (newest.n)
        take(self, newest);
    if (batch.chunk_count == 0)
        atomic_store(&self->current, true);
    self->position = batch.next_position;
    *out_more = batch.chunk_count > 0;
    return OK;
}

static bool follower_step(void *catalog, struct world *world, int64_t *wake_us)
{
    struct follower *self = catalog;
    struct error err = { 0 };
    bool more = false;
    if (world_mono_us(world) < self->not_before_us) {
        *wake_us = self->not_before_us;
        return false;
    }
    enum status s = follow(self, &more, &err);
    if (s == OK) {
        retry_reset(&self->retry);
        return more; /* else what comes next rings */
    }
    if (self->reader)
        self->journal->backend->reader_close(self->reader);
    self->reader = NULL;
    if (s == ERR_NOT_FOUND)
        self->position = JOURNAL_BEGIN; /* compaction took what stood there: the newest is still there */
    self->not_before_us = *wake_us = retry_next_us(&self->retry, world);
    log_warn("catalog.waits", "going on with the tenants known so far: %s", err.text);
    return false;
}

static enum status follower_tenant_get(struct catalog *catalog, struct slice id, struct tenant *out, struct error *err)
{
    struct directory *directory;
    enum status s = follower_directory(catalog, &directory, err);
    if (s != OK)
        return s;
    const struct tenant *tenant = directory_find(directory, id);
    if (tenant)
        *out = *tenant;
    directory_free(directory);
    return tenant ? OK : error_set(err, ERR_NOT_FOUND, "there is no tenant '%.*s'", SLICE_ARG(id));
}

static enum status refuse(struct error *err)
{
    return error_set(err, ERR_INVALID, "tenants are changed at weir serve, this process only follows");
}

static enum status follower_create(struct catalog *catalog, struct tenant *tenant, struct tenant_keys *keys,
                                   const char *actor, struct error *err)
{
    (void)catalog, (void)tenant, (void)keys, (void)actor;
    return refuse(err);
}

static enum status follower_update(struct catalog *catalog, const struct tenant *tenant, const char *actor,
                                   struct error *err)
{
    (void)catalog, (void)tenant, (void)actor;
    return refuse(err);
}

static enum status follower_rotate(struct catalog *catalog, struct slice id, const struct key_choice *choice,
                                   struct tenant_keys *out, const char *actor, struct error *err)
{
    (void)catalog, (void)id, (void)choice, (void)out, (void)actor;
    return refuse(err);
}

static enum status follower_revoke(struct catalog *catalog, struct slice id, const struct key_choice *choice,
                                   uint64_t *out_count, const char *actor, struct error *err)
{
    (void)catalog, (void)id, (void)choice, (void)out_count, (void)actor;
    return refuse(err);
}

static enum status follower_audit(struct catalog *catalog, const char *actor, const char *entity_type,
                                  const char *entity_id, const char *action, struct slice old_value,
                                  struct slice new_value, struct error *err)
{
    (void)catalog, (void)actor, (void)entity_type, (void)entity_id, (void)action, (void)old_value, (void)new_value;
    return refuse(err);
}

static enum status follower_audit_read(struct catalog *catalog, const struct audit_query *query,
                                       void (*visit)(void *visitor, const struct audit_line *), void *visitor,
                                       struct error *err)
{
    (void)catalog, (void)query, (void)visit, (void)visitor;
    return error_set(err, ERR_INVALID, "the audit log is at weir serve");
}

static enum status follower_deploy(struct catalog *catalog, const struct catalog_item *items, size_t count,
                                   const char *actor, uint64_t *out_changes, struct error *err)
{
    (void)catalog, (void)items, (void)count, (void)actor, (void)out_changes;
    return error_set(err, ERR_INVALID, "what is deployed is written down by weir serve, this process only follows");
}

static enum status follower_items(struct catalog *catalog, enum catalog_kind kind,
                                  void (*visit)(void *visitor, const struct catalog_item *), void *visitor,
                                  struct error *err)
{
    struct follower *self = follower_of(catalog);
    enum status s = OK;
    if (kind != CATALOG_EVENT_TYPE)
        return OK; /* only who owns the catalog knows */
    pthread_mutex_lock(&self->mutex);
    if (self->types)
        s = deployed_types_read(slice_of(self->types, self->types_n), visit, visitor, err);
    pthread_mutex_unlock(&self->mutex);
    return s;
}

static enum status follower_no_path(const struct catalog_options *options, struct world *world, struct catalog **out,
                                    struct error *err)
{
    (void)options, (void)world, (void)out;
    return error_set(err, ERR_INVALID, "a catalog that follows is opened with its journal: follower_open");
}

static void follower_close(struct catalog *catalog)
{
    struct follower *self = follower_of(catalog);
    if (!self)
        return;
    if (self->reader)
        self->journal->backend->reader_close(self->reader);
    pthread_mutex_destroy(&self->mutex);
    bell_free(self->bell);
    free(self->text);
    free(self->types);
    free(self);
}

static bool follower_has_role(struct catalog *catalog, struct role *out)
{
    *out = follower_role(catalog);
    return true;
}

static const struct catalog_backend FOLLOWER = {
    .name = "journal",
    .open = follower_no_path,
    .tenant_create = follower_create,
    .tenant_update = follower_update,
    .tenant_get = follower_tenant_get,
    .keys_rotate = follower_rotate,
    .keys_revoke = follower_revoke,
    .directory = follower_directory,
    .version = follower_version,
    .audit = follower_audit,
    .audit_read = follower_audit_read,
    .deploy = follower_deploy,
    .items = follower_items,
    .role = follower_has_role,
    .close = follower_close,
};

enum status follower_open(struct journal *journal, struct world *world, struct catalog **out, struct error *err)
{
    struct follower *self = calloc(1, sizeof *self);
    if (!self)
        return error_set(err, ERR_FULL, "catalog: out of memory");
    self->catalog.backend = &FOLLOWER;
    self->journal = journal;
    self->world = world;
    self->bell = bell_new();
    self->position = JOURNAL_BEGIN;
    self->retry = (struct retry){ .first_ms = 100, .most_ms = 5000 };
    pthread_mutex_init(&self->mutex, NULL);
    atomic_store(&self->version, 1);
    atomic_store(&self->next_end_ms, KEY_NO_END);
    *out = &self->catalog;
    return OK;
}

bool follower_is_current(struct catalog *catalog)
{
    return atomic_load(&follower_of(catalog)->current);
}

struct role follower_role(struct catalog *catalog)
{
    return (struct role){ "catalog", follower_of(catalog), follower_step, follower_of(catalog)->bell, 0 };
}
