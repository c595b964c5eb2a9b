/* A free list: after the first busy moment no request allocates. What a ticket grew beyond a few kilobytes is returned.
 */
#include "ingest/ticket.h"

#include <stdlib.h>

#define VERDICT_BYTES_MAX (256u << 10)
#define VERDICT_BYTES_KEPT 4096
#define POOL_MAX 4096

struct ticket *ticket_take(struct ticket_pool *pool)
{
    struct ticket *ticket = pool->free;
    if (ticket) {
        pool->free = ticket->next;
        pool->count--;
        struct buf kept = ticket->verdicts;
        *ticket = (struct ticket){ .verdicts = kept };
        buf_reset(&ticket->verdicts);
    } else {
        ticket = calloc(1, sizeof *ticket);
        if (!ticket)
            return NULL;
        buf_init(&ticket->verdicts, VERDICT_BYTES_MAX);
    }
    pool->in_use++;
    return ticket;
}

static void ticket_free(struct ticket *ticket)
{
    buf_done(&ticket->verdicts);
    free(ticket);
}

void ticket_give_back(struct ticket_pool *pool, struct ticket *ticket)
{
    assert(pool->in_use > 0);
    pool->in_use--;
    if (pool->count >= POOL_MAX || ticket->verdicts.capacity > VERDICT_BYTES_KEPT) {
        ticket_free(ticket);
        return;
    }
    ticket->next = pool->free;
    pool->free = ticket;
    pool->count++;
}

void ticket_pool_done(struct ticket_pool *pool)
{
    assert(pool->in_use == 0);
    while (pool->free) {
        struct ticket *next = pool->free->next;
        ticket_free(pool->free);
        pool->free = next;
    }
    pool->count = 0;
}
