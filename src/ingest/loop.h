/* One ingestion thread: a libuv loop with an HTTP server and a core. Made on the owner's thread, run on its own.
 * Bounds: those of the server and the core. */
#pragma once
#include "ingest/core.h"

struct loop;

MUST_CHECK enum status loop_new(const struct ingest_options *options, const struct core_shared *shared, unsigned number,
                                struct loop **out, struct error *err);
uint16_t loop_port(const struct loop *loop);
MUST_CHECK enum status loop_start(struct loop *loop, struct error *err);
/* Any thread; returns at once. */
void loop_begin_stop(struct loop *loop);
/* Waits until the thread has drained and ended; a loop that was never started drains here. */
void loop_finish_stop(struct loop *loop);
void loop_free(struct loop *loop); /* after loop_finish_stop; NULL is fine */
