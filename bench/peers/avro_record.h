/* What avro_bench.c and avro_peer.c both encode and decode. */
#pragma once

#define AVRO_OPTIONAL(name, type) "{\"name\":\"" name "\",\"type\":[\"null\",\"" type "\"],\"default\":null}"
#define AVRO_RECORD_SCHEMA                                                                                                                                                          \
    "{\"type\":\"record\",\"name\":\"purchase\",\"fields\":[{\"name\":\"event_id\",\"type\":\"string\"},"                                                                           \
    "{\"name\":\"timestamp\",\"type\":\"long\"},{\"name\":\"customer_id\",\"type\":\"string\"},"                                                                                    \
    "{\"name\":\"visitor_id\",\"type\":\"string\"}," AVRO_OPTIONAL("user_id", "string") "," AVRO_OPTIONAL(                                                                          \
        "session_id",                                                                                                                                                               \
        "string") "," AVRO_OPTIONAL("product_id",                                                                                                                                   \
                                    "string") "," AVRO_OPTIONAL("category",                                                                                                         \
                                                                "string") "," AVRO_OPTIONAL("quantity",                                                                             \
                                                                                            "long") "," AVRO_OPTIONAL("amount_cents",                                               \
                                                                                                                      "long") "," AVRO_OPTIONAL("currency",                         \
                                                                                                                                                "string") "," AVRO_OPTIONAL("gift", \
                                                                                                                                                                            "boolean") "]}"
#define AVRO_RECORD_JSON                                                                                               \
    "{\"event_id\":\"0192f6a0-1b2c-7d3e-8f40-5a6b7c8d9e0f\",\"timestamp\":1737455400123,\"customer_id\":\"acme\","     \
    "\"visitor_id\":\"vid_00af13\",\"user_id\":null,\"session_id\":\"s-4411\",\"product_id\":\"tents-042\","           \
    "\"category\":\"tents\",\"quantity\":2,\"amount_cents\":15990,\"currency\":\"EUR\",\"gift\":false}"
