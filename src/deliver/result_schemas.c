/* Names and meaning are those of the JSON (render.c) and of the tables' columns. What a domain decides, and so may be
 * anything, is a map of plain values (key, measures), or text in JSON (an event's properties). */
#include "deliver/result_schemas.h"

#define TEXT(name) "{\"name\":\"" name "\",\"type\":\"string\"}"
#define LONG(name) "{\"name\":\"" name "\",\"type\":\"long\"}"
#define FLAG(name) "{\"name\":\"" name "\",\"type\":\"boolean\"}"
#define OPTIONAL(name) "{\"name\":\"" name "\",\"type\":[\"null\",\"string\"],\"default\":null}"
#define TIME(name)                                                                                                     \
    "{\"name\":\"" name "\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}],"             \
    "\"default\":null}"
#define MAP(name)                                                                                                      \
    "{\"name\":\"" name "\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"boolean\",\"long\",\"double\","          \
    "\"string\"]}}"
#define RECORD(name, fields)                                                                                           \
    "{\"type\":\"record\",\"name\":\"" name "\",\"namespace\":\"weir.results\",\"fields\":[" fields "]}"

const struct result_schema RESULT_SCHEMA[RESULT_SCHEMAS] = {
    { "windows",
      RECORD(
          "windows",
          TEXT("id") "," TEXT("customer_id") "," TEXT("window") "," TEXT("definition") "," TEXT("kind") "," TIME("windo"
                                                                                                                 "w_"
                                                                                                                 "star"
                                                                                                                 "t") "," TIME("window_end") "," MAP(
              "key") "," MAP("measures") "," LONG("event_count") "," LONG("revision") "," FLAG("is_final") "," FLAG("is"
                                                                                                                    "_r"
                                                                                                                    "em"
                                                                                                                    "ov"
                                                                                                                    "e"
                                                                                                                    "d")) },
    { "sessions",
      RECORD(
          "sessions",
          TEXT("id") "," TEXT("customer_id") "," TEXT("session_id") "," TEXT("visitor_id") "," TEXT("user_id") "," TIME(
              "started_at") "," TIME("ended_at") "," LONG("event_count") "," LONG("page_views") "," FLAG("is_"
                                                                                                         "removed")) },
    { "late_events",
      RECORD("late_events",
             TEXT("id") "," TEXT("customer_id") "," TEXT("window") "," TIME("window_start") "," TIME(
                 "window_end") "," MAP("key") "," TIME("watermark") "," LONG("event_count") "," TEXT("event")) },
    { "dead_letters",
      RECORD("dead_letters",
             TEXT("id") "," TEXT("customer_id") "," TEXT("stage") "," TEXT("reason") "," TEXT("message") "," TEXT(
                 "field") "," TEXT("event_id") "," TIME("received_at") "," TEXT("original")) },
    { "events",
      RECORD("events",
             TEXT("id") "," TEXT("customer_id") "," TEXT("visitor_id") "," OPTIONAL("user_id") "," OPTIONAL("session_"
                                                                                                            "id") "," TEXT("event_id") "," TEXT(
                 "event_type") "," OPTIONAL("event_name") "," TIME("timestamp") "," TIME("received_at") "," TEXT("prope"
                                                                                                                 "rtie"
                                                                                                                 "s") "," TEXT("context")) },
};
