/* A visitor's sessions lie in one array, ascending. Most events belong to the last one, so the search begins there. The
 * hash table holds pointers, with half of the id beside each, so that a look-up touches one slot and one visitor. */
#include "process/state/session_table.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 1024
#define CHANGES_OF_EVENT 3 /* one session changed, two starts gone */

struct slot {
    uint64_t hi;
    struct session_visitor *visitor; /* NULL: empty */
};

struct session_table {
    int64_t gap_ms;
    struct slot *slots;
    size_t slot_count, visitors, sessions, text_bytes;
    struct session_change *changes;
    size_t change_count, change_capacity;
    struct session_change *unsent;
    size_t unsent_count, unsent_capacity;
};

struct session_table *session_table_new(int64_t gap_ms)
{
    struct session_table *table = calloc(1, sizeof *table);
    if (!table)
        abort();
    assert(gap_ms >= 0);
    table->gap_ms = gap_ms;
    return table;
}

void session_table_set_gap(struct session_table *table, int64_t gap_ms)
{
    table->gap_ms = gap_ms;
}

static void visitor_free(struct session_visitor *visitor)
{
    for (size_t i = 0; i < visitor->user_count; i++)
        free((void *)(uintptr_t)visitor->users[i].p);
    free(visitor->users);
    if (visitor->sessions != &visitor->only)
        free(visitor->sessions);
    free(visitor);
}

void session_table_empty(struct session_table *table)
{
    for (size_t i = 0; i < table->slot_count; i++)
        if (table->slots[i].visitor)
            visitor_free(table->slots[i].visitor);
    free(table->slots);
    free(table->changes);
    free(table->unsent);
    *table = (struct session_table){ .gap_ms = table->gap_ms };
}

void session_table_free(struct session_table *table)
{
    if (!table)
        return;
    session_table_empty(table);
    free(table);
}

/* ---- the hash table ---- */

static struct slot *slot_of(const struct session_table *table, struct id128 id)
{
    size_t at = id.lo & (table->slot_count - 1);
    while (table->slots[at].visitor && !(table->slots[at].hi == id.hi && table->slots[at].visitor->id.lo == id.lo))
        at = (at + 1) & (table->slot_count - 1);
    return &table->slots[at];
}

static bool grow(struct session_table *table, size_t slot_count)
{
    struct session_table larger = *table;
    larger.slot_count = slot_count;
    larger.slots = calloc(slot_count, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < table->slot_count; i++)
        if (table->slots[i].visitor)
            *slot_of(&larger, table->slots[i].visitor->id) = table->slots[i];
    free(table->slots);
    *table = larger;
    return true;
}

static bool reserve_changes(struct session_change **io_list, size_t *io_capacity, size_t needed)
{
    if (needed <= *io_capacity)
        return true;
    struct session_change *list = realloc(*io_list, 2 * needed * sizeof *list);
    if (!list)
        return false;
    *io_list = list;
    *io_capacity = 2 * needed;
    return true;
}

bool session_table_reserve(struct session_table *table, size_t events)
{
    size_t slots = table->slot_count ? table->slot_count : SLOTS_MIN;
    while (slots / 4 * 3 < table->visitors + events)
        slots *= 2;
    if (slots != table->slot_count && !grow(table, slots))
        return false;
    return reserve_changes(&table->changes, &table->change_capacity, table->change_count + events * CHANGES_OF_EVENT) &&
           reserve_changes(&table->unsent, &table->unsent_capacity, table->unsent_count + events * CHANGES_OF_EVENT);
}

void session_table_prefetch(const struct session_table *table, struct id128 id)
{
    __builtin_prefetch(&table->slots[id.lo & (table->slot_count - 1)]);
}

void session_table_prefetch_visitor(const struct session_table *table, struct id128 id)
{
    size_t at = id.lo & (table->slot_count - 1);
    for (int i = 0; i < 4 && table->slots[at].visitor; i++, at = (at + 1) & (table->slot_count - 1)) {
        const struct session_visitor *visitor = table->slots[at].visitor;
        if (table->slots[at].hi != id.hi)
            continue;
        __builtin_prefetch(visitor);
        __builtin_prefetch((const char *)visitor + 64);
        return;
    }
}

struct session_visitor *session_table_find(struct session_table *table, struct id128 id)
{
    if (table->slot_count == 0)
        return NULL;
    struct session_visitor *visitor = slot_of(table, id)->visitor;
    if (visitor)
        visitor->recent = true;
    return visitor;
}

struct session_visitor *session_table_add(struct session_table *table, struct id128 id, struct slice customer_id,
                                          struct slice visitor_id, struct slice placement)
{
    size_t text_n = customer_id.n + visitor_id.n + placement.n;
    assert(customer_id.n <= UINT16_MAX && visitor_id.n <= UINT16_MAX && placement.n <= UINT16_MAX);
    assert(table->visitors < table->slot_count / 4 * 3); /* reserve saw to it */
    struct slot *slot = slot_of(table, id);
    assert(!slot->visitor);
    struct session_visitor *visitor = malloc(sizeof *visitor + text_n);
    if (!visitor)
        return NULL;
    *visitor = (struct session_visitor){ .id = id,
                                         .customer_n = (uint16_t)customer_id.n,
                                         .visitor_n = (uint16_t)visitor_id.n,
                                         .placement_n = (uint16_t)placement.n,
                                         .capacity = 1,
                                         .recent = true };
    visitor->sessions = &visitor->only;
    const struct slice parts[] = { customer_id, visitor_id, placement };
    char *at = visitor->text;
    for (size_t i = 0; i < COUNT_OF(parts); at += parts[i].n, i++)
        if (parts[i].n)
            memcpy(at, parts[i].p, parts[i].n);
    *slot = (struct slot){ id.hi, visitor };
    table->visitors++;
    table->text_bytes += text_n;
    return visitor;
}

/* What stood behind the hole moves up when its home is not behind the hole (Knuth 6.4, algorithm R). */
static void close_hole(struct session_table *table, size_t hole)
{
    size_t mask = table->slot_count - 1;
    for (size_t at = (hole + 1) & mask; table->slots[at].visitor; at = (at + 1) & mask) {
        size_t home = table->slots[at].visitor->id.lo & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        table->slots[hole] = table->slots[at];
        table->slots[at] = (struct slot){ 0 };
        hole = at;
    }
}

void session_table_drop(struct session_table *table, struct session_visitor *visitor)
{
    struct slot *slot = slot_of(table, visitor->id);
    assert(slot->visitor == visitor && visitor->changed_in != SESSION_UNTOLD && visitor->unsent == 0);
    size_t hole = (size_t)(slot - table->slots);
    *slot = (struct slot){ 0 };
    close_hole(table, hole);
    table->visitors--;
    table->sessions -= visitor->count;
    table->text_bytes -= (size_t)visitor->customer_n + visitor->visitor_n + visitor->placement_n;
    visitor_free(visitor);
}

struct session_visitor *session_table_next(struct session_table *table, size_t *io_hand)
{
    for (size_t n = 0; n < table->slot_count; n++) {
        size_t at = (*io_hand)++ & (table->slot_count - 1);
        if (table->slots[at].visitor)
            return table->slots[at].visitor;
    }
    return NULL;
}

/* ---- one visitor ---- */

/* How many sessions begin at or before the time. */
static uint32_t begun_by(const struct session_visitor *visitor, int64_t time_ms)
{
    uint32_t low = 0, high = visitor->count;
    if (high && visitor->sessions[high - 1].start_ms <= time_ms)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (visitor->sessions[middle].start_ms <= time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct session *session_visitor_find(const struct session_visitor *visitor, int64_t start_ms)
{
    uint32_t n = begun_by(visitor, start_ms);
    return n && visitor->sessions[n - 1].start_ms == start_ms ? &visitor->sessions[n - 1] : NULL;
}

struct slice session_visitor_user(const struct session_visitor *visitor, const struct session *session)
{
    return session->user ? visitor->users[session->user - 1] : (struct slice){ "", 0 };
}

/* Index + 1 of the user, 0: there is no more room for users (or no memory). */
static uint16_t user_number(struct session_table *table, struct session_visitor *visitor, struct slice user_id)
{
    if (user_id.n == 0)
        return 0;
    for (uint16_t i = visitor->user_count; i-- > 0;)
        if (slice_equal(visitor->users[i], user_id))
            return (uint16_t)(i + 1);
    if (visitor->user_count == VISITOR_USERS_MAX)
        return 0;
    size_t count = visitor->user_count;
    if ((count & (count - 1)) == 0) { /* capacity is the next power of two */
        struct slice *users = realloc(visitor->users, (count ? 2 * count : 1) * sizeof *users);
        if (!users)
            return 0;
        visitor->users = users;
    }
    char *copy = malloc(user_id.n);
    if (!copy)
        return 0;
    memcpy(copy, user_id.p, user_id.n);
    visitor->users[visitor->user_count++] = slice_of(copy, user_id.n);
    table->text_bytes += user_id.n;
    return visitor->user_count;
}

/* The later word wins; of two at the same moment the greater text, so that the order of arrival does not matter. */
static void note_user(const struct session_visitor *visitor, struct session *session, uint16_t user, int64_t user_ms)
{
    if (user == 0 || (session->user && user_ms < session->user_ms))
        return;
    if (session->user && user_ms == session->user_ms &&
        slice_compare(visitor->users[user - 1], visitor->users[session->user - 1]) <= 0)
        return;
    session->user = user;
    session->user_ms = user_ms;
}

static bool make_room(struct session_visitor *visitor)
{
    if (visitor->count < visitor->capacity)
        return true;
    bool embedded = visitor->sessions == &visitor->only;
    uint32_t capacity = 2 * visitor->capacity;
    struct session *sessions = realloc(embedded ? NULL : visitor->sessions, capacity * sizeof *sessions);
    if (!sessions)
        return false;
    if (embedded)
        sessions[0] = visitor->only;
    visitor->sessions = sessions;
    visitor->capacity = capacity;
    return true;
}

static struct session *insert_at(struct session_table *table, struct session_visitor *visitor, uint32_t at)
{
    struct session *session = &visitor->sessions[at];
    memmove(session + 1, session, (visitor->count - at) * sizeof *session);
    visitor->count++;
    table->sessions++;
    return session;
}

static void remove_at(struct session_table *table, struct session_visitor *visitor, uint32_t at)
{
    struct session *session = &visitor->sessions[at];
    memmove(session, session + 1, (visitor->count - at - 1) * sizeof *session);
    visitor->count--;
    table->sessions--;
}

bool session_table_forget(struct session_table *table, struct session_visitor *visitor, int64_t start_ms)
{
    const struct session *session = session_visitor_find(visitor, start_ms);
    if (!session || session->flags & (SESSION_CHANGED | SESSION_UNSENT))
        return false;
    remove_at(table, visitor, (uint32_t)(session - visitor->sessions));
    return true;
}

static void add_change(struct session_table *table, struct session_visitor *visitor, int64_t start_ms, bool removed)
{
    assert(table->change_count < table->change_capacity); /* reserve saw to it */
    table->changes[table->change_count++] = (struct session_change){ visitor, start_ms, removed };
    visitor->changed_in = SESSION_UNTOLD;
}

static void to_send(struct session_table *table, struct session_visitor *visitor, int64_t start_ms, bool removed)
{
    assert(table->unsent_count < table->unsent_capacity); /* reserve saw to it */
    table->unsent[table->unsent_count++] = (struct session_change){ visitor, start_ms, removed };
    visitor->unsent++;
}

static void changed(struct session_table *table, struct session_visitor *visitor, struct session *session)
{
    if (!(session->flags & SESSION_UNSENT))
        to_send(table, visitor, session->start_ms, false);
    if (!(session->flags & SESSION_CHANGED))
        add_change(table, visitor, session->start_ms, false);
    session->flags |= SESSION_CHANGED | SESSION_UNSENT;
}

/* The session will begin elsewhere or be part of another: who knows it must be told. */
static void start_is_gone(struct session_table *table, struct session_visitor *visitor, const struct session *session)
{
    if (!(session->flags & SESSION_KNOWN))
        return;
    add_change(table, visitor, session->start_ms, true);
    to_send(table, visitor, session->start_ms, true);
}

static void absorb_next(struct session_table *table, struct session_visitor *visitor, uint32_t at)
{
    struct session *session = &visitor->sessions[at], *next = session + 1;
    start_is_gone(table, visitor, next);
    session->events += next->events;
    session->views += next->views;
    note_user(visitor, session, next->user, next->user_ms);
    if (next->end_ms > session->end_ms)
        session->end_ms = next->end_ms;
    remove_at(table, visitor, at + 1);
}

/* Whether a pause of this length still belongs to one session; later >= earlier, any two times. */
static bool within_gap(const struct session_table *table, int64_t earlier_ms, int64_t later_ms)
{
    return later_ms <= earlier_ms || (uint64_t)later_ms - (uint64_t)earlier_ms <= (uint64_t)table->gap_ms;
}

bool session_table_event(struct session_table *table, struct session_visitor *visitor, int64_t time_ms,
                         struct slice user_id, bool is_view)
{
    if (!make_room(visitor))
        return false;
    uint32_t begun = begun_by(visitor, time_ms);
    uint16_t user = user_number(table, visitor, user_id);
    bool joins_earlier = begun && within_gap(table, visitor->sessions[begun - 1].end_ms, time_ms);
    bool joins_later = begun < visitor->count && within_gap(table, time_ms, visitor->sessions[begun].start_ms);
    uint32_t at = joins_earlier ? begun - 1 : begun;
    struct session *session = &visitor->sessions[at];
    if (joins_earlier) {
        if (time_ms > session->end_ms)
            session->end_ms = time_ms;
        if (joins_later)
            absorb_next(table, visitor, at);
    } else if (joins_later) {
        start_is_gone(table, visitor, session);
        session->start_ms = time_ms;
        session->flags = 0;
    } else {
        session = insert_at(table, visitor, at);
        *session = (struct session){ .start_ms = time_ms, .end_ms = time_ms };
    }
    session->events++;
    session->views += is_view;
    note_user(visitor, session, user, time_ms);
    changed(table, visitor, session);
    return true;
}

bool session_table_put(struct session_table *table, struct session_visitor *visitor, const struct session *session,
                       struct slice user_id, bool send)
{
    if (!make_room(visitor) || (send && !session_table_reserve(table, 1)))
        return false;
    struct session *to = session_visitor_find(visitor, session->start_ms);
    bool waits = to && to->flags & SESSION_UNSENT;
    if (!to)
        to = insert_at(table, visitor, begun_by(visitor, session->start_ms));
    *to = *session;
    to->user = user_number(table, visitor, user_id);
    to->flags = SESSION_KNOWN;
    if (send && !waits)
        to_send(table, visitor, to->start_ms, false);
    if (send || waits)
        to->flags |= SESSION_UNSENT;
    return true;
}

bool session_table_remove(struct session_table *table, struct session_visitor *visitor, int64_t start_ms)
{
    const struct session *session = session_visitor_find(visitor, start_ms);
    if (!session_table_reserve(table, 1))
        return false;
    if (session)
        remove_at(table, visitor, (uint32_t)(session - visitor->sessions));
    to_send(table, visitor, start_ms, true);
    return true;
}

/* ---- changes ---- */

const struct session_change *session_table_changes(const struct session_table *table, size_t *out_count)
{
    *out_count = table->change_count;
    return table->changes;
}

void session_table_clear_changes(struct session_table *table, uint64_t commit)
{
    for (size_t i = 0; i < table->change_count; i++) {
        struct session_change *change = &table->changes[i];
        session_change_prefetch(table->changes, i, table->change_count);
        struct session *session = change->removed ? NULL : session_visitor_find(change->visitor, change->start_ms);
        if (session)
            session->flags = (uint8_t)((session->flags & SESSION_UNSENT) | SESSION_KNOWN);
        change->visitor->changed_in = commit;
    }
    table->change_count = 0;
}

const struct session_change *session_table_unsent(const struct session_table *table, size_t *out_count)
{
    *out_count = table->unsent_count;
    return table->unsent;
}

void session_table_sent(struct session_table *table, size_t count)
{
    assert(count <= table->unsent_count);
    for (size_t i = 0; i < count; i++) {
        struct session_change *change = &table->unsent[i];
        session_change_prefetch(table->unsent, i, count);
        struct session *session = change->removed ? NULL : session_visitor_find(change->visitor, change->start_ms);
        if (session)
            session->flags &= (uint8_t)~SESSION_UNSENT;
        change->visitor->unsent--;
    }
    table->unsent_count -= count;
    memmove(table->unsent, table->unsent + count, table->unsent_count * sizeof *table->unsent);
}

size_t session_table_visitors(const struct session_table *table)
{
    return table->visitors;
}

size_t session_table_sessions(const struct session_table *table)
{
    return table->sessions;
}

size_t session_table_bytes(const struct session_table *table)
{
    const size_t allocation = 32; /* what the allocator adds to a visitor's two blocks */
    return table->slot_count * sizeof *table->slots +
           (table->change_capacity + table->unsent_capacity) * sizeof *table->changes +
           table->visitors * (sizeof(struct session_visitor) + allocation) +
           table->sessions * sizeof(struct session) * 4 / 3 + table->text_bytes;
}
