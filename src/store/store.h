/* The store: columns for queries. The port takes blocks of rows and nothing else: tables are made by the schema's
 * owner, questions are asked by the serving side. Backends: clickhouse (embedded or remote, the difference is a URL),
 * memory (tests, simulation). Threads: one store is used by one thread at a time; only cancel may come from any.
 *
 * Exactly once: an insert carries a token. The same token twice in the same table, within the table's window of
 * blocks, is stored once, in the rollups too. An insert makes one block for each storage partition that it touches. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"
#include "store/native.h"

struct store;
struct world;

#define STORE_TOKEN_MAX 160

struct store_options {
    const char *url;          /* "http://127.0.0.1:8123"; https too; memory: ignored */
    const char *database;     /* "weir" */
    const char *user;         /* "writer" */
    const char *password;     /* "" for none */
    const char *tls_ca;       /* as in store_http.h */
    uint32_t connect_wait_ms; /* longest wait for a connection; 2000 */
    uint32_t insert_wait_ms;  /* longest wait for one insert; 60000 */
};

struct store_insert {
    const char *table;                /* without its database */
    const char *token;                /* [a-z0-9_/-]*, at most STORE_TOKEN_MAX - 1 */
    const struct native_block *block; /* borrowed; rows [first, end) of it are inserted */
    uint32_t first, end;
};

struct store_backend {
    const char *name; /* as in the settings: "clickhouse", "memory" */
    /* Does not touch the outside world: a store that is away is found out by ping or insert. */
    enum status (*open)(const struct store_options *, struct world *, struct store **, struct error *);
    /* OK: the rows are visible to queries, once.
     * ERR_RETRY: away, busy or slow; it may or may not have happened: insert again with the same token and rows.
     * ERR_NOT_FOUND: the store is not as it should be (table, column, user, right missing): as ERR_RETRY, but somebody
     *     must act.
     * ERR_INVALID: these rows were refused for what they contain, and nothing of the insert was written: another
     *     split of them, under other tokens, may go.
     * ERR_CLOSED: cancelled. */
    enum status (*insert)(struct store *, const struct store_insert *, struct error *);
    /* OK: it answers. ERR_RETRY, ERR_CLOSED. */
    enum status (*ping)(struct store *, struct error *);
    /* From any thread: what is under way ends soon, what comes later at once, with ERR_CLOSED. */
    void (*cancel)(struct store *);
    void (*close)(struct store *); /* NULL is fine */
};

/* Every backend's struct begins with this. */
struct store {
    const struct store_backend *backend;
};

extern const struct store_backend store_clickhouse, store_memory;

MUST_CHECK static inline enum status store_insert(struct store *store, const struct store_insert *insert,
                                                  struct error *err)
{
    return store->backend->insert(store, insert, err);
}

static inline void store_close(struct store *store)
{
    if (store)
        store->backend->close(store);
}
