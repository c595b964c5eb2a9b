/* Linear probing over slots that are ordered by the id's upper half. Doubling therefore reads the old slots and writes
 * the new ones front to back (a million ids in a few milliseconds), and a sealed file's pages are cut from the table by
 * scanning it once. The tail behind the last home slot replaces wrapping round, which would break that order. */
#include "process/state/id_table.h"

#include "process/state/pages.h"

void id_table_init(struct id_table *table, size_t memory_bytes)
{
    *table = (struct id_table){ .slots_max = memory_bytes / sizeof(struct id128) };
    if (table->slots_max < ID_TABLE_SLOTS_MIN)
        table->slots_max = ID_TABLE_SLOTS_MIN;
    table->ids_max = ID_TABLE_IDS_OF_SLOTS(table->slots_max);
}

void id_table_done(struct id_table *table)
{
    pages_free(table->slots, id_table_bytes(table));
    id_table_init(table, table->slots_max * sizeof(struct id128));
}

void id_table_allow(struct id_table *table, size_t ids)
{
    if (ids <= table->ids_max)
        return;
    table->slots_max = (ids + 2) / 3 * 4;
    table->ids_max = ID_TABLE_IDS_OF_SLOTS(table->slots_max);
    assert(table->ids_max >= ids);
}

size_t id_table_bytes(const struct id_table *table)
{
    return table->slots ? (table->home_slots + ID_TABLE_TAIL) * sizeof(struct id128) : 0;
}

static bool grow(struct id_table *table, size_t slots)
{
    struct id_table larger = *table;
    larger.home_slots = slots;
    larger.count = 0;
    larger.slots = pages_new((slots + ID_TABLE_TAIL) * sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; table->slots && i < table->home_slots + ID_TABLE_TAIL; i++)
        if (!id_is_empty(table->slots[i]))
            (void)id_table_add(&larger, table->slots[i]);
    assert(larger.count == table->count);
    pages_free(table->slots, id_table_bytes(table));
    *table = larger;
    return true;
}

bool id_table_reserve(struct id_table *table, size_t more)
{
    size_t needed = table->count + more;
    if (needed > table->ids_max)
        return false;
    size_t slots = table->home_slots ? table->home_slots : ID_TABLE_SLOTS_MIN;
    while (ID_TABLE_IDS_OF_SLOTS(slots) < needed)
        slots *= 2;
    if (slots > table->slots_max)
        slots = table->slots_max;
    return (table->slots && slots == table->home_slots) || grow(table, slots);
}
