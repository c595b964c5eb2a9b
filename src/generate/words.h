/* Words for values: lists for fields whose names say what they hold, and people who are obviously made up (addresses
 * under example.com, telephone numbers and IP addresses that are kept for examples). Const; any thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"

struct word_list {
    const char *names;        /* of fields that mean it, between blanks: " platform os " */
    const char *const *words; /* the most frequent first */
    uint32_t count;
    bool of_visitor; /* the same at every visit */
};

/* The list for a field of this name, by its last words ("home_country" → country); NULL: none. */
const struct word_list *word_list_find(struct slice name);
extern const struct word_list WORDS_COUNTRY, WORDS_CURRENCY, WORDS_LOCALE, WORDS_DEVICE;

/* What a text is about a person. */
enum person_part {
    PERSON_NONE,
    PERSON_FIRST_NAME,
    PERSON_LAST_NAME,
    PERSON_NAME,
    PERSON_EMAIL,
    PERSON_HANDLE,
    PERSON_PHONE,
    PERSON_STREET,
    PERSON_PARTS
};
enum person_part person_part_find(struct slice name);
/* Person is any number; equal numbers are equal people. */
void person_add(struct buf *out, enum person_part part, uint64_t person);
