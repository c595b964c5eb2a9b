/* The Kafka journal with the race's topic in the place of accepted events: everything else (changes of state, sums for
 * other partitions, results, marks, transactions) is the journal's own. What a task hands on as accepted events
 * (TOPIC_ENRICHED) is counted, and left out unless it is asked for: the peers hand on nothing but results.
 *
 * A position is a pair, since events and what other partitions send lie in two topics: 1 + (offset in the race's topic
 * << INNER_BITS | position in the journal's). It is committed in the transaction, as always. Nothing here begins again
 * in the middle of a batch: a run starts from nothing and ends. Only race_weir.c includes this. */
#pragma once
#include "bench/peers/race_source.h"

#define INNER_BITS 28
#define PARTITIONS_MAX 64

struct race_flight { /* a task's commit on its way; a task has one at a time */
    struct journal_commit commit;
    struct journal_commit *theirs;
    uint64_t read, results;
    struct race_journal *journal;
};

struct race_journal {
    struct journal journal;
    struct journal *inner;
    const char *brokers, *topic;
    const struct race_workload *workload;
    bool is_live;
    struct race_flight *flights[PARTITIONS_MAX];
    _Atomic uint64_t read[PARTITIONS_MAX]; /* of the topic's events: before the committed mark */
    _Atomic uint64_t results, commits;     /* durable */
    _Atomic bool begun;
    void (*on_first)(void); /* called with the first event that is read */
};

struct race_reader {
    struct journal_reader reader;
    struct race_journal *journal;
    struct journal_reader *inner; /* NULL: there is one partition, nobody sends sums */
    struct race_source *source;
    struct journal_chunk chunk;
    uint16_t partition;
    uint64_t inner_position;
};

static const struct journal_backend RACE_BACKEND;

static struct race_journal *race_of(struct journal *journal)
{
    return (struct race_journal *)journal;
}

/* ---- reading ---- */

static uint64_t position_of(const struct race_reader *reader)
{
    return 1 + ((uint64_t)reader->source->next << INNER_BITS | reader->inner_position);
}

static enum status race_reader_open(struct journal *self, const struct journal_read_options *options,
                                    struct journal_reader **out, struct error *err)
{
    struct race_journal *journal = race_of(self);
    if (!(options->topics & TOPIC_BIT(TOPIC_EVENTS)))
        return journal->inner->backend->reader_open(journal->inner, options, out, err);
    struct race_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        abort();
    uint64_t at = options->position == JOURNAL_BEGIN ? 0 : options->position - 1;
    *reader = (struct race_reader){ .reader = { self }, .journal = journal, .partition = options->partition };
    reader->inner_position = at & ((1u << INNER_BITS) - 1);
    struct journal_read_options inner = *options;
    inner.topics = TOPIC_BIT(TOPIC_REKEYED);
    inner.position = reader->inner_position;
    if (self->partitions > 1) {
        enum status s = journal->inner->backend->reader_open(journal->inner, &inner, &reader->inner, err);
        if (s != OK) {
            free(reader);
            return s;
        }
    }
    reader->source = source_open(journal->brokers, journal->topic, options->partition, (int64_t)(at >> INNER_BITS),
                                 journal->workload, options->waker);
    if (journal->is_live)
        reader->source->end = INT64_MAX;
    *out = &reader->reader;
    return OK;
}

static void race_reader_close(struct journal_reader *self)
{
    struct race_reader *reader = (struct race_reader *)self;
    if (self->journal->backend != &RACE_BACKEND) { /* of the changelog: the journal's own */
        self->journal->backend->reader_close(self);
        return;
    }
    if (reader->inner)
        reader->inner->journal->backend->reader_close(reader->inner);
    source_close(reader->source);
    free(reader);
}

/* Sums first: windows wait for them. */
static enum status race_read(struct journal_reader *self, size_t bytes_max, struct journal_batch *out,
                             struct error *err)
{
    struct race_reader *reader = (struct race_reader *)self;
    if (reader->inner) {
        struct journal_batch batch;
        enum status s = journal_read(reader->inner, bytes_max, &batch, err);
        if (s != OK)
            return s;
        reader->inner_position = batch.next_position;
        if (batch.chunk_count) {
            *out = batch;
            out->next_position = position_of(reader);
            return OK;
        }
    }
    struct slice records;
    int64_t from = reader->source->next;
    size_t count = source_read(reader->source, &records);
    if (count && !atomic_exchange(&reader->journal->begun, true))
        reader->journal->on_first();
    reader->chunk = (struct journal_chunk){ .topic = TOPIC_EVENTS,
                                            .partition = reader->partition,
                                            .records = (uint32_t)count,
                                            .bytes = records,
                                            .offset = (uint64_t)from,
                                            .position = position_of(reader),
                                            .written_us = world_wall_us(world_real()) };
    *out = (struct journal_batch){ .chunks = &reader->chunk,
                                   .chunk_count = count > 0,
                                   .records = count,
                                   .bytes = records.n,
                                   .next_position = position_of(reader) };
    return OK;
}

/* ---- commits ---- */

static void on_flown(struct journal_commit *commit, enum status status, const char *reason)
{
    struct race_flight *flight = commit->context;
    if (status == OK) {
        atomic_store(&flight->journal->read[commit->marks[0].partition], flight->read);
        atomic_fetch_add(&flight->journal->results, flight->results);
        atomic_fetch_add(&flight->journal->commits, 1);
    }
    flight->theirs->done(flight->theirs, status, reason);
}

static enum status race_submit(struct journal *self, struct journal_commit *commit, struct error *err)
{
    struct race_journal *journal = race_of(self);
    uint16_t partition = commit->marks[0].partition;
    struct race_flight *flight = journal->flights[partition];
    flight->theirs = commit;
    flight->read = commit->marks[0].position ? (commit->marks[0].position - 1) >> INNER_BITS : 0;
    flight->results = 0;
    for (size_t i = 0; i < commit->chunk_count; i++)
        flight->results += commit->chunks[i].topic == TOPIC_WINDOWS ? commit->chunks[i].records : 0;
    flight->commit = (struct journal_commit){ .chunks = commit->chunks,
                                              .chunk_count = commit->chunk_count,
                                              .marks = commit->marks,
                                              .mark_count = commit->mark_count,
                                              .done = on_flown,
                                              .context = flight };
    return journal_submit(journal->inner, &flight->commit, err);
}

/* ---- the rest is the journal's ---- */

static enum status race_own(struct journal *self, const char *group, uint16_t partition, struct error *err)
{
    return race_of(self)->inner->backend->own(race_of(self)->inner, group, partition, err);
}

static enum status race_mark(struct journal *self, const char *group, uint16_t partition, struct journal_mark *out,
                             char *note_buffer)
{
    return race_of(self)->inner->backend->mark(race_of(self)->inner, group, partition, out, note_buffer);
}

static void race_status(struct journal *self, struct journal_status *out)
{
    race_of(self)->inner->backend->status(race_of(self)->inner, out);
}

static enum status race_end_position(struct journal *self, enum journal_topic topic, uint16_t partition, uint64_t *out,
                                     struct error *err)
{
    return race_of(self)->inner->backend->end_position(race_of(self)->inner, topic, partition, out, err);
}

static uint64_t race_end_offset(struct journal *self, enum journal_topic topic, uint16_t partition)
{
    return race_of(self)->inner->backend->end_offset(race_of(self)->inner, topic, partition);
}

static const struct journal_backend RACE_BACKEND = {
    .name = "race",
    .submit = race_submit,
    .read = race_read,
    .reader_open = race_reader_open,
    .reader_close = race_reader_close,
    .own = race_own,
    .mark = race_mark,
    .status = race_status,
    .end_position = race_end_position,
    .end_offset = race_end_offset,
};

static void race_journal_init(struct race_journal *journal, struct journal *inner)
{
    assert(inner->partitions <= PARTITIONS_MAX);
    journal->inner = inner;
    journal->journal = (struct journal){ &RACE_BACKEND, inner->partitions, inner->orders };
    for (size_t i = 0; i < inner->partitions; i++) {
        journal->flights[i] = calloc(1, sizeof *journal->flights[i]);
        if (!journal->flights[i])
            abort();
        journal->flights[i]->journal = journal;
    }
}

/* Events before the committed marks; a partition that is done counts one more, what closes the windows. */
static uint64_t race_journal_read(const struct race_journal *journal)
{
    uint64_t read = 0;
    for (size_t i = 0; i < journal->journal.partitions; i++)
        read += atomic_load(&journal->read[i]);
    return read;
}

static void race_journal_done(struct race_journal *journal)
{
    for (size_t i = 0; i < journal->inner->partitions; i++)
        free(journal->flights[i]);
}
