/* Writing JSON into room that was taken beforehand, with the size known: no bounds are checked here. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

struct writer {
    char *p;
    size_t n;
    bool any; /* there is a member already */
};

static inline void put(struct writer *w, struct slice s)
{
    memcpy(w->p + w->n, s.p, s.n);
    w->n += s.n;
}

/* key: raw, with quotes. */
static inline void put_member(struct writer *w, struct slice key, struct slice value)
{
    if (w->any)
        put(w, SLICE(","));
    put(w, key);
    put(w, SLICE(":"));
    put(w, value);
    w->any = true;
}

static inline void put_named(struct writer *w, const char *name, struct slice value)
{
    char key[64];
    size_t n = strlen(name);
    assert(n + 2 <= sizeof key);
    key[0] = '"';
    memcpy(key + 1, name, n);
    key[n + 1] = '"';
    put_member(w, slice_of(key, n + 2), value);
}
