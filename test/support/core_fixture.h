/* Ingestion's core with a journal in memory and a directory of four tenants, without a socket, for the tests of
 * src/ingest: answers are collected by the number of the exchange. The journal's role is stepped by hand, so a test
 * decides when something becomes durable. Time stands still. One thread.
 *
 * The tenants, with the keys NAME_write and NAME_read: acme (no quota, 30 days), small (100 a minute), default_quota,
 * demo_tenant (open), and late once with_late_tenant is set. */
#pragma once
#include "base/metrics.h"
#include "base/role.h"
#include "base/test.h"
#include "catalog/directory.h"
#include "ingest/core.h"
#include "ingest/quota.h"
#include "ingest/salt.h"
#include "journal/journal.h"
#include "world/world.h"

#define EXCHANGES_MAX 600
#define T0_US (INT64_C(1795500000) * 1000000) /* November 2026 */

#define EVENT "{\"visitor_id\":\"v1\",\"event_type\":\"page_view\",\"event_name\":\"Home\"}"

struct answer {
    unsigned times, status;
    char headers[512];
    char *body;
    uint64_t order; /* the first answer of the test is 1 */
};

struct core_fixture {
    struct world world; /* first: the clock functions get it */
    int64_t now_us;
    struct catalog catalog;
    struct catalog_backend backend;
    uint64_t version; /* of the directory: count it up when with_late_tenant or directory_fails has changed */
    bool with_late_tenant, directory_fails;
    const char *not_ready; /* why the process is not; NULL: it is */
    struct journal *journal;
    struct journal_reader *reader;
    struct role journal_role;
    struct metrics *metrics;
    struct quota_table *quotas;
    struct salt *salt;
    struct core *core;
    struct answer answers[EXCHANGES_MAX];
    char *bodies[EXCHANGES_MAX];
    size_t exchange_count;
    uint64_t answer_count;
    unsigned wakes, warnings;
    uint32_t quota_processes;
};

int core_fixture_setup(void **state);
/* Room for a few events only, and a reader that has read nothing: so nothing may be deleted. */
int core_fixture_setup_tiny_journal(void **state);
int core_fixture_setup_one_commit(void **state);   /* in flight at a time */
int core_fixture_setup_one_of_three(void **state); /* processes that share the quotas */
int core_fixture_teardown(void **state);
#define CORE_TEST(name) cmocka_unit_test_setup_teardown(name, core_fixture_setup, core_fixture_teardown)

void core_fixture_make_durable(struct core_fixture *fixture);
/* All that is under way gets its answer. */
void core_fixture_settle(struct core_fixture *fixture);
/* A counter's value. */
uint64_t core_fixture_counted(struct core_fixture *fixture, const char *name, const char *labels);

/* What the journal got since the last call: how many, and the last of them. */
struct core_found {
    size_t events, letters;
    char customer[64], type[64], reason[64], stage[64], original[256];
    int64_t ingested_us, received_ms;
};
struct core_found core_fixture_read_journal(struct core_fixture *fixture);

struct sent_request {
    struct answer *answer;
    struct ticket *ticket; /* NULL: answered at once */
};
/* The body is copied. */
struct sent_request send_request(struct core_fixture *fixture, struct ingest_request request);
struct ingest_request post_request(const char *path, const char *key, struct slice body);
struct answer *post_and_settle(struct core_fixture *fixture, const char *path, const char *key, struct slice body);
struct answer *get_path(struct core_fixture *fixture, const char *path);
/* An array of n events of other visitors each; the caller frees p. */
struct slice events_array(size_t n);
/* Answered once, with that status, and the text somewhere in the body (NULL: any). */
void expect_answer(const struct answer *answer, unsigned status, const char *text);
