/* Publishes the catalog (catalog_journal.h): looks at its version, which is two atomic loads, and when that has moved
 * commits the whole of it with the mark "catalog", so that one process alone can publish at a time. Changes that come
 * while a commit is under way go with the next one. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/retry.h"
#include "catalog/catalog_journal.h"
#include "catalog/deployed_types.h"
#include "catalog/snapshot.h"
#include "world/world.h"

#define GROUP "catalog"
#define LOOK_INTERVAL_US 20000
#define READ_BYTES (1u << 20)

enum publisher_state { IDLE, FLYING, ANSWERED };

struct catalog_publisher {
    struct catalog *catalog;
    struct journal *journal;
    char owner[SNAPSHOT_OWNER_MAX + 1];
    struct bell *bell;
    struct buf bytes; /* the records, each with its length before it */
    uint32_t records;
    struct journal_chunk chunk;
    struct journal_mark mark;
    struct journal_commit commit;
    _Atomic int state;
    enum status status; /* of the answer */
    char reason[200];
    uint64_t flying_version;
    _Atomic uint64_t published_version; /* 0: none yet */
    bool lost;                          /* a commit failed: take over first */
    struct retry retry;
    int64_t not_before_us;
};

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct catalog_publisher *publisher = commit->context;
    struct bell *bell = publisher->bell;
    publisher->status = status;
    snprintf(publisher->reason, sizeof publisher->reason, "%s", reason ? reason : "");
    atomic_store(&publisher->state, ANSWERED);
    bell_ring(bell);
}

/* Who published last; "" when nobody did. */
static enum status read_owner(struct journal *journal, char owner[SNAPSHOT_OWNER_MAX + 1], struct error *err)
{
    struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_CATALOG), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch = { 0 };
    owner[0] = '\0';
    enum status s = journal->backend->reader_open(journal, &options, &reader, err);
    if (s != OK)
        return s;
    do {
        s = journal_read(reader, READ_BYTES, &batch, err);
        for (size_t i = 0; s == OK && i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, record;
            while (journal_next_record(&rest, &record))
                if (!snapshot_owner(record, owner))
                    owner[0] = '\0';
        }
    } while (s == OK && batch.chunk_count);
    journal->backend->reader_close(reader);
    return s;
}

static enum status refuse_another(struct journal *journal, const char *owner, struct error *err)
{
    char last[SNAPSHOT_OWNER_MAX + 1] = "";
    enum status s = read_owner(journal, last, err);
    if (s != OK)
        return error_wrap(err, s, "publish the catalog");
    if (last[0] && strcmp(last, owner) != 0)
        return error_set(err, ERR_INVALID,
                         "the tenants of this journal belong to the data directory with the name %s (its file "
                         "`instance`), this one is %s: start on that one with --data, or choose another kafka.prefix",
                         last, owner);
    return OK;
}

/* The right to publish, unless the catalog is another directory's: looked at before, so as not to take it from that
 * one, and after, since who had it till then may have published first. Also after a commit that failed: the one who
 * took over since may be of another directory that, as we then, found nobody's. */
static enum status take_over(struct journal *journal, const char *owner, struct error *err)
{
    enum status s = refuse_another(journal, owner, err);
    if (s != OK)
        return s;
    s = journal->backend->own(journal, GROUP, 0, err);
    return s == OK ? refuse_another(journal, owner, err) : error_wrap(err, s, "publish the catalog");
}

enum status publisher_open(struct catalog *catalog, struct journal *journal, const char *owner, struct world *world,
                           struct catalog_publisher **out, struct error *err)
{
    (void)world;
    enum status s = take_over(journal, owner, err);
    if (s != OK)
        return s;
    struct catalog_publisher *publisher = calloc(1, sizeof *publisher);
    if (!publisher)
        return error_set(err, ERR_FULL, "publish the catalog: out of memory");
    publisher->catalog = catalog;
    publisher->journal = journal;
    snprintf(publisher->owner, sizeof publisher->owner, "%s", owner);
    publisher->bell = bell_new();
    publisher->retry = (struct retry){ .first_ms = 100, .most_ms = 5000 };
    buf_init(&publisher->bytes, SNAPSHOT_BYTES_MAX);
    *out = publisher;
    return OK;
}

/* A record's length goes before it, once it is known. */
static size_t begin_record(struct buf *bytes)
{
    const uint32_t unknown = 0;
    buf_add(bytes, &unknown, sizeof unknown);
    return bytes->n;
}

static void end_record(struct buf *bytes, size_t begin)
{
    const uint32_t n = (uint32_t)(bytes->n - begin);
    if (!bytes->full)
        memcpy(bytes->p + begin - sizeof n, &n, sizeof n);
}

/* The event types, unless there are too many of them, then the snapshot. */
static enum status make_records(struct catalog_publisher *publisher, struct error *err)
{
    struct directory *directory;
    struct buf *bytes = &publisher->bytes;
    buf_reset(bytes);
    size_t begin = begin_record(bytes);
    enum status s = deployed_types_write(publisher->catalog, bytes, err);
    if (s == OK)
        s = publisher->catalog->backend->directory(publisher->catalog, &directory, err);
    if (s != OK)
        return s;
    publisher->records = 2;
    if (bytes->full || bytes->n > DEPLOYED_TYPES_BYTES_MAX) {
        buf_reset(bytes);
        publisher->records = 1;
        log_warn("catalog.types_not_published", "they have more than %u bytes: weir process is not held against them",
                 DEPLOYED_TYPES_BYTES_MAX);
    } else {
        end_record(bytes, begin);
    }
    begin = begin_record(bytes);
    snapshot_write(directory, publisher->owner, bytes);
    directory_free(directory);
    if (bytes->full)
        return error_set(err, ERR_FULL, "the catalog has more than %u bytes", SNAPSHOT_BYTES_MAX);
    end_record(bytes, begin);
    return OK;
}

static enum status publish(struct catalog_publisher *publisher, struct error *err)
{
    enum status s = publisher->lost ? take_over(publisher->journal, publisher->owner, err) : OK;
    if (s == OK)
        s = make_records(publisher, err);
    if (s != OK)
        return s;
    publisher->lost = false;
    publisher->chunk = (struct journal_chunk){ .topic = TOPIC_CATALOG,
                                               .records = publisher->records,
                                               .bytes = buf_slice(&publisher->bytes) };
    publisher->mark = (struct journal_mark){ .group = GROUP, .topic = TOPIC_CATALOG, .position = JOURNAL_BEGIN };
    publisher->commit = (struct journal_commit){ .chunks = &publisher->chunk,
                                                 .chunk_count = 1,
                                                 .marks = &publisher->mark,
                                                 .mark_count = 1,
                                                 .done = on_done,
                                                 .context = publisher };
    atomic_store(&publisher->state, FLYING);
    s = journal_submit(publisher->journal, &publisher->commit, err);
    if (s != OK)
        atomic_store(&publisher->state, IDLE);
    return s;
}

static enum status take_answer(struct catalog_publisher *publisher, struct error *err)
{
    atomic_store(&publisher->state, IDLE);
    if (publisher->status != OK) {
        publisher->lost = publisher->status == ERR_IO;
        return error_set(err, publisher->status, "%s", publisher->reason);
    }
    atomic_store(&publisher->published_version, publisher->flying_version);
    retry_reset(&publisher->retry);
    return OK;
}

static bool publisher_step(void *self, struct world *world, int64_t *wake_us)
{
    struct catalog_publisher *publisher = self;
    struct error err = { 0 };
    enum status s = OK;
    int64_t now_us = world_mono_us(world);
    int state = atomic_load(&publisher->state);
    if (state == FLYING)
        return false; /* its answer rings */
    if (state == ANSWERED)
        s = take_answer(publisher, &err);
    *wake_us = now_us < publisher->not_before_us ? publisher->not_before_us : now_us + LOOK_INTERVAL_US;
    if (s == OK && now_us < publisher->not_before_us)
        return false;
    /* The version first: what changes while the directory is read is published again. */
    uint64_t version = publisher->catalog->backend->version(publisher->catalog);
    if (s == OK && version == atomic_load(&publisher->published_version))
        return false;
    publisher->flying_version = version;
    if (s == OK)
        s = publish(publisher, &err);
    if (s != OK && s != ERR_CLOSED) {
        publisher->not_before_us = *wake_us = retry_next_us(&publisher->retry, world);
        log_warn("catalog.not_published", "attempt=%u %s", publisher->retry.attempts, err.text);
    }
    return false;
}

struct role publisher_role(struct catalog_publisher *publisher)
{
    return (struct role){ "catalog", publisher, publisher_step, publisher->bell, 0 };
}

bool publisher_is_idle(struct catalog_publisher *publisher)
{
    return atomic_load(&publisher->published_version) == publisher->catalog->backend->version(publisher->catalog);
}

void publisher_close(struct catalog_publisher *publisher)
{
    if (!publisher)
        return;
    assert(atomic_load(&publisher->state) != FLYING);
    buf_done(&publisher->bytes);
    bell_free(publisher->bell);
    free(publisher);
}
