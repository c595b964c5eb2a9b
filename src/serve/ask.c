/* POST /v1/sql. On the loop: who asks, is it one SELECT, is there room. On a worker: the engine is asked as the
 * tenant's own user, and its answer made ours. The text goes to the engine as it came (the output format is a URL
 * parameter, nothing is spliced). Integers of 64 bits are JSON numbers with every digit. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "serve/inside.h"
#include "serve/sql_check.h"
#include "serve/sql_result.h"
#include "store/store_http.h"

struct question {
    struct job job; /* first: they are cast to each other */
    struct pending pending;
    struct serve *serve;
    struct http_exchange *exchange; /* NULL: the client went away */
    struct serve_user user;
    struct buf sql;
    int64_t began_us;
    /* The worker's: */
    unsigned status;
    const char *code; /* NULL: success, body is the answer */
    struct buf body;
    struct error err;
};

static void fail(struct question *question, unsigned status, const char *code)
{
    question->status = status;
    question->code = code;
}

static void take_engine_error(struct question *question, const struct store_http_answer *answer, struct slice text)
{
    struct sql_verdict verdict = sql_verdict_of(answer->exception_code, answer->http_status);
    fail(question, verdict.http_status, verdict.code);
    if (verdict.engine_words) {
        AUTO(buf) struct buf words;
        buf_init(&words, 4096);
        sql_error_clean(text, &words);
        buf_add_text(&words, sql_error_hint(answer->exception_code));
        snprintf(question->err.text, sizeof question->err.text, "%s", buf_text(&words));
    } else {
        snprintf(question->err.text, sizeof question->err.text, "%s",
                 verdict.http_status == 429 ? "too many questions at once: ask again in a moment"
                                            : "the engine is not ready for this tenant: ask again in a moment");
    }
}

static void take_answer(struct question *question, struct slice json, bool cut)
{
    struct serve *serve = question->serve;
    struct sql_result_options options = { .rows_max = serve->options.rows_max, .cut = cut };
    options.elapsed_us = world_mono_us(serve->world) - question->began_us;
    buf_init(&question->body, serve->options.result_bytes_max + 65536);
    switch (sql_result_write(json, &options, &question->body, &question->err)) {
    case OK:
        question->status = 200;
        break;
    case ERR_FULL:
        fail(question, 400, "query_too_large");
        break;
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_RETRY:
    case ERR_CORRUPT:
    case ERR_IO:
    case ERR_CLOSED:
        fail(question, 503, "engine_broke_off");
        break;
    }
}

/* On a worker's thread. */
static void question_run(struct job *job, struct store_http *http)
{
    struct question *question = (struct question *)job;
    struct serve *serve = question->serve;
    int64_t waited_ms = (world_mono_us(serve->world) - question->began_us) / 1000;
    int64_t left_ms = serve->options.query_timeout_ms - waited_ms;
    AUTO(buf) struct buf answer;
    buf_init(&answer, serve->options.result_bytes_max);
    struct iovec part = { question->sql.p, question->sql.n };
    struct store_http_request request = { .parameters = "default_format=JSONCompact&wait_end_of_query=1",
                                          .parts = &part,
                                          .part_count = 1,
                                          .user = question->user.name,
                                          .password = question->user.password,
                                          .wait_ms = left_ms > 1 ? (uint32_t)left_ms : 1,
                                          .answer = &answer };
    struct store_http_answer got = { 0 };
    enum status s = store_http_ask(http, &request, &got, &question->err);
    if (s == ERR_RETRY &&
        (world_mono_us(serve->world) - question->began_us) / 1000 >= serve->options.query_timeout_ms - 20) {
        fail(question, 408, "query_timeout");
        snprintf(question->err.text, sizeof question->err.text,
                 "no answer within %lld ms: ask for a shorter time or fewer columns",
                 (long long)serve->options.query_timeout_ms);
    } else if (s != OK) {
        fail(question, 503, "engine_not_ready");
        snprintf(question->err.text, sizeof question->err.text, "the engine does not answer: ask again in a moment");
    } else if (got.exception_code || got.http_status != 200) {
        take_engine_error(question, &got, buf_slice(&answer));
    } else {
        take_answer(question, buf_slice(&answer), answer.full);
    }
}

/* The same for all, and by tenant. A question is rare beside an event: its series are looked up anew. */
static void question_count(const struct question *question, bool ok)
{
    struct serve *serve = question->serve;
    const int64_t took_us = world_mono_us(serve->world) - question->began_us;
    AUTO(buf) struct buf labels;
    buf_init(&labels, 512);
    metrics_label(&labels, "customer_id", slice_from(question->job.tenant_id));
    histogram_observe_us(metrics_histogram(serve->metrics, "query_latency_seconds",
                                           "Time from a tenant's question to its answer, waiting included.",
                                           buf_text(&labels)),
                         took_us, 1);
    histogram_observe_us(metrics_histogram_ms(serve->metrics, "query_duration_milliseconds",
                                              "query_latency_seconds in milliseconds.", buf_text(&labels)),
                         took_us, 1);
    histogram_observe_us(serve->sql_seconds, took_us, 1);
    buf_add_char(&labels, ',');
    metrics_label(&labels, "query_type", SLICE("sql"));
    counter_add(metrics_counter(serve->metrics, "analytics_queries_total",
                                "Questions of tenants, refused ones included.", buf_text(&labels)),
                1);
    counter_add(ok ? serve->sql_ok : serve->sql_failed, 1);
}

static void question_free(struct question *question)
{
    buf_done(&question->sql);
    buf_done(&question->body);
    free(question);
}

static void question_done(struct job *job)
{
    struct question *question = (struct question *)job;
    struct serve *serve = question->serve;
    question_count(question, question->status == 200);
    if (question->exchange) {
        http_set_context(question->exchange, NULL);
        struct answer_extra extra = { .cors = true,
                                      .retry_after_s = question->status == 503 || question->status == 429 };
        if (question->status == 0) /* it never ran */
            answer_error(serve, question->exchange, 503, "stopping", "weir is stopping", &extra);
        else if (question->code)
            answer_error(serve, question->exchange, question->status, question->code, question->err.text, &extra);
        else
            answer_body(serve, question->exchange, 200, buf_slice(&question->body), &extra);
    }
    question_free(question);
}

static void question_gone(struct pending *pending)
{
    struct question *question = (struct question *)((char *)pending - offsetof(struct question, pending));
    question->exchange = NULL;
    workers_cancel(question->serve->workers, &question->job);
}

static struct question *question_new(struct serve *serve, const struct tenant *tenant)
{
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        return NULL;
    question->job.run = question_run;
    question->job.done = question_done;
    question->pending.gone = question_gone;
    question->serve = serve;
    question->began_us = world_mono_us(serve->world);
    memcpy(question->job.tenant_id, tenant->id, sizeof question->job.tenant_id);
    serve->options.reader(serve->options.hook_self, tenant->olap_slot, &question->user);
    buf_init(&question->sql, SQL_BYTES_MAX * 2);
    return question;
}

/* The member "sql" of the body into out. */
static bool read_sql(struct http_exchange *exchange, struct buf *out)
{
    struct slice body = http_body(exchange), value;
    return json_is_whole(body) && json_find(body, "sql", &value) && json_scan_string(value, out) && !out->full;
}

static void submit(struct serve *serve, struct http_exchange *exchange, struct question *question)
{
    question->exchange = exchange;
    http_set_context(exchange, &question->pending);
    enum status s = workers_submit(serve->workers, &question->job);
    if (s == OK)
        return;
    http_set_context(exchange, NULL);
    question_count(question, false);
    question_free(question);
    struct answer_extra later = { .cors = true, .retry_after_s = 1 };
    if (s == ERR_FULL)
        answer_error(serve, exchange, 429, "too_many_queries",
                     "too many questions of this tenant at once: wait for an answer before asking again", &later);
    else
        answer_error(serve, exchange, 503, "busy", "too many questions wait already: ask again in a moment", &later);
}

void ask_sql(struct serve *serve, struct http_exchange *exchange)
{
    const struct tenant *tenant = access_reader(serve, exchange, false);
    if (!tenant)
        return;
    if (!serve->options.reader || !serve->options.engine_url ||
        (serve->options.engine_is_ready && !serve->options.engine_is_ready(serve->options.hook_self))) {
        answer_error(serve, exchange, 503, "engine_not_ready", "the engine is starting: ask again in a moment",
                     &(struct answer_extra){ .cors = true, .retry_after_s = 1 });
        return;
    }
    struct question *question = question_new(serve, tenant);
    struct error err = { 0 };
    if (!question) {
        answer_error(serve, exchange, 503, "busy", "out of memory: ask again in a moment",
                     &(struct answer_extra){ .cors = true, .retry_after_s = 1 });
    } else if (!read_sql(exchange, &question->sql)) {
        question_free(question);
        answer_error(serve, exchange, 400, "bad_request",
                     "the body is a JSON object {\"sql\": \"SELECT …\"} of at most 64 KiB", &ANSWER_CORS);
    } else if (sql_check(buf_slice(&question->sql), &err) != OK) {
        question_count(question, false);
        question_free(question);
        answer_error(serve, exchange, 400, "bad_sql", err.text, &ANSWER_CORS);
    } else {
        submit(serve, exchange, question);
    }
}
