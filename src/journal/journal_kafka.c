/* The journal on Apache Kafka. Kafka topics hold all of ours, with journal.partitions partitions, so that
 * what is read together lies in one partition and a position is one number (decision 0022):
 *
 *     PREFIX.input      events (ingestion, idempotent), rekeyed (processing, transactions)
 *     PREFIX.changelog  changelog
 *     PREFIX.output     everything else
 *     PREFIX.catalog    catalog: one partition, of which only the newest message is kept
 *     PREFIX.tasks      tasks: one partition, of which the newest message of each partition of ours is kept
 *     PREFIX.dimensions dimensions: one partition, of which the newest message of each key is kept
 *
 * A chunk is one message: key = struct kafka_key (kafka.h), value = the chunk's bytes as they are, timestamp = when it
 * was written. So Kafka's cost per message is paid per chunk, not per event, and nothing is copied or parsed on the
 * way.
 *
 * A commit with marks is one transaction (kafka_writer.c): its records and its marks (offsets of consumer groups,
 * kafka_marks.c) become visible together or never. A commit without marks is acknowledged by all replicas in sync
 * (kafka_input.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/kafka.h"
#include "world/world.h"

#define FAILED_LOOK_US 20000 /* at a producer that failed for good, until all that it had is answered */

static void kafka_close(struct journal *journal)
{
    struct kafka *kafka = kafka_of(journal);
    if (!kafka)
        return;
    kafka_writers_close(kafka);
    kafka_input_close(kafka);
    if (kafka->probe)
        rd_kafka_destroy(kafka->probe);
    bell_free(kafka->bell);
    bell_free(kafka->lag_bell);
    free(kafka->lags);
    free(kafka->trims);
    if (!atomic_load(&kafka->left_behind))
        free(kafka);
}

/* Names of topics and groups are made of it in KAFKA_NAME_MAX bytes. */
static bool is_prefix(const char *prefix)
{
    size_t n = prefix ? strlen(prefix) : 0;
    return n > 0 && n <= KAFKA_PREFIX_MAX &&
           strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

/* What needs no broker to be seen. */
static enum status check_options(const struct journal_kafka_options *options, struct error *err)
{
    const char *security = options->security ? options->security : "";
    if (!is_prefix(options->prefix))
        return error_set(err, ERR_INVALID,
                         "kafka.prefix has at most %d of a-z, A-Z, 0-9, '.', '_' and '-': not '%.80s'",
                         KAFKA_PREFIX_MAX, options->prefix ? options->prefix : "");
    if (options->min_insync > options->replication)
        return error_set(err, ERR_INVALID,
                         "kafka.min_insync is %d, kafka.replication %d: no write could ever have so many copies",
                         options->min_insync, options->replication);
    if (strncmp(security, "sasl", 4) == 0 && (!options->sasl_user || !options->sasl_user[0]))
        return error_set(err, ERR_INVALID, "kafka.security is %s: kafka.sasl_user and kafka.sasl_password say as whom",
                         security);
    if ((options->tls_certificate && options->tls_certificate[0]) != (options->tls_key && options->tls_key[0]))
        return error_set(err, ERR_INVALID, "kafka.tls_certificate and kafka.tls_key belong together: one is missing");
    return OK;
}

static unsigned lanes_of(uint32_t topics)
{
    unsigned lanes = 0;
    for (unsigned topic = 1; topic < JOURNAL_TOPICS; topic++)
        if (topics & TOPIC_BIT(topic))
            lanes |= 1u << kafka_lane_of(topic);
    return lanes;
}

static void use_lanes(struct kafka *kafka, const struct journal_use *use)
{
    bool all = !use->reads && !use->writes && !use->marks;
    kafka->reads = lanes_of(all ? UINT32_MAX : use->reads);
    kafka->writes = lanes_of(all ? UINT32_MAX : use->writes);
    kafka->marks = lanes_of(all ? UINT32_MAX : use->marks);
}

static enum status open_probe(struct kafka *kafka, struct error *err)
{
    char group[KAFKA_NAME_MAX];
    kafka_group_name(kafka, "reader", 0, group, sizeof group); /* as readers: no right of its own */
    const struct kafka_setting settings[] = { { "group.id", group },
                                              { "isolation.level", "read_committed" },
                                              { "enable.partition.eof", "true" },
                                              { "enable.auto.commit", "false" },
                                              { "fetch.wait.max.ms", "20" }, /* it waits for the end of topics */
                                              { NULL, NULL } };
    return kafka_client_new(kafka, RD_KAFKA_CONSUMER, settings, NULL, &kafka->probe, err);
}

static enum status kafka_open(const struct journal_options *options, struct world *world, struct metrics *metrics,
                              struct journal **out, struct error *err)
{
    if (options->partitions == 0 || options->partitions == JOURNAL_ALL_PARTITIONS)
        return error_set(err, ERR_INVALID, "open journal: partitions must be 1 to 65534");
    if (!options->kafka.brokers || !options->kafka.brokers[0])
        return error_set(err, ERR_INVALID, "journal.backend is kafka: kafka.brokers must name HOST:PORT,…");
    enum status s = check_options(&options->kafka, err);
    if (s != OK)
        return s;
    struct kafka *kafka = calloc(1, sizeof *kafka);
    if (!kafka)
        return error_set(err, ERR_FULL, "open journal: out of memory");
    kafka->journal = (struct journal){ &journal_kafka, options->partitions, options->partitions };
    kafka->options = *options;
    kafka->world = world;
    if (metrics)
        kafka->calls_left = metrics_counter(metrics, "kafka_calls_left_total",
                                            "Calls of librdkafka that did not come back, and were left behind.", "");
    use_lanes(kafka, &options->use);
    kafka->bell = bell_new();
    kafka->lag_bell = bell_new();
    kafka->lags = calloc(options->partitions, sizeof *kafka->lags);
    kafka->trims = calloc(options->partitions, sizeof *kafka->trims);
    kafka->trim_retry = (struct retry){ .first_ms = 2000, .most_ms = 600000 };
    if (!kafka->lags || !kafka->trims)
        abort();
    static const char *const LANE_NAMES[LANES] = { "input", "changelog", "output", "catalog", "tasks", "dimensions" };
    for (size_t i = 0; i < LANES; i++)
        snprintf(kafka->topics[i], sizeof kafka->topics[i], "%s.%s", options->kafka.prefix, LANE_NAMES[i]);
    s = open_probe(kafka, err);
    if (s == OK)
        s = kafka_topics_ready(kafka, err);
    if (s == OK)
        s = kafka_rights_check(kafka, err);
    if (s == OK)
        s = kafka_input_open(kafka, err);
    if (s != OK)
        kafka_close(&kafka->journal);
    else
        *out = &kafka->journal;
    return s;
}

static enum status kafka_submit(struct journal *journal, struct journal_commit *commit, struct error *err)
{
    struct kafka *kafka = kafka_of(journal);
    enum status s = commit_check(commit, journal->partitions, JOURNAL_COMMIT_BYTES_MAX, err);
    if (s != OK)
        return s;
    atomic_fetch_add(&kafka->unfinished, 1); /* before the look at draining: the role waits for it, or it is refused */
    size_t n = commit_bytes(commit), before = atomic_fetch_add(&kafka->queued_bytes, n);
    if (atomic_load(&kafka->draining))
        s = error_set(err, ERR_CLOSED, "commit: the journal is shutting down");
    else if (before && before + n > kafka->options.queue_bytes_max)
        s = error_set(err, ERR_FULL, "commit: %zu bytes are waiting already, at most %llu may", before,
                      (unsigned long long)kafka->options.queue_bytes_max);
    commit->submitted_us = world_mono_us(kafka->world);
    if (s == OK)
        s = commit->mark_count ? kafka_writer_submit(kafka, commit, err) : kafka_input_submit(kafka, commit, err);
    if (s != OK) {
        atomic_fetch_sub(&kafka->queued_bytes, n);
        atomic_fetch_sub(&kafka->unfinished, 1);
    }
    return s;
}

static enum status kafka_own(struct journal *journal, const char *group, uint16_t partition, struct error *err)
{
    return kafka_writer_claim(kafka_of(journal), group, partition, err);
}

static enum status kafka_mark(struct journal *journal, const char *group, uint16_t partition, struct journal_mark *out,
                              char *note_buffer)
{
    struct error err;
    return kafka_mark_read(kafka_of(journal), group, partition, out, note_buffer, NULL, &err);
}

/* Positions of several partitions have no common begin or end: end_position says them. */
static void kafka_status_of(struct journal *journal, struct journal_status *out)
{
    (void)journal;
    *out = (struct journal_status){ 0 };
}

static enum status kafka_end_position(struct journal *journal, enum journal_topic topic, uint16_t partition,
                                      uint64_t *out, struct error *err)
{
    return kafka_end(kafka_of(journal), kafka_lane_of(topic), partition, out, err);
}

/* Of events alone: nobody asks for the others. */
static uint64_t kafka_end_offset(struct journal *journal, enum journal_topic topic, uint16_t partition)
{
    return topic == TOPIC_EVENTS ? kafka_lag_end_offset(kafka_of(journal), partition) : 0;
}

static bool kafka_step(void *self, struct world *world, int64_t *wake_us)
{
    struct kafka *kafka = self;
    bool finishing = atomic_load(&kafka->draining) && atomic_load(&kafka->unfinished);
    kafka_input_step(kafka, finishing ? 20 : 0);
    if (kafka->input_before)
        *wake_us = world_mono_us(world) + FAILED_LOOK_US;
    return finishing;
}

static size_t kafka_roles(struct journal *journal, struct role *out_roles)
{
    struct kafka *kafka = kafka_of(journal);
    out_roles[0] = (struct role){ "journal", kafka, kafka_step, kafka->bell, 0 };
    out_roles[1] = kafka_lag_role(kafka);
    return 2;
}

static void kafka_drain(struct journal *journal)
{
    struct kafka *kafka = kafka_of(journal);
    atomic_store(&kafka->draining, true);
    bell_ring(kafka->bell);
    bell_ring(kafka->lag_bell);
}

const struct journal_backend journal_kafka = {
    .name = "kafka",
    .shared = true,
    .open = kafka_open,
    .submit = kafka_submit,
    .read = kafka_reader_read,
    .reader_open = kafka_reader_open,
    .reader_close = kafka_reader_close,
    .own = kafka_own,
    .mark = kafka_mark,
    .status = kafka_status_of,
    .end_position = kafka_end_position,
    .end_offset = kafka_end_offset,
    .roles = kafka_roles,
    .drain = kafka_drain,
    .share_open = kafka_share_open,
    .close = kafka_close,
};
