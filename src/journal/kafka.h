/* The inside of the Kafka backend, shared by its files: kafka_client.c (handles and what librdkafka says),
 * kafka_topics.c, kafka_topic_config.c, kafka_rights.c (made and checked at start), kafka_input.c (commits without
 * marks), kafka_writer.c (commits with marks: one transaction each), kafka_marks.c (marks as a group's offsets),
 * kafka_reader.c, kafka_trim.c (what no mark needs of the changelog), kafka_share.c (which
 * process works on which partition). journal_kafka.c ties them together and draws
 * how a commit lies in Kafka. Nobody else includes this.
 *
 * Bounds: KAFKA_WRITERS_MAX groups × partitions that this process commits for; librdkafka's own queues by
 * options.queue_bytes_max (out) and FETCH_BYTES (in, for each reader). */
#pragma once
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "base/metrics.h"
#include "base/retry.h"
#include "base/role.h"
#include "journal/commit.h"
#include "journal/wakers.h"
#include "kafka/kafka_caller.h"

#define KAFKA_WRITERS_MAX 4096
#define KAFKA_WAIT_MS 10000          /* for one question to the brokers */
#define KAFKA_DELIVERY_WAIT_MS 15000 /* after which a commit is answered with a failure */
#define KAFKA_CALL_GRACE_MS 10000    /* after which nobody waits for a call that librdkafka should have ended */
#define KAFKA_NAME_MAX 128
#define KAFKA_PREFIX_MAX 64 /* with JOURNAL_GROUP_MAX and what stands between and behind it fits into a name */
#define KAFKA_TROUBLE_MAX 300

/* What is read together lies in one Kafka topic, so that a reader's position is one number. */
enum kafka_lane { LANE_INPUT, LANE_CHANGELOG, LANE_OUTPUT, LANE_CATALOG, LANE_TASKS, LANE_DIMENSIONS, LANES };

/* Before each chunk, as the message's key; little-endian. */
struct kafka_key {
    uint8_t version, topic;
    uint16_t partition; /* of the chunk, where the lane has one partition for all; else 0 */
    uint32_t records;
    /* Of the first record, where one writer alone numbers them; of dimensions what the submitter says; else
     * KAFKA_UNNUMBERED. */
    uint64_t offset;
};
_Static_assert(sizeof(struct kafka_key) == 16, "a message's key is 16 bytes");
#define KAFKA_KEY_VERSION 1
#define KAFKA_UNNUMBERED UINT64_MAX

struct kafka_writer;

/* Of one partition of LANE_INPUT: written by its reader (end: by the role that asks), read by any thread. */
struct kafka_lag {
    _Atomic uint64_t position;         /* where the reader goes on; JOURNAL_BEGIN: there is none */
    _Atomic uint64_t end;              /* behind the last message, as the brokers said a moment ago */
    _Atomic uint64_t next_event;       /* behind the last event that was read */
    _Atomic uint64_t messages, events; /* read of late */
};

/* Of one partition of LANE_CHANGELOG. */
struct kafka_trim {
    _Atomic uint64_t needed; /* by the mark that was committed last; JOURNAL_BEGIN: all */
    uint64_t done;           /* of the role: before this position nothing is left */
};

struct kafka {
    struct journal journal;
    struct journal_options options;
    char topics[LANES][KAFKA_NAME_MAX];
    unsigned reads, writes, marks; /* lanes, as bits: what options.use says */
    struct world *world;
    struct bell *bell;
    _Atomic size_t queued_bytes;
    _Atomic size_t unfinished; /* commits submitted and not done */
    _Atomic bool draining;

    rd_kafka_t *_Atomic input;  /* the idempotent producer */
    _Atomic size_t input_users; /* threads that are within a submit to it */
    rd_kafka_t *input_before;   /* one that failed for good, until all that it had is answered; of the role */
    rd_kafka_queue_t *input_events;
    struct commit_list refused; /* commits without marks that the producer's queue did not take whole */
    rd_kafka_t *probe;          /* asks: offsets, marks */
    /* What the probe's connections met last, for who waits at start; of the thread that opens. */
    rd_kafka_resp_err_t trouble;
    char trouble_text[KAFKA_TROUBLE_MAX];

    struct kafka_writer *_Atomic writers[KAFKA_WRITERS_MAX];
    struct counter *calls_left; /* NULL: nobody counts */
    _Atomic bool left_behind;   /* a client of a writer may still speak to this, for ever: it is not freed */

    struct kafka_lag *lags; /* one a partition */
    struct bell *lag_bell;
    int64_t lag_ask_us;       /* the role's */
    struct kafka_trim *trims; /* one a partition */
    int64_t trim_at_us;       /* the role's, as what follows */
    struct retry trim_retry;
    bool trim_refused;
};

static inline struct kafka *kafka_of(struct journal *journal)
{
    return (struct kafka *)journal;
}

static inline enum kafka_lane kafka_lane_of(unsigned topic)
{
    if (topic == TOPIC_EVENTS || topic == TOPIC_REKEYED)
        return LANE_INPUT;
    if (topic == TOPIC_CATALOG)
        return LANE_CATALOG;
    if (topic == TOPIC_TASKS)
        return LANE_TASKS;
    if (topic == TOPIC_DIMENSIONS)
        return LANE_DIMENSIONS;
    return topic == TOPIC_CHANGELOG ? LANE_CHANGELOG : LANE_OUTPUT;
}

/* Of messages with one key only the newest is kept, for ever; one partition has all of them. */
static inline bool kafka_lane_is_compacted(enum kafka_lane lane)
{
    return lane == LANE_CATALOG || lane == LANE_TASKS || lane == LANE_DIMENSIONS;
}

/* How many partitions the lane has. */
static inline uint16_t kafka_lane_partitions(const struct kafka *kafka, enum kafka_lane lane)
{
    return kafka_lane_is_compacted(lane) ? 1 : kafka->journal.partitions;
}

static inline bool kafka_has_lane(unsigned lanes, size_t lane)
{
    return lanes >> lane & 1;
}

/* JOURNAL_BEGIN is no message's: a position is Kafka's offset and one. */
static inline uint64_t kafka_position(int64_t offset)
{
    return offset < 0 ? JOURNAL_BEGIN : (uint64_t)offset + 1;
}
static inline int64_t kafka_offset(uint64_t position)
{
    return position == JOURNAL_BEGIN ? RD_KAFKA_OFFSET_BEGINNING : (int64_t)position - 1;
}

/* kafka_client.c */
struct kafka_setting {
    const char *name, *value;
};
/* A handle with the options' brokers and security and these settings (a list that ends with a NULL name). */
MUST_CHECK enum status kafka_client_new(struct kafka *kafka, rd_kafka_type_t type, const struct kafka_setting *settings,
                                        void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *),
                                        rd_kafka_t **out, struct error *err);
/* The same, with what is called, by whoever polls it, when the group shares its partitions out. */
typedef void kafka_rebalance(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *, void *);
MUST_CHECK enum status kafka_client_of_group(struct kafka *kafka, const struct kafka_setting *settings,
                                             kafka_rebalance *rebalance, rd_kafka_t **out, struct error *err);
/* Has the client ask at once where these lanes' topics are; does not wait. librdkafka looks only once a second for
 * those that it first hears of in a message or an assignment. */
void kafka_client_find(rd_kafka_t *client, const struct kafka *kafka, unsigned lanes);
/* What the program can do next after librdkafka's code. */
enum status kafka_status(rd_kafka_resp_err_t code);
/* error_set with kafka_status and librdkafka's words, and what to do. */
PRINTF_LIKE(3, 4)
enum status kafka_error(struct error *err, rd_kafka_resp_err_t code, const char *format, ...);
/* The same of what a consumer got instead of a message. */
enum status kafka_message_error(struct error *err, const rd_kafka_message_t *message);
/* The same of an error object, which is freed; OK for NULL. */
enum status kafka_error_take(struct error *err, rd_kafka_error_t *error, const char *what);
/* A call that ends in time, and what came of it. */
enum status kafka_call_take(struct kafka_caller *caller, const struct kafka_call *call, const char *what,
                            struct error *err);
/* Frees it; what had to be left behind is told as that of the transactional id. NULL is fine. */
void kafka_caller_drop(struct kafka *kafka, struct kafka_caller *caller, const char *id);

/* kafka_topics.c: makes what is missing and checks what is there, of the topics that are used. */
MUST_CHECK enum status kafka_topics_ready(struct kafka *kafka, struct error *err);
/* kafka_topic_config.c: what the brokers say of a topic that is there: would it keep what we promise? */
MUST_CHECK enum status kafka_topic_config_check(struct kafka *kafka, enum kafka_lane lane, int copies,
                                                struct error *err);

/* kafka_rights.c: does once, without effect, what options.use says: what is not allowed is told at start. */
MUST_CHECK enum status kafka_rights_check(struct kafka *kafka, struct error *err);

/* kafka_input.c */
MUST_CHECK enum status kafka_input_open(struct kafka *kafka, struct error *err);
MUST_CHECK enum status kafka_input_submit(struct kafka *kafka, struct journal_commit *commit, struct error *err);
/* Serves answers: of the journal's role. */
void kafka_input_step(struct kafka *kafka, int wait_ms);
void kafka_input_close(struct kafka *kafka);
/* The chunk as a message of the producer's queue; its bytes are not copied. numbered: KAFKA_UNNUMBERED, or the offset
 * of its first record. */
rd_kafka_resp_err_t kafka_produce(rd_kafka_t *producer, const struct kafka *kafka, const struct journal_chunk *chunk,
                                  uint64_t numbered, void *opaque);
/* Counts the commit out and calls its done. */
void kafka_finish(struct kafka *kafka, struct journal_commit *commit, enum status s, const char *reason);

/* kafka_writer.c */
MUST_CHECK enum status kafka_writer_submit(struct kafka *kafka, struct journal_commit *commit, struct error *err);
MUST_CHECK enum status kafka_writer_claim(struct kafka *kafka, const char *group, uint16_t partition,
                                          struct error *err);
void kafka_writers_close(struct kafka *kafka);

/* kafka_marks.c. numbers: what the next record of each topic is numbered, kept beside the first mark of a commit. */
#define KAFKA_METADATA_MAX 2600
void kafka_group_name(const struct kafka *kafka, const char *group, uint16_t partition, char *to, size_t n);
/* The mark as an offset to commit. False: out of memory. */
void kafka_mark_write(const struct kafka *kafka, const struct journal_mark *mark, const uint64_t *numbers,
                      rd_kafka_topic_partition_list_t *list);
/* ERR_NOT_FOUND: none. note_buffer and numbers may be NULL. */
MUST_CHECK enum status kafka_mark_read(struct kafka *kafka, const char *group, uint16_t partition,
                                       struct journal_mark *out, char *note_buffer, uint64_t *numbers,
                                       struct error *err);
/* Where the lane's partition ends for readers of what is committed. kafka_end waits KAFKA_WAIT_MS for an answer. */
MUST_CHECK enum status kafka_end_within(struct kafka *kafka, enum kafka_lane lane, uint16_t partition, int wait_ms,
                                        uint64_t *out, struct error *err);
MUST_CHECK enum status kafka_end(struct kafka *kafka, enum kafka_lane lane, uint16_t partition, uint64_t *out,
                                 struct error *err);

/* kafka_lag.c. read and at: by the reader of a partition's events. */
void kafka_lag_read(struct kafka *kafka, const struct journal_chunk *chunk);
void kafka_lag_at(struct kafka *kafka, uint16_t partition, uint64_t position);
/* Behind the last event of the partition, as its reader counts: minus where it stands, it is the events that wait. */
uint64_t kafka_lag_end_offset(const struct kafka *kafka, uint16_t partition);
struct role kafka_lag_role(struct kafka *kafka);

/* kafka_trim.c. needed: a commit is done that carries this mark. step: of the role that asks for ends; waits for the
 * brokers, some seconds at most. */
void kafka_trim_needed(struct kafka *kafka, const struct journal_mark *mark);
void kafka_trim_step(struct kafka *kafka);

/* kafka_reader.c */
enum status kafka_reader_open(struct journal *journal, const struct journal_read_options *options,
                              struct journal_reader **out, struct error *err);
enum status kafka_reader_read(struct journal_reader *reader, size_t bytes_max, struct journal_batch *out,
                              struct error *err);
void kafka_reader_close(struct journal_reader *reader);

/* kafka_share.c */
enum status kafka_share_open(struct journal *journal, const struct journal_share_options *options,
                             struct journal_share **out, struct error *err);
