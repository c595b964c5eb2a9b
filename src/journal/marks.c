/* An array of entries, found by a hash of group and partition kept beside it. Looking through a few hundred hashes
 * takes well under a microsecond, and happens once per mark in a commit.
 *
 * An entry is a sequence lock: odd version = being written. Its words are stored with release and loaded with acquire,
 * which keeps them between the two looks at the version without a fence (the race detector knows none). A dropped mark
 * keeps its entry (position JOURNAL_MARK_DROP) for the group's return. */
#include "journal/marks.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/crc32c.h"

struct plain { /* what an entry's words hold */
    uint64_t position;
    uint16_t partition;
    uint16_t note_n;
    uint32_t unused;
    char group[JOURNAL_GROUP_MAX + 1];
    char note[JOURNAL_NOTE_MAX];
};
#define WORDS (sizeof(struct plain) / 8)
#define HEAD_WORDS (offsetof(struct plain, note) / 8)
_Static_assert(sizeof(struct plain) % 8 == 0, "an entry is whole words");

struct entry {
    _Atomic uint32_t version;
    _Atomic uint64_t words[WORDS];
};

struct marks {
    _Atomic size_t count;
    _Atomic uint32_t hashes[MARKS_MAX];
    struct entry *_Atomic entries[MARKS_MAX];
};

struct marks *marks_new(void)
{
    struct marks *marks = calloc(1, sizeof *marks);
    if (!marks)
        abort();
    return marks;
}

void marks_free(struct marks *marks)
{
    if (!marks)
        return;
    for (size_t i = 0; i < atomic_load(&marks->count); i++)
        free(atomic_load(&marks->entries[i]));
    free(marks);
}

size_t marks_count(const struct marks *marks)
{
    return atomic_load_explicit(&marks->count, memory_order_acquire);
}

static uint32_t hash_of(const char *group, uint16_t partition)
{
    return crc32c(partition, group, strlen(group));
}

static size_t note_words(size_t note_n)
{
    return HEAD_WORDS + (note_n + 7) / 8;
}

static void entry_write(struct entry *entry, const struct plain *plain)
{
    uint64_t words[WORDS];
    memcpy(words, plain, sizeof words);
    uint32_t version = atomic_load_explicit(&entry->version, memory_order_relaxed);
    assert(version % 2 == 0);
    atomic_store_explicit(&entry->version, version + 1, memory_order_relaxed);
    for (size_t i = 0; i < note_words(plain->note_n); i++)
        atomic_store_explicit(&entry->words[i], words[i], memory_order_release);
    atomic_store_explicit(&entry->version, version + 2, memory_order_release);
}

static void entry_read(struct entry *entry, struct plain *out)
{
    uint64_t words[WORDS];
    for (;;) {
        uint32_t before = atomic_load_explicit(&entry->version, memory_order_acquire);
        for (size_t i = 0; i < WORDS; i++)
            words[i] = atomic_load_explicit(&entry->words[i], memory_order_acquire);
        if (before % 2 == 0 && atomic_load_explicit(&entry->version, memory_order_relaxed) == before)
            break;
    }
    memcpy(out, words, sizeof words);
    assert(out->note_n <= JOURNAL_NOTE_MAX);
}

static struct entry *find(const struct marks *marks, const char *group, uint16_t partition)
{
    uint32_t hash = hash_of(group, partition);
    size_t count = marks_count(marks);
    for (size_t i = 0; i < count; i++) {
        if (atomic_load_explicit(&marks->hashes[i], memory_order_relaxed) != hash)
            continue;
        struct entry *entry = atomic_load_explicit(&marks->entries[i], memory_order_relaxed);
        struct plain plain;
        entry_read(entry, &plain);
        if (plain.partition == partition && strcmp(plain.group, group) == 0)
            return entry;
    }
    return NULL;
}

bool marks_set(struct marks *marks, const struct journal_mark *mark)
{
    struct plain plain = { .position = mark->position, .partition = mark->partition };
    assert(mark->note.n <= JOURNAL_NOTE_MAX && mark->group[0]);
    memcpy(plain.group, mark->group, strnlen(mark->group, JOURNAL_GROUP_MAX));
    plain.note_n = (uint16_t)mark->note.n;
    if (mark->note.n)
        memcpy(plain.note, mark->note.p, mark->note.n);
    struct entry *entry = find(marks, plain.group, plain.partition);
    if (entry) {
        entry_write(entry, &plain);
        return true;
    }
    size_t count = marks_count(marks);
    if (count == MARKS_MAX || !(entry = calloc(1, sizeof *entry)))
        return false;
    entry_write(entry, &plain);
    atomic_store_explicit(&marks->hashes[count], hash_of(plain.group, plain.partition), memory_order_relaxed);
    atomic_store_explicit(&marks->entries[count], entry, memory_order_relaxed);
    atomic_store_explicit(&marks->count, count + 1, memory_order_release);
    return true;
}

bool marks_room(const struct marks *marks, const struct journal_mark *list, size_t count)
{
    size_t used = marks_count(marks);
    if (used + count <= MARKS_MAX)
        return true;
    for (size_t i = 0; i < count; i++)
        used += find(marks, list[i].group, list[i].partition) == NULL;
    return used <= MARKS_MAX;
}

static void to_mark(const struct plain *plain, struct journal_mark *out, char *note_buffer)
{
    memset(out, 0, sizeof *out);
    memcpy(out->group, plain->group, sizeof out->group);
    out->partition = plain->partition;
    out->position = plain->position;
    memcpy(note_buffer, plain->note, plain->note_n);
    out->note = slice_of(note_buffer, plain->note_n);
}

enum status marks_get(const struct marks *marks, const char *group, uint16_t partition, struct journal_mark *out,
                      char *note_buffer)
{
    struct entry *entry = find(marks, group, partition);
    if (!entry)
        return ERR_NOT_FOUND;
    struct plain plain;
    entry_read(entry, &plain);
    if (plain.position == JOURNAL_MARK_DROP)
        return ERR_NOT_FOUND;
    to_mark(&plain, out, note_buffer);
    return OK;
}

uint64_t marks_smallest(const struct marks *marks)
{
    uint64_t smallest = UINT64_MAX;
    for (size_t i = 0; i < marks_count(marks); i++) {
        struct entry *entry = atomic_load_explicit(&marks->entries[i], memory_order_relaxed);
        uint64_t position = atomic_load_explicit(&entry->words[0], memory_order_relaxed);
        smallest = position < smallest ? position : smallest;
    }
    return smallest;
}

bool marks_at(const struct marks *marks, size_t i, struct journal_mark *out, char *note_buffer)
{
    assert(i < marks_count(marks));
    struct plain plain;
    entry_read(atomic_load_explicit(&marks->entries[i], memory_order_relaxed), &plain);
    to_mark(&plain, out, note_buffer);
    return plain.position != JOURNAL_MARK_DROP;
}
