/* What the memory store can do beyond the port, for tests and the simulator: fail on purpose, and show its rows. */
#pragma once
#include "store/store.h"

enum store_fault {
    STORE_FAULT_NONE,
    STORE_FAULT_BEFORE, /* nothing is stored, ERR_RETRY */
    STORE_FAULT_AFTER,  /* stored, but the answer is ERR_RETRY: the connection broke */
};

struct store_memory_options {
    /* Asked before each insert. NULL: never a fault. */
    enum store_fault (*fault)(void *context, const struct store_insert *insert);
    void *context;
    const char *poison_table; /* rows of this table with the text in them are ERR_INVALID; NULL: none */
    const char *poison;
    uint32_t window_blocks; /* how many blocks a table remembers, one per partition touched; 0: all */
};

void store_memory_set(struct store *store, const struct store_memory_options *options);
uint64_t store_memory_rows(struct store *store, const char *table);
uint64_t store_memory_inserts(struct store *store); /* that stored something */
/* Calls visit for each row of the table, in the order of insertion. */
void store_memory_each(struct store *store, const char *table,
                       void (*visit)(void *context, const struct native_block *block, uint32_t row), void *context);
