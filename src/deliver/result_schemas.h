/* The Avro schemas of results, for ever the same: fields may be added, with defaults (the tests compare them with what
 * was published). */
#pragma once

struct result_schema {
    const char *table;
    const char *text;
};

#define RESULT_SCHEMAS 5
extern const struct result_schema RESULT_SCHEMA[RESULT_SCHEMAS];
