/* Panes are found by (kind, tenant, start) and by number through chained indexes, stand in a list in the order of their
 * numbers (which is the order of their rows in the map), and those that are due some time in a heap per tenant; a
 * second heap over all orders them by their expiry. */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "process/state/keyed_inside.h"

#define INDEX_MIN 64
#define NO_TENANT UINT32_MAX

/* ---- tenants ---- */

static uint32_t tenant_home(const struct keyed *keyed, struct slice name)
{
    return (uint32_t)(XXH3_64bits(name.p, name.n) & (keyed->tenant_index_size - 1));
}

static void grow_tenants(struct keyed *keyed)
{
    size_t capacity = keyed->tenant_capacity;
    keyed->tenants = keyed_grow(keyed->tenants, &capacity, keyed->tenant_count + 1, sizeof *keyed->tenants);
    if (capacity == keyed->tenant_capacity)
        return;
    keyed->tenant_capacity = (uint32_t)capacity;
    keyed->tenant_index_size = (uint32_t)capacity;
    free(keyed->tenant_index);
    keyed->tenant_index = malloc(capacity * sizeof *keyed->tenant_index);
    if (!keyed->tenant_index)
        abort();
    memset(keyed->tenant_index, 0xff, capacity * sizeof *keyed->tenant_index);
    for (uint32_t i = 0; i < keyed->tenant_count; i++) {
        uint32_t home = tenant_home(keyed, keyed->tenants[i].name);
        keyed->tenants[i].next_same = keyed->tenant_index[home];
        keyed->tenant_index[home] = i;
    }
}

static struct slice copy_name(struct slice name)
{
    char *copy = malloc(name.n + 1);
    if (!copy)
        abort();
    if (name.n)
        memcpy(copy, name.p, name.n);
    return slice_of(copy, name.n);
}

uint32_t keyed_tenant(struct keyed *keyed, struct slice name)
{
    assert(name.n <= KEYED_TENANT_MAX); /* event_decode and window_partial_decode let no longer one in */
    if (keyed->tenant_count) {
        uint32_t at = keyed->tenant_index[tenant_home(keyed, name)];
        for (; at != NO_TENANT; at = keyed->tenants[at].next_same)
            if (slice_equal(keyed->tenants[at].name, name))
                return at;
    }
    grow_tenants(keyed);
    uint32_t number = keyed->tenant_count++, home = tenant_home(keyed, name);
    struct keyed_tenant *tenant = &keyed->tenants[number];
    *tenant = (struct keyed_tenant){ .next_same = keyed->tenant_index[home] };
    tenant->name = copy_name(name);
    keyed->tenant_index[home] = number;
    return number;
}

struct slice keyed_tenant_name(const struct keyed *keyed, uint32_t tenant)
{
    assert(tenant < keyed->tenant_count);
    return keyed->tenants[tenant].name;
}

/* ---- heaps ---- */

enum heap_kind { HEAP_DUE, HEAP_EXPIRES };

static int64_t heap_time(const struct pane *pane, enum heap_kind kind)
{
    return kind == HEAP_DUE ? pane->pane.due_ms : pane->pane.expires_ms;
}

static bool heap_before(const struct pane *a, const struct pane *b, enum heap_kind kind)
{
    int64_t at = heap_time(a, kind), bt = heap_time(b, kind);
    return at != bt ? at < bt : a->number < b->number;
}

static void heap_place(struct pane_heap *heap, size_t i, struct pane *pane, enum heap_kind kind)
{
    heap->panes[i] = pane;
    *(kind == HEAP_DUE ? &pane->due_index : &pane->expires_index) = i;
}

/* The pane belongs at i or above or below it. */
static void heap_settle(struct pane_heap *heap, size_t i, struct pane *pane, enum heap_kind kind)
{
    while (i > 0 && heap_before(pane, heap->panes[(i - 1) / 2], kind)) {
        heap_place(heap, i, heap->panes[(i - 1) / 2], kind);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < heap->count && heap_before(heap->panes[child + 1], heap->panes[child], kind))
            child++;
        if (child >= heap->count || !heap_before(heap->panes[child], pane, kind))
            break;
        heap_place(heap, i, heap->panes[child], kind);
        i = child;
    }
    heap_place(heap, i, pane, kind);
}

static void heap_remove(struct pane_heap *heap, struct pane *pane, enum heap_kind kind)
{
    size_t *index = kind == HEAP_DUE ? &pane->due_index : &pane->expires_index, i = *index;
    if (i == SIZE_MAX)
        return;
    *index = SIZE_MAX;
    struct pane *last = heap->panes[--heap->count];
    if (last != pane)
        heap_settle(heap, i, last, kind);
}

/* After its time has changed. */
static void heap_update(struct pane_heap *heap, struct pane *pane, enum heap_kind kind)
{
    size_t i = kind == HEAP_DUE ? pane->due_index : pane->expires_index;
    if (heap_time(pane, kind) == KEYED_NEVER) {
        heap_remove(heap, pane, kind);
        return;
    }
    if (i == SIZE_MAX) {
        heap->panes = keyed_grow(heap->panes, &heap->capacity, heap->count + 1, sizeof(struct pane *));
        i = heap->count++;
    }
    heap_settle(heap, i, pane, kind);
}

static struct pane_heap *due_heap(struct keyed *keyed, const struct pane *pane)
{
    return &keyed->tenants[pane->pane.tenant].due;
}

/* ---- indexes ---- */

static size_t name_home(const struct keyed *keyed, const struct keyed_kind *kind, uint32_t tenant, int64_t start_ms)
{
    uint64_t words[3] = { kind->id, tenant, (uint64_t)start_ms };
    return XXH3_64bits(words, sizeof words) & (keyed->index_size - 1);
}

static size_t number_home(const struct keyed *keyed, uint64_t number)
{
    return number & (keyed->index_size - 1);
}

static struct pane **index_new(size_t size)
{
    struct pane **index = calloc(size, sizeof(struct pane *));
    if (!index)
        abort();
    return index;
}

static void index_add(struct keyed *keyed, struct pane *pane)
{
    size_t home = name_home(keyed, pane->pane.kind, pane->pane.tenant, pane->pane.start_ms);
    pane->next_same = keyed->by_name[home];
    keyed->by_name[home] = pane;
    home = number_home(keyed, pane->number);
    pane->next_number = keyed->by_number[home];
    keyed->by_number[home] = pane;
}

/* Dropped ones that are not buried yet are in no list, but have a number still. */
static struct pane *gather_dropped(const struct keyed *keyed)
{
    struct pane *dropped = NULL;
    for (size_t i = 0; i < keyed->index_size; i++)
        for (struct pane *pane = keyed->by_number[i]; pane; pane = pane->next_number)
            if (pane->flags & PANE_DROPPED) {
                pane->next = dropped;
                dropped = pane;
            }
    return dropped;
}

static void grow_indexes(struct keyed *keyed)
{
    struct pane *dropped = gather_dropped(keyed);
    free(keyed->by_name);
    free(keyed->by_number);
    keyed->index_size = keyed->index_size ? keyed->index_size * 2 : INDEX_MIN;
    keyed->by_name = index_new(keyed->index_size);
    keyed->by_number = index_new(keyed->index_size);
    for (struct pane *pane = keyed->first; pane; pane = pane->next)
        index_add(keyed, pane);
    while (dropped) {
        struct pane *pane = dropped;
        size_t home = number_home(keyed, pane->number);
        dropped = pane->next;
        pane->next = NULL;
        pane->next_number = keyed->by_number[home];
        keyed->by_number[home] = pane;
    }
}

static void unlink_name(struct keyed *keyed, struct pane *pane)
{
    struct pane **at = &keyed->by_name[name_home(keyed, pane->pane.kind, pane->pane.tenant, pane->pane.start_ms)];
    while (*at != pane)
        at = &(*at)->next_same;
    *at = pane->next_same;
}

static void unlink_number(struct keyed *keyed, struct pane *pane)
{
    struct pane **at = &keyed->by_number[number_home(keyed, pane->number)];
    while (*at != pane)
        at = &(*at)->next_number;
    *at = pane->next_number;
}

struct pane *pane_by_number(const struct keyed *keyed, uint64_t number)
{
    struct pane *pane = keyed->index_size ? keyed->by_number[number_home(keyed, number)] : NULL;
    while (pane && pane->number != number)
        pane = pane->next_number;
    return pane;
}

const struct keyed_kind *keyed_kind_of(const struct keyed *keyed, uint64_t id)
{
    for (size_t i = 0; i < keyed->kind_count; i++)
        if (keyed->kinds[i]->id == id)
            return keyed->kinds[i];
    return NULL;
}

/* ---- life ---- */

/* Mostly behind the last one: numbers grow. */
static void list_add(struct keyed *keyed, struct pane *pane)
{
    struct pane *before = keyed->last;
    while (before && before->number > pane->number)
        before = before->previous;
    pane->previous = before;
    pane->next = before ? before->next : keyed->first;
    *(before ? &before->next : &keyed->first) = pane;
    *(pane->next ? &pane->next->previous : &keyed->last) = pane;
}

struct pane *pane_new(struct keyed *keyed, const struct keyed_kind *kind, uint32_t tenant, int64_t start_ms,
                      uint64_t number)
{
    struct pane *pane = calloc(1, sizeof *pane);
    if (!pane)
        abort();
    pane->pane = (struct keyed_pane){
        .kind = kind, .tenant = tenant, .start_ms = start_ms, .due_ms = KEYED_NEVER, .expires_ms = KEYED_NEVER
    };
    pane->number = number;
    pane->first_offset = UINT64_MAX;
    pane->due_index = pane->expires_index = SIZE_MAX;
    if (keyed->pane_count >= keyed->index_size)
        grow_indexes(keyed);
    keyed->pane_count++;
    list_add(keyed, pane);
    index_add(keyed, pane);
    if (number >= keyed->next_number)
        keyed->next_number = number + 1;
    return pane;
}

struct pane_values pane_values_of(const struct pane *pane)
{
    struct pane_values values = { pane->pane.due_ms, pane->pane.expires_ms, { 0 }, pane->pane.rows };
    memcpy(values.words, pane->pane.words, sizeof values.words);
    return values;
}

void pane_set_values(struct keyed *keyed, struct pane *pane, const struct pane_values *values)
{
    pane->pane.due_ms = values->due_ms;
    pane->pane.expires_ms = values->expires_ms;
    pane->pane.rows = values->rows;
    memcpy(pane->pane.words, values->words, sizeof values->words);
    heap_update(due_heap(keyed, pane), pane, HEAP_DUE);
    heap_update(&keyed->expires, pane, HEAP_EXPIRES);
}

void pane_link(struct keyed *keyed, struct pane *pane)
{
    if (pane->flags & PANE_LINKED)
        return;
    pane->flags |= PANE_LINKED;
    pane->next_linked = NULL;
    *keyed->linked_end = pane;
    keyed->linked_end = &pane->next_linked;
}

void pane_forget(struct keyed *keyed, struct pane *pane)
{
    base_pane_goes(keyed, pane);
    heap_remove(due_heap(keyed, pane), pane, HEAP_DUE);
    heap_remove(&keyed->expires, pane, HEAP_EXPIRES);
    unlink_name(keyed, pane);
    *(pane->previous ? &pane->previous->next : &keyed->first) = pane->next;
    *(pane->next ? &pane->next->previous : &keyed->last) = pane->previous;
    pane->next = pane->previous = NULL;
    pane->flags |= PANE_DROPPED;
}

void keyed_bury(struct keyed *keyed, struct pane *pane)
{
    unlink_number(keyed, pane);
    pane->next = keyed->dead;
    keyed->dead = pane;
}

static void free_list(struct keyed *keyed, struct pane *pane)
{
    while (pane) {
        struct pane *next = pane->next;
        for (size_t i = 0; pane->table.directory && i < (size_t)1 << pane->table.depth;) {
            struct keyed_segment *segment = pane->table.directory[i];
            i += (size_t)1 << (pane->table.depth - segment->depth);
            for (uint32_t slot = 0; slot < segment->slots_n; slot++)
                if (segment->slots[slot])
                    keyed_row_free(keyed, keyed_slot_row(segment->slots[slot]));
        }
        pane->table.rows = 0;
        keyed_table_done(&pane->table, &keyed->slab);
        free(pane);
        pane = next;
    }
}

void keyed_panes_done(struct keyed *keyed)
{
    free_list(keyed, gather_dropped(keyed));
    free_list(keyed, keyed->first);
    free_list(keyed, keyed->dead);
    for (uint32_t i = 0; i < keyed->tenant_count; i++) {
        free((char *)keyed->tenants[i].name.p);
        free(keyed->tenants[i].due.panes);
    }
    free(keyed->tenants);
    free(keyed->tenant_index);
    free(keyed->by_name);
    free(keyed->by_number);
    free(keyed->expires.panes);
    keyed_slab_done(&keyed->slab);
    keyed->tenants = NULL;
    keyed->tenant_index = NULL;
    keyed->tenant_count = keyed->tenant_capacity = keyed->tenant_index_size = 0;
    keyed->by_name = keyed->by_number = NULL;
    keyed->index_size = keyed->pane_count = 0;
    keyed->first = keyed->last = keyed->dead = NULL;
    keyed->expires = (struct pane_heap){ 0 };
}

/* ---- what stages call ---- */

struct keyed_pane *keyed_pane_get(struct keyed *keyed, const struct keyed_kind *kind, uint32_t tenant, int64_t start_ms,
                                  bool create, bool *out_new)
{
    struct pane *pane = keyed->index_size ? keyed->by_name[name_home(keyed, kind, tenant, start_ms)] : NULL;
    while (pane && (pane->pane.kind != kind || pane->pane.tenant != tenant || pane->pane.start_ms != start_ms))
        pane = pane->next_same;
    *out_new = false;
    if (pane || !create)
        return pane ? &pane->pane : NULL;
    assert(keyed_kind_of(keyed, kind->id) == kind && tenant < keyed->tenant_count);
    pane = pane_new(keyed, kind, tenant, start_ms, keyed->next_number);
    pane->complete = true;
    keyed_pane_touch(keyed, &pane->pane);
    *out_new = true;
    return &pane->pane;
}

void keyed_pane_touch(struct keyed *keyed, struct keyed_pane *touched)
{
    struct pane *pane = pane_of(touched);
    assert(!(pane->flags & PANE_DROPPED));
    pane->flags |= PANE_DIRTY;
    pane_link(keyed, pane);
}

void keyed_pane_set_due(struct keyed *keyed, struct keyed_pane *pane, int64_t due_ms)
{
    if (pane->due_ms == due_ms)
        return;
    pane->due_ms = due_ms;
    heap_update(due_heap(keyed, pane_of(pane)), pane_of(pane), HEAP_DUE);
    keyed_pane_touch(keyed, pane);
}

void keyed_pane_set_expires(struct keyed *keyed, struct keyed_pane *pane, int64_t expires_ms)
{
    if (pane->expires_ms == expires_ms)
        return;
    pane->expires_ms = expires_ms;
    heap_update(&keyed->expires, pane_of(pane), HEAP_EXPIRES);
    keyed_pane_touch(keyed, pane);
}

int64_t keyed_due_ms(const struct keyed *keyed, uint32_t tenant)
{
    const struct pane_heap *heap = &keyed->tenants[tenant].due;
    return heap->count ? heap->panes[0]->pane.due_ms : KEYED_NEVER;
}

struct keyed_pane *keyed_pane_next_due(struct keyed *keyed, uint32_t tenant, int64_t watermark_ms)
{
    struct pane_heap *heap = &keyed->tenants[tenant].due;
    return heap->count && heap->panes[0]->pane.due_ms <= watermark_ms ? &heap->panes[0]->pane : NULL;
}

struct keyed_pane *keyed_pane_next_expired(struct keyed *keyed, int64_t now_ms)
{
    struct pane_heap *heap = &keyed->expires;
    return heap->count && heap->panes[0]->pane.expires_ms <= now_ms ? &heap->panes[0]->pane : NULL;
}

struct keyed_pane *keyed_pane_after(struct keyed *keyed, const struct keyed_pane *pane)
{
    struct pane *next = pane ? ((const struct pane *)pane)->next : keyed->first;
    return next ? &next->pane : NULL;
}

void keyed_pane_drop(struct keyed *keyed, struct keyed_pane *dropped)
{
    struct pane *pane = pane_of(dropped);
    assert(!(pane->flags & PANE_DROPPED));
    pane_forget(keyed, pane);
    pane->dirty = NULL;
    pane->dirty_count = 0;
    keyed->drops = keyed_grow(keyed->drops, &keyed->drop_capacity, keyed->drop_count + 1, sizeof *keyed->drops);
    keyed->drops[keyed->drop_count++] = pane;
    keyed->drops_made++;
}

bool keyed_pane_is_complete(const struct keyed_pane *pane)
{
    return pane_of_const(pane)->complete;
}
