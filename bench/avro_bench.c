/* Avro: a purchase from JSON to binary and back, beside what libavro needs for its own values (bench/peers/avro_peer.c,
 * the same schema and record). usage: avro_bench. Prints ns a record, the best of many short rounds: encode decode */
#include <stdio.h>
#include <stdlib.h>

#include "avro/avro.h"
#include "bench/peers/avro_record.h"
#include "world/world.h"

#define RECORDS 1000
#define ROUNDS 1000

static struct avro_schema *schema;
static struct buf binary, json;
static struct error err;

static void encode(void)
{
    buf_reset(&binary);
    if (avro_from_json(schema, SLICE(AVRO_RECORD_JSON), &binary, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static void decode(void)
{
    buf_reset(&json);
    if (avro_to_json(schema, buf_slice(&binary), &json, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static double best_ns(void (*step)(void))
{
    struct world *world = world_real();
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t began = world_mono_us(world);
        for (int i = 0; i < RECORDS; i++)
            step();
        int64_t took = world_mono_us(world) - began;
        best = took < best ? took : best;
    }
    return (double)best * 1000 / RECORDS;
}

int main(void)
{
    if (avro_schema_parse(SLICE(AVRO_RECORD_SCHEMA), &schema, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    buf_init(&binary, 1 << 20);
    buf_init(&json, 1 << 20);
    encode();
    double encoding = best_ns(encode), decoding = best_ns(decode);
    printf("%.1f %.1f\n", encoding, decoding);
    buf_done(&json);
    buf_done(&binary);
    avro_schema_free(schema);
    return 0;
}
