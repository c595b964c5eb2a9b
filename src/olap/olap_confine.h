/* Shuts the engine's process in, before its library is loaded and before it has a second thread. What the kernel lacks
 * is left out and told: each layer holds by itself. Used by the child alone. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"

struct confine_options {
    int engine_fd;  /* directory: read and write */
    int run_fd;     /* directory: read */
    int library_fd; /* file: read, or -1 */
    uint16_t port;  /* the only TCP port to listen on */
    uint32_t uid;   /* the user to become when started as root (0: stay), also its group */
};

/* Gives up root, capabilities, core dumps, other files, outgoing connections, new programs. *told gets one line of
 * words: what holds here and what does not. Not undoable. */
MUST_CHECK enum status olap_confine(const struct confine_options *options, struct buf *told, struct error *err);
