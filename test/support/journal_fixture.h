/* A journal of every backend in turn, for the contract tests: add a row to BACKENDS for a new one. The tests step the
 * roles by hand, so that each says exactly when something is written. Each test has a fresh journal of four partitions
 * and small segments in a directory of its own.
 *
 * A far backend runs only when WEIR_TEST_KAFKA names brokers (HOST:PORT; test/scenario/kafka_test.py starts one), each
 * test under a prefix of its own. It works on threads of its own: steps go on until what was submitted is done. */
#pragma once
#include <stdatomic.h>

#include "base/role.h"
#include "base/test.h"
#include "journal/journal.h"

#define SEGMENT (256u << 10)

struct journal_fixture {
    const struct journal_backend *backend;
    bool keeps; /* remembers after close */
    bool far;   /* other processes' too: bounds and retention are the brokers', positions are each partition's own */
    struct journal_options options; /* for the next opening */
    struct journal *journal;        /* NULL: closed */
    struct role roles[2];
    size_t role_count;
};
extern struct journal_fixture fixture; /* one at a time: cmocka's tests are functions without a self */

/* Runs the tests over each backend that can run here. Returns how many failed: what main returns. */
int journal_fixture_run(const struct CMUnitTest *tests, size_t test_count);
#define JOURNAL_TEST(name) cmocka_unit_test_setup_teardown(name, journal_fixture_setup, journal_fixture_teardown)
int journal_fixture_setup(void **state);
int journal_fixture_teardown(void **state);

void journal_fixture_open(void);
void journal_fixture_close(void);
/* Until no role has more to do, of a far backend until all that was submitted is done. */
void journal_fixture_step(void);

/* A commit with its own memory: up to four chunks of numbered records. */
struct sent {
    struct journal_commit commit;
    struct journal_chunk chunks[4];
    struct journal_mark marks[4];
    char *bytes[4];
    _Atomic int calls; /* of done, with this status */
    enum status status;
};

void sent_init(struct sent *sent);
void sent_done(struct sent *sent);
/* Records "number" … as text, filled up to record_bytes. */
void sent_add_chunk(struct sent *sent, uint16_t topic, uint16_t partition, uint32_t records, uint32_t record_bytes,
                    unsigned number);
void sent_add_mark(struct sent *sent, const char *group, uint16_t partition, uint64_t position, const char *note);
/* Any thread. */
enum status sent_submit(struct sent *sent, struct error *err);
/* Submits and steps; it must be done once, with that status. */
void sent_expect(struct sent *sent, enum status expected);

/* Commits that are durable when they return. */
void send_records(uint16_t topic, uint16_t partition, uint32_t records, uint32_t record_bytes, unsigned number);
void send_mark(const char *group, uint16_t partition, uint64_t position, const char *note);
/* Events of partition 0 in commits of 40 KB, so that a segment takes a few. Returns the number for the next call. */
unsigned send_many(unsigned from, unsigned commits);

struct journal_reader *reader_at(uint32_t topics, uint16_t partition, uint64_t position);
/* A read that, of a far backend, gives what is on its way a moment. */
enum status read_some(struct journal_reader *reader, size_t bytes_max, struct journal_batch *out, struct error *err);
/* Reads to the end; each record must be the next number from `number` on. Returns how many came. */
uint64_t read_numbers(struct journal_reader *reader, unsigned number, uint64_t *out_next);
/* The same with a reader of its own. */
uint64_t count_from(uint32_t topics, uint16_t partition, uint64_t position, unsigned number);
