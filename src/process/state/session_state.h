/* The sessions of a partition as a `struct state` (state.h): the table in memory (session_table.h), its changes in the
 * changelog, and its files. Owner: the task of one partition; one thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "event/event.h"
#include "event/session_record.h"
#include "process/state/session_table.h"
#include "process/state/state.h"

struct session_state;

struct state_kv;

struct session_state_options {
    int64_t gap_ms;            /* a pause longer than this ends a session; the longest of all tenants' */
    uint64_t memory_bytes_max; /* visitors beyond it are in the map alone, until they come back; 0: 128 MiB */
    struct state_kv *kv;       /* stands before it in the task's list of states */
    /* How long the tenant's events are kept; INT64_MAX: for ever. NULL: all are, and no session is ever forgotten. */
    int64_t (*kept_ms)(void *self, struct slice customer_id);
    void *kept_self;
};

/* Aborts when out of memory (start-up only). */
struct session_state *session_state_new(const struct session_state_options *options);
void session_state_free(struct session_state *sessions);
struct state *session_state_state(struct session_state *sessions);
struct session_table *session_state_table(struct session_state *sessions);

/* The event's visitor, made when there is none yet. After a state_ops.prepare. ERR_IO: out of memory, or the files
 * could not be read: the task must stop. */
MUST_CHECK enum status session_state_visitor(struct session_state *sessions, struct id128 id, const struct event *event,
                                             struct session_visitor **out, struct error *err);
/* When the event that was taken last had been received: what nothing can change any more is forgotten by it
 * (session_forget.c). */
void session_state_received(struct session_state *sessions, int64_t received_ms);
uint64_t session_state_forgotten(const struct session_state *sessions); /* since the start */
/* What waits to be sent (session_table_unsent) is to go with the next commit: the task stops, or a checkpoint waits. */
void session_state_hurry(struct session_state *sessions);
bool session_state_hurries(const struct session_state *sessions);
/* What a replay left waiting has been sent by who made the changes: of a copy that ends where he had nothing to send.
 */
void session_state_all_sent(struct session_state *sessions);
/* The change as a record (views into the table). False: the session was removed again before anybody knew of it. */
MUST_CHECK bool session_state_record(const struct session_change *change, struct session_record *out);
