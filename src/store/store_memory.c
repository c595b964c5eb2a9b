/* The engine's promises in a list of blocks: a token is remembered per table while no more than window_blocks blocks
 * came after it, and an insert makes a block for each storage partition, just as the engine counts. Partitions are
 * those of events_raw: placement and month; other tables count as one. Bounded: beyond BLOCKS_MAX inserts it is full
 * and says ERR_RETRY. */
#include "store/store_memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/partition.h"

#define BLOCKS_MAX (1u << 20)

struct stored {
    char table[48], token[STORE_TOKEN_MAX];
    struct native_block block;
    uint32_t partitions;
};

struct memory {
    struct store store;
    struct store_memory_options options;
    struct stored **stored;
    size_t count, capacity;
    _Atomic bool cancelled;
};

static enum status memory_open(const struct store_options *options, struct world *world, struct store **out,
                               struct error *err)
{
    struct memory *self = calloc(1, sizeof *self);
    if (!self)
        return error_set(err, ERR_FULL, "open the memory store: out of memory");
    self->store.backend = &store_memory;
    *out = &self->store;
    return OK;
}

static bool is_repeat(const struct memory *self, const struct store_insert *insert)
{
    uint64_t blocks = 0;
    for (size_t i = self->count; i-- > 0;) {
        const struct stored *stored = self->stored[i];
        if (strcmp(stored->table, insert->table) != 0)
            continue;
        blocks += stored->partitions;
        if (self->options.window_blocks && blocks > self->options.window_blocks)
            return false;
        if (strcmp(stored->token, insert->token) == 0)
            return true;
    }
    return false;
}

static bool has_poison(const struct memory *self, const char *table, const struct native_parts *parts)
{
    const char *poison = self->options.poison;
    if (!self->options.poison_table || strcmp(self->options.poison_table, table) != 0)
        return false;
    for (size_t i = 0; i < parts->count; i++)
        if (memmem(parts->parts[i].iov_base, parts->parts[i].iov_len, poison, strlen(poison)))
            return true;
    return false;
}

static enum status keep(struct memory *self, const struct store_insert *insert, const struct native_parts *parts,
                        struct error *err)
{
    if (self->count == BLOCKS_MAX)
        return error_set(err, ERR_RETRY, "the memory store holds %u blocks, its bound", BLOCKS_MAX);
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 64;
        self->stored = realloc(self->stored, self->capacity * sizeof(struct stored *));
        if (!self->stored)
            abort();
    }
    struct stored *stored = calloc(1, sizeof *stored);
    if (!stored)
        abort();
    snprintf(stored->table, sizeof stored->table, "%s", insert->table);
    snprintf(stored->token, sizeof stored->token, "%s", insert->token);
    native_init(&stored->block, insert->block->columns, insert->block->column_count, SIZE_MAX / 2);
    for (size_t i = 0; i < insert->block->column_count; i++)
        buf_add(&stored->block.data[i], parts->parts[2 * i + 1].iov_base, parts->parts[2 * i + 1].iov_len);
    stored->block.rows = insert->end - insert->first;
    stored->partitions = partition_count(&stored->block, 0, stored->block.rows);
    self->stored[self->count++] = stored;
    return OK;
}

static enum status memory_insert(struct store *store, const struct store_insert *insert, struct error *err)
{
    struct memory *self = (struct memory *)store;
    struct native_parts parts;
    enum store_fault fault = STORE_FAULT_NONE;
    assert(strlen(insert->token) < STORE_TOKEN_MAX && strlen(insert->table) < 48);
    if (self->cancelled)
        return error_set(err, ERR_CLOSED, "the memory store was cancelled");
    if (self->options.fault)
        fault = self->options.fault(self->options.context, insert);
    if (fault == STORE_FAULT_BEFORE)
        return error_set(err, ERR_RETRY, "the memory store fails before storing, as told");
    native_parts(insert->block, insert->first, insert->end, &parts);
    if (has_poison(self, insert->table, &parts))
        return error_set(err, ERR_INVALID, "the memory store refuses rows with %s", self->options.poison);
    enum status s = is_repeat(self, insert) ? OK : keep(self, insert, &parts, err);
    if (s == OK && fault == STORE_FAULT_AFTER)
        return error_set(err, ERR_RETRY, "the memory store fails after storing, as told");
    return s;
}

static enum status memory_ping(struct store *store, struct error *err)
{
    struct memory *self = (struct memory *)store;
    return self->cancelled ? error_set(err, ERR_CLOSED, "the memory store was cancelled") : OK;
}

static void memory_cancel(struct store *store)
{
    ((struct memory *)store)->cancelled = true;
}

static void memory_close(struct store *store)
{
    struct memory *self = (struct memory *)store;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        native_done(&self->stored[i]->block);
        free(self->stored[i]);
    }
    free(self->stored);
    free(self);
}

void store_memory_set(struct store *store, const struct store_memory_options *options)
{
    ((struct memory *)store)->options = *options;
    ((struct memory *)store)->cancelled = false;
}

uint64_t store_memory_rows(struct store *store, const char *table)
{
    const struct memory *self = (struct memory *)store;
    uint64_t rows = 0;
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->stored[i]->table, table) == 0)
            rows += self->stored[i]->block.rows;
    return rows;
}

uint64_t store_memory_inserts(struct store *store)
{
    return ((struct memory *)store)->count;
}

void store_memory_each(struct store *store, const char *table,
                       void (*visit)(void *context, const struct native_block *block, uint32_t row), void *context)
{
    const struct memory *self = (struct memory *)store;
    for (size_t i = 0; i < self->count; i++)
        for (uint32_t row = 0; strcmp(self->stored[i]->table, table) == 0 && row < self->stored[i]->block.rows; row++)
            visit(context, &self->stored[i]->block, row);
}

const struct store_backend store_memory = {
    .name = "memory",
    .open = memory_open,
    .insert = memory_insert,
    .ping = memory_ping,
    .cancel = memory_cancel,
    .close = memory_close,
};
