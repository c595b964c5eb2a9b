/* What a process in the foreground is asked by signals: to stop (SIGTERM, ctrl-C), or to read its configuration again
 * (SIGHUP). They are blocked and waited for, so that nothing is done within a handler. Owned by the main thread. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum asked { ASKED_NOTHING, ASKED_TO_STOP, ASKED_TO_RELOAD };

/* Before any thread is made, so that only this one takes them. A reader that goes away ends nobody from here on. */
void asked_begin(sigset_t *out_signals);
/* During a start: it has been asked to stop, and whoever waits shall end. */
bool asked_is_to_stop(void);
/* Waits so long at most; the end of a child wakes, too. log_name: "up.stopping", of the line that says what stops it.
 */
enum asked asked_wait(const sigset_t *signals, int64_t wait_ms, const char *log_name);
