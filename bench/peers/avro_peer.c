/* libavro 1.11 for avro_bench.c: values in memory → binary, and back. What they would cost to make of JSON, or to print
 * as JSON, is not counted. Built by `bench/run avro`: cc -O2 -I. bench/peers/avro_peer.c -lavro */
#include <avro.h>
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

static void check(int failed)
{
    if (!failed)
        return;
    fprintf(stderr, "libavro: %s\n", avro_strerror());
    exit(1);
}

static void set_text(const char *name, const char *text)
{
    avro_value_t field, branch;
    check(avro_value_get_by_name(&value, name, &field, NULL));
    if (avro_value_get_type(&field) == AVRO_UNION) {
        check(avro_value_set_branch(&field, text != NULL, &branch));
        field = branch;
    }
    check(text ? avro_value_set_string(&field, text) : avro_value_set_null(&field));
}

static void set_long(const char *name, int64_t number)
{
    avro_value_t field, branch;
    check(avro_value_get_by_name(&value, name, &field, NULL));
    if (avro_value_get_type(&field) == AVRO_UNION) {
        check(avro_value_set_branch(&field, 1, &branch));
        field = branch;
    }
    check(avro_value_get_type(&field) == AVRO_BOOLEAN ? avro_value_set_boolean(&field, (int)number)
                                                      : avro_value_set_long(&field, number));
}

static void encode(void)
{
    avro_writer_reset(writer);
    check(avro_value_write(writer, &value));
    written = avro_writer_tell(writer);
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
    set_text("event_id", "0192f6a0-1b2c-7d3e-8f40-5a6b7c8d9e0f");
    set_long("timestamp", 1737455400123);
    set_text("customer_id", "acme");
    set_text("visitor_id", "vid_00af13");
    set_text("user_id", NULL);
    set_text("session_id", "s-4411");
    set_text("product_id", "tents-042");
    set_text("category", "tents");
    set_long("quantity", 2);
    set_long("amount_cents", 15990);
    set_text("currency", "EUR");
    set_long("gift", 0);
    writer = avro_writer_memory(binary, sizeof binary);
    reader = avro_reader_memory(binary, sizeof binary);
    encode();
    double encoding = best_ns(encode), decoding = best_ns(decode), printing = best_ns(decode_to_json);
    printf("%.1f %.1f %.1f\n", encoding, decoding, printing);
    return 0;
}
