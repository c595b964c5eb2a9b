#include "app/asked.h"

#include <time.h>

#include "base/log.h"

void asked_begin(sigset_t *out_signals)
{
    sigemptyset(out_signals);
    sigaddset(out_signals, SIGTERM);
    sigaddset(out_signals, SIGINT);
    sigaddset(out_signals, SIGHUP);
    sigaddset(out_signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, out_signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool asked_is_to_stop(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

enum asked asked_wait(const sigset_t *signals, int64_t wait_ms, const char *log_name)
{
    const struct timespec wait = { wait_ms / 1000, wait_ms % 1000 * 1000000 };
    const int signal = sigtimedwait(signals, NULL, &wait);
    if (signal == SIGHUP)
        return ASKED_TO_RELOAD;
    if (signal != SIGTERM && signal != SIGINT)
        return ASKED_NOTHING;
    log_info(log_name, "signal=%s", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    return ASKED_TO_STOP;
}
