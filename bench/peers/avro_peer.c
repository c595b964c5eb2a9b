/* libavro 1.11 for avro_bench.c: what weir does, as its users write it. It has no way from plain JSON (its own reader
 * wants unions with the branch's name), so that is theirs: jansson, on which libavro itself is built, reads the text,
 * and each field is looked up and set by its type; the value is made once and used again. The text was checked before
 * and numbers are not, which is in its favour. Prints ns a record: JSON → binary, value → binary, binary → value,
 * binary → JSON. Built by `bench/run avro`: cc -O2 -I. bench/peers/avro_peer.c -lavro -ljansson */
#include <avro.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/peers/avro_record.h"

#define RECORDS 1000
#define ROUNDS 1000

static avro_value_t value;
static char binary[4096];
static avro_writer_t writer;
static avro_reader_t reader;
static int64_t written;
static size_t field_count;

static void check(int failed)
{
    if (!failed)
        return;
    fprintf(stderr, "libavro: %s\n", avro_strerror());
    exit(1);
}

static void set(avro_value_t *field, const json_t *json);

/* The first branch is null, the second is not. */
static void set_branch(avro_value_t *field, const json_t *json)
{
    avro_value_t branch;
    check(avro_value_set_branch(field, !json_is_null(json), &branch));
    set(&branch, json);
}

static void set(avro_value_t *field, const json_t *json)
{
    switch (avro_value_get_type(field)) {
    case AVRO_NULL:
        check(avro_value_set_null(field));
        return;
    case AVRO_BOOLEAN:
        check(avro_value_set_boolean(field, json_is_true(json)));
        return;
    case AVRO_INT64:
        check(avro_value_set_long(field, json_integer_value(json)));
        return;
    case AVRO_STRING:
        check(avro_value_set_string_len(field, json_string_value(json), json_string_length(json) + 1));
        return;
    case AVRO_UNION:
        set_branch(field, json);
        return;
    default:
        check(1);
    }
}

static void set_record(const char *text)
{
    avro_value_t field;
    const char *name;
    json_t *record = json_loads(text, 0, NULL);
    check(!record);
    for (size_t i = 0; i < field_count; i++) {
        check(avro_value_get_by_index(&value, i, &field, &name));
        set(&field, json_object_get(record, name));
    }
    json_decref(record);
}

static void encode(void)
{
    avro_writer_reset(writer);
    check(avro_value_write(writer, &value));
    written = avro_writer_tell(writer);
}

static void encode_json(void)
{
    set_record(AVRO_RECORD_JSON);
    encode();
}

static void decode(void)
{
    avro_reader_memory_set_source(reader, binary, written);
    check(avro_value_read(reader, &value));
}

/* As weir decodes it: out comes JSON. */
static void decode_to_json(void)
{
    char *json;
    decode();
    check(avro_value_to_json(&value, 1, &json));
    free(json);
}

static double best_ns(void (*step)(void))
{
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int i = 0; i < RECORDS; i++)
            step();
        clock_gettime(CLOCK_MONOTONIC, &to);
        double took = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        best = took < best ? took : best;
    }
    return best / RECORDS;
}

int main(void)
{
    avro_schema_t schema;
    check(avro_schema_from_json_literal(AVRO_RECORD_SCHEMA, &schema));
    avro_value_iface_t *kind = avro_generic_class_from_schema(schema);
    check(avro_generic_value_new(kind, &value));
    check(avro_value_get_size(&value, &field_count));
    writer = avro_writer_memory(binary, sizeof binary);
    reader = avro_reader_memory(binary, sizeof binary);
    printf("%.1f ", best_ns(encode_json));
    printf("%.1f ", best_ns(encode));
    printf("%.1f ", best_ns(decode));
    printf("%.1f\n", best_ns(decode_to_json));
    return 0;
}
