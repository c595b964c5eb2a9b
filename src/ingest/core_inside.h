/* The parts of struct core that core.c (turns and commits), judge.c (bodies) and answer.c (texts) share. For them
 * alone. */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/queue.h"
#include "ingest/batch.h"
#include "ingest/core.h"
#include "ingest/inflate.h"
#include "ingest/member.h"
#include "ingest/produced.h"
#include "ingest/salt.h"
#include "ingest/ticket.h"
#include "world/world.h"

enum answer_kind { ANSWERED_OK, ANSWERED_CLIENT_ERROR, ANSWERED_QUOTA, ANSWERED_UNAVAILABLE, ANSWER_KINDS };

struct core {
    struct ingest_options options;
    struct core_shared shared;
    struct core_host host;
    struct members *members;
    struct produced *produced;
    struct event_parser *parser;
    struct inflate *inflate;
    struct arena arena; /* of the request that is being judged */
    struct ticket_pool tickets;
    struct batch_pool batches;
    struct batch *current; /* being filled; NULL: none yet */
    struct queue *finished;
    size_t in_flight_bytes, in_flight_commits;
    bool judging; /* the parser is in use: a request that comes in from within an answer has to queue */
    bool kept;    /* the request being judged went into the batch */
    bool draining;
    bool journal_refuses;        /* the last commit was not kept … */
    int64_t journal_refused_us;  /* … at this time */
    _Atomic uint32_t completing; /* calls of batch_done that have not returned */
    /* Fairness: */
    struct member anonymous; /* queue of the requests whose tenant only the body tells */
    struct member *waiting_first, *waiting_last;
    uint64_t turn;
    size_t turn_bytes;
    size_t queued;
    /* Text of the answer at hand: */
    struct buf text;
    struct log_limit unavailable_limit, quota_limit;
    struct counter *answers[ANSWER_KINDS];
    struct counter *queue_full, *in_flight_full, *turns_full;
    struct counter *commits, *commit_events;
    struct gauge *in_flight_gauge, *queued_gauge, *batch_events_gauge;
};

/* judge.c: decodes, authenticates, parses, takes from the quota, and either answers or puts the records and the ticket
 * into the current batch (true). *out_bytes: what it worked on. The ticket is answered and given back, or the batch's.
 */
bool judge(struct core *core, struct ticket *ticket, size_t *out_bytes);
/* 503: counts the events as dropped, gives the quota back, answers, gives the ticket back. */
void judge_unavailable(struct core *core, struct ticket *ticket, const char *reason);

/* core.c: a batch with room for `bytes` more, submitting the current one if need be. ERR_FULL: in-flight bounds. */
MUST_CHECK enum status core_batch_for(struct core *core, size_t bytes, struct batch **out, struct error *err);
/* Judges the request now or when its tenant's turn has come. The ticket when it waits for something, else NULL. */
struct ticket *core_schedule(struct core *core, struct ticket *ticket);

/* answer.c. Each builds the text in core->text and answers an exchange. */
struct refusal {
    unsigned status;
    const char *code;       /* stable */
    const char *message;    /* for a person: what is wrong and what to do */
    uint32_t retry_after_s; /* 0: none */
    const char *allow;      /* 405 alone */
};
void answer_refusal(struct core *core, void *exchange, bool cors, const struct refusal *refusal);
void answer_text(struct core *core, void *exchange, bool cors, unsigned status, const char *content_type);
void answer_preflight(struct core *core, void *exchange);
void answer_settings(struct core *core, void *exchange, const struct ingest_request *request, struct slice key);
/* {"accepted":…} of a ticket whose records are durable; gives the ticket back. */
void answer_accepted(struct core *core, struct ticket *ticket);
/* Adds a verdict to what answer_accepted will say. */
void verdict_add(struct core *core, struct ticket *ticket, const struct event_reject *reject);

/* receive.c: the 401 for a key that is not a write key. */
struct refusal refusal_of_key(enum key_verdict verdict);
