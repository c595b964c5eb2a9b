/* The journal: the only truth. Durable, ordered, replayable records by topic and partition; marks (a reader's
 * positions) that move in the same atomic step as the records that were made from what was read.
 *
 * A commit is all or nothing: its records, in any number of topics and partitions, and its marks appear together or
 * never. Backends: file (default), memory (tests, simulation), kafka. Beside their options this header names none.
 * Far backends (kafka): of a commit without marks that failed, some chunks may be there; what a done said is seen by
 * readers a moment later, with a wake; topics that are read together by one reader are events and rekeyed, changelog,
 * catalog, tasks, dimensions, or the others; each chunk has a position of its own. Threads: submit
 * from any; each reader is used by one thread at a time; everything else from any. Bounds: a commit holds at most
 * JOURNAL_COMMIT_BYTES_MAX; submitted but unfinished commits at most options.queue_bytes_max. */
#pragma once
#include "base/bell.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

struct journal;
struct journal_reader;
struct metrics;
struct role;
struct world;

#define JOURNAL_COMMIT_BYTES_MAX (16u << 20)
#define JOURNAL_GROUP_MAX 47    /* bytes in the name of a group of readers */
#define JOURNAL_NOTE_MAX 1024   /* bytes kept beside a mark */
#define JOURNAL_BEGIN 0         /* the position before the oldest record kept */
#define JOURNAL_CHUNKS_MAX 4096 /* in one commit */
#define JOURNAL_MARKS_MAX 1024  /* in one commit */

/* The numbers are in the files: never change or reuse one. At most 31. */
enum journal_topic {
    TOPIC_EVENTS = 1,       /* accepted events, as ingestion wrote them       event/event.h */
    TOPIC_ENRICHED = 2,     /* validated, each once, ready for the store      event/event.h */
    TOPIC_DEAD_LETTERS = 3, /* refused, with stage, reason and original bytes event/dead_letter.h */
    TOPIC_CHANGELOG = 4,    /* changes of the processing tasks' state         process/state/ */
    TOPIC_WINDOWS = 5,
    TOPIC_SESSIONS = 6,
    TOPIC_LATE = 7,
    TOPIC_ALERTS = 8,
    TOPIC_REKEYED = 9,
    TOPIC_IDENTITIES = 10,
    TOPIC_SEGMENTS = 11,
    TOPIC_WEBHOOKS = 12,
    TOPIC_CATALOG = 13, /* tenants and keys for other processes, in partition 0; only the newest record counts
                           catalog/catalog_journal.h */
    TOPIC_QUALITY = 14, /* how good the events of a tenant, type and hour were event/quality_record.h */
    TOPIC_TASKS = 15,   /* how the task of a partition is doing, for processes that have it not; of each partition only
                           the newest record counts process/task_status.h */
    TOPIC_DIMENSIONS = 16, /* rows of dimension tables for processes without an engine, in partition 0; of each key
                              only the newest record counts event/dimension_record.h */
};
#define TOPIC_BIT(topic) (1u << (topic))
const char *journal_topic_name(enum journal_topic topic);

/* Records of one topic and partition. bytes: for each record a little-endian uint32 length, then that many bytes. */
struct journal_chunk {
    uint16_t topic, partition;
    uint32_t records;
    struct slice bytes;
    /* Set when read: */
    /* Of the first record: counts the records of this topic and partition from 0, without gaps. Of input, far backends
     * only say that it grows. Of dimensions it is the record's key, set by who submits it: far backends keep of each
     * key the newest record alone, and a chunk of one record without bytes has them forget the key. */
    uint64_t offset;
    uint64_t position;  /* grows from commit to commit over all partitions (journal.orders 1), or within each */
    int64_t written_us; /* wall clock of the commit */
};

/* Where a group of readers stands in a partition: everything before `position` needs no second reading. What lies
 * behind the smallest mark of all groups is not deleted. */
struct journal_mark {
    char group[JOURNAL_GROUP_MAX + 1];
    uint16_t partition; /* JOURNAL_ALL_PARTITIONS for readers of all */
    uint64_t position;
    struct slice note; /* the owner's own bytes, at most JOURNAL_NOTE_MAX: what it must know to go on */
    uint16_t topic;    /* one of those that the position counts in; backends with one order for all ignore it */
};
#define JOURNAL_ALL_PARTITIONS 0xffff
#define JOURNAL_MARK_DROP UINT64_MAX /* as a mark's position: the group is gone, forget its mark in this partition */

/* Commits of one submitter become visible in the order of their submission, but an earlier one may fail and a later one
 * succeed: whoever builds on an earlier commit waits for its done. */
struct journal_commit {
    const struct journal_chunk *chunks; /* everything pointed to stays untouched until done is called */
    size_t chunk_count;
    const struct journal_mark *marks;
    size_t mark_count;
    /* Called exactly once after a successful submit, on a thread of the journal's; must not block.
     * OK: durable, will survive a power cut. ERR_FULL: disk full, nothing was written, try again later.
     * ERR_IO: the disk failed, or another process owns the group's mark now. Readers will not see the commit, unless
     * the process dies before any later commit is OK: then the next open may find it. Start again from the mark.
     * ERR_CLOSED: unknown until the next open. */
    void (*done)(struct journal_commit *commit, enum status status, const char *reason);
    void *context;
    struct journal_commit *next; /* the journal's, while it has the commit */
    int64_t submitted_us;
};

/* The texts are borrowed for the journal's life; empty ones are left to the client's defaults. */
struct journal_kafka_options {
    const char *brokers; /* HOST:PORT,… */
    const char *prefix;  /* of topics, groups and transactional ids */
    int replication, min_insync;
    const char *compression; /* lz4, snappy, zstd, gzip, none */
    uint32_t linger_ms, batch_bytes;
    const char *security; /* plaintext, ssl, sasl_plaintext, sasl_ssl */
    const char *sasl_mechanism, *sasl_user, *sasl_password;
    const char *tls_ca, *tls_certificate, *tls_key;
    uint32_t session_ms; /* a process that is silent for so long loses its share of the partitions */
};

/* What a process will do with a journal that others work on, too, as TOPIC_BIT()s: it asks for no more rights, makes
 * no other topics, and sees at start whether it may. All 0: everything. */
struct journal_use {
    const char *as;                /* a short name for it, in names that far backends see; borrowed; or NULL */
    uint32_t reads, writes, marks; /* marks: topics that marks are moved in */
};

struct journal_options {
    const char *path;         /* the journal's own directory; made when missing */
    uint16_t partitions;      /* fixed when the journal is made; another number later is refused with the reason */
    uint64_t segment_bytes;   /* size of one file */
    uint64_t retention_bytes; /* oldest segments beyond this go, unless a mark needs them; 0: no such bound */
    int64_t retention_ms;     /* segments older than this go, unless a mark needs them; 0: no such bound */
    /* The bound with what marks hold back; 0: none. Commits without marks (input) get ERR_FULL beyond half of it, those
     * with marks (the readers' progress, which is what frees space) beyond all of it; a commit of marks alone goes on.
     */
    uint64_t total_bytes_max;
    uint64_t disk_reserve_bytes; /* the same by what the file system has left: input needs this much, progress half */
    uint64_t queue_bytes_max;    /* bound of submitted but unfinished bytes */
    uint32_t commit_bytes_max;   /* most bytes flushed together (0: 8 MiB): the bench turns batching off with 1 */
    /* Opening refuses (ERR_CORRUPT) when acknowledged records at the end of the log are damaged. True: the damaged
     * files are kept beside it as *.damaged, the log is cut before the damage, and what stood behind it is lost. */
    bool cut_damaged;
    struct journal_use use; /* backends that are not shared ignore it */
    struct journal_kafka_options kafka;
};

struct journal_read_options {
    uint32_t topics;    /* TOPIC_BIT()s */
    uint16_t partition; /* or JOURNAL_ALL_PARTITIONS */
    uint64_t position;  /* JOURNAL_BEGIN, a mark's position, a batch's next_position, or a chunk's: from that one on */
    struct waker waker; /* woken when something new may be there */
};

/* What one read gives; everything is borrowed from the reader until its next read. Whole commits only (of what
 * matches). */
struct journal_batch {
    const struct journal_chunk *chunks;
    size_t chunk_count;
    size_t records, bytes;
    uint64_t next_position; /* read on from here; put it into a mark */
};

struct journal_status {
    uint64_t begin_position, end_position; /* oldest kept; end of what is durable */
    uint64_t bytes_on_disk;
    bool full; /* commits are refused at the moment */
};

struct journal_share;
struct journal_share_options;

struct journal_backend {
    const char *name; /* as in the settings: "file", "memory", "kafka" */
    bool shared;      /* several processes may work on one journal at the same time */
    enum status (*open)(const struct journal_options *, struct world *, struct metrics *, struct journal **,
                        struct error *);
    /* OK: done will be called. ERR_INVALID: too large or malformed. ERR_FULL: queue or disk is full now. ERR_CLOSED.
     * The file backend also bounds a commit by half a segment. */
    enum status (*submit)(struct journal *, struct journal_commit *, struct error *);
    /* Up to about bytes_max (at least one chunk). OK with chunk_count 0 only when nothing durable is left unread;
     * next_position advances then too: mark it now and then, or what no reader wants is kept for its sake. Every reader
     * is woken when a segment is full, also when nothing in it matches.
     * ERR_CORRUPT: stored bytes fail their checksum. ERR_NOT_FOUND: the position was deleted by retention.
     * ERR_RETRY: a far backend does not answer. It waits for an answer only until the reader has seen the end once. */
    enum status (*read)(struct journal_reader *, size_t bytes_max, struct journal_batch *, struct error *);
    enum status (*reader_open)(struct journal *, const struct journal_read_options *, struct journal_reader **,
                               struct error *);
    void (*reader_close)(struct journal_reader *);
    /* From now on this process alone moves the group's mark in the partition: an unfinished commit of whoever did
     * before is settled, and later ones of his fail (ERR_IO). Called before `mark` and before reading what goes with
     * it, while no commit of the group and partition is under way. May wait for seconds; ERR_RETRY: try again after a
     * pause. */
    enum status (*own)(struct journal *, const char *group, uint16_t partition, struct error *);
    /* The mark of the group in the partition; ERR_NOT_FOUND when it has none. out->note is copied to note_buffer
     * (JOURNAL_NOTE_MAX bytes). */
    enum status (*mark)(struct journal *, const char *group, uint16_t partition, struct journal_mark *out,
                        char *note_buffer);
    void (*status)(struct journal *, struct journal_status *out);
    /* Behind everything durable that a reader of the topic and partition gets. ERR_RETRY: cannot be known now. */
    enum status (*end_position)(struct journal *, enum journal_topic topic, uint16_t partition, uint64_t *out,
                                struct error *);
    /* The offset that the next durable record of the topic and partition gets: how many there have been. A reader's lag
     * in records is this minus (the offset of the last chunk it read + its records). Far backends: of events alone,
     * once a reader of the partition has read; as it was a second ago, estimated, but exact when nothing waits. */
    uint64_t (*end_offset)(struct journal *, enum journal_topic topic, uint16_t partition);
    /* The journal's own role (writes and flushes). The simulator steps it; production gives it a thread. Work that may
     * be slow (preparing segments, deleting old ones) is in a second role. Returns how many roles there are (at most
     * 2). */
    size_t (*roles)(struct journal *, struct role *out_roles);
    /* No more submits; what was submitted is finished by the role's remaining steps. */
    void (*drain)(struct journal *);
    /* ERR_INVALID: the settings do not allow it. A backend that is not shared gives all partitions, at once. */
    enum status (*share_open)(struct journal *, const struct journal_share_options *, struct journal_share **,
                              struct error *);
    void (*close)(struct journal *); /* after its roles have stopped */
};

/* The partitions of one kind of work, shared out among all processes that open the same share; they come and go as
 * processes do. ops may be called from any thread. */
enum share_place {
    SHARE_ELSEWHERE,
    SHARE_HERE,    /* this process works on the partition */
    SHARE_LEAVING, /* it shall end that, and then say so with left: till then nobody else begins, unless this process
                      was away for so long that it was taken for dead */
};
struct journal_share {
    const struct journal_share_ops *ops;
    int64_t settle_us; /* who lost a partition because it was away knows it after so long: till then, no second try */
};
struct journal_share_ops {
    enum share_place (*place)(struct journal_share *, uint16_t partition);
    void (*left)(struct journal_share *, uint16_t partition);
    /* OK: this process takes part. ERR_RETRY: not yet, or not now. ERR_CLOSED: it never will again; the reason. */
    enum status (*state)(struct journal_share *, struct error *);
    void (*close)(struct journal_share *); /* after the work has ended; before the journal's close */
};
struct journal_share_options {
    const char *work;   /* what is shared: "process" */
    const char *member; /* this process, the same after a restart: then it gets the same partitions again */
};

/* Every backend's structs begin with these. */
struct journal {
    const struct journal_backend *backend;
    uint16_t partitions;
    uint16_t orders; /* 1: positions of all partitions are one order; `partitions`: each has its own, a reader each */
};
struct journal_reader {
    struct journal *journal;
};

extern const struct journal_backend journal_file, journal_memory, journal_kafka;

static inline enum status journal_submit(struct journal *journal, struct journal_commit *commit, struct error *err)
{
    return journal->backend->submit(journal, commit, err);
}

static inline enum status journal_read(struct journal_reader *reader, size_t bytes_max, struct journal_batch *out,
                                       struct error *err)
{
    return reader->journal->backend->read(reader, bytes_max, out, err);
}

/* Walking a chunk: `struct slice rest = chunk->bytes, record; while (journal_next_record(&rest, &record)) …`
 * False at the end, and when what is left is malformed (then rest.n is not 0). */
static inline bool journal_next_record(struct slice *rest, struct slice *out_record)
{
    uint32_t n;
    if (rest->n < sizeof n)
        return false;
    memcpy(&n, rest->p, sizeof n);
    if (n > rest->n - sizeof n)
        return false;
    *out_record = slice_of(rest->p + sizeof n, n);
    *rest = slice_after(*rest, sizeof n + n);
    return true;
}
