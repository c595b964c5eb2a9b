/* What session_state.c (the sessions as a struct state) and session_map.c (what of them is in the partition's map)
 * share. */
#pragma once
#include "process/state/kv_writer.h"
#include "process/state/session_state.h"

#define TOLD_MAX 1024
#define SESSION_KEY_BYTES 25 /* in the map */

struct session_state {
    struct state state;
    struct session_table *table;
    struct session_state_options options;
    struct kv_writer writer;
    bool complete;         /* every visitor is in memory: who is not in the table is new */
    uint64_t commits;      /* changelog records made since the start */
    uint64_t durable;      /* of them; replayed ones are durable, too, and numbered before them */
    uint64_t first_offset; /* the oldest changelog record that is not in the map's stamp; UINT64_MAX: none */
    struct told {
        uint64_t queued, commit;
    } told[TOLD_MAX]; /* which commit is wholly written when so many entries are; a ring */
    size_t told_first, told_count;
    uint64_t stored_commit;                  /* everything of the commits up to here is in the map */
    uint64_t settle_queued;                  /* the checkpoint waits for so many entries */
    size_t hand;                             /* of the clock */
    bool send_all;                           /* a checkpoint waits for it */
    struct session_forget {                  /* of what is older than the tenant's retention */
        int64_t received_ms, next_ms;        /* of the last event; when that is to be for the next round */
        uint8_t from[SESSION_KEY_BYTES + 1]; /* where the round is in the map */
        size_t from_n;                       /* 0: none is on */
        uint64_t forgotten;
    } forget;
};

/* A change as it stands in the changelog. */
struct session_put {
    struct id128 id;
    struct session_record record;
    struct slice bytes; /* of the record */
};

/* session_forget.c */
/* A bounded piece of a round through the map. */
MUST_CHECK enum status session_forget_step(struct session_state *sessions, struct error *err);

/* session_map.c */
struct id128 session_map_key_id(struct slice key);
/* Sets the session of the record in memory, with its visitor. send: as session_table_put. */
MUST_CHECK enum status session_map_put(struct session_state *sessions, struct id128 id,
                                       const struct session_record *record, bool send, struct error *err);
/* Brings the visitor's sessions from the map into memory, if there are any. */
MUST_CHECK enum status session_map_load_visitor(struct session_state *sessions, struct id128 id, struct error *err);
/* A change that is durable, on its way into the map; before it, what fetches the memory that it will look at. */
void session_map_prefetch(struct session_state *sessions, const struct session_put *change);
void session_map_prefetch_entry(struct session_state *sessions, const struct session_put *change);
void session_map_queue(struct session_state *sessions, const struct session_put *change);
/* A commit's changes are all queued; what has been written since. */
void session_map_note_told(struct session_state *sessions);
void session_map_note_written(struct session_state *sessions);
/* Who was not seen for longest leaves memory, as far as the bound asks for it. True: there may be more to do. */
bool session_map_evict(struct session_state *sessions);
