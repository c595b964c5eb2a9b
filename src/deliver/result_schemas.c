/* Names and meaning are those of the JSON (render.c) and of the tables' columns. What a domain decides, and so may be
 * anything, is a map of plain values (key, measures), or text in JSON (an event's properties). */
#include "deliver/result_schemas.h"

#define TEXT(name) ",{\"name\":\"" name "\",\"type\":\"string\"}"
#define LONG(name) ",{\"name\":\"" name "\",\"type\":\"long\"}"
#define FLAG(name) ",{\"name\":\"" name "\",\"type\":\"boolean\"}"
#define OPTIONAL(name) ",{\"name\":\"" name "\",\"type\":[\"null\",\"string\"],\"default\":null}"
#define MILLIS "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}"
#define TIME(name) ",{\"name\":\"" name "\",\"type\":[\"null\"," MILLIS "],\"default\":null}"
#define PLAIN "[\"null\",\"boolean\",\"long\",\"double\",\"string\"]"
#define MAP(name) ",{\"name\":\"" name "\",\"type\":{\"type\":\"map\",\"values\":" PLAIN "}}"

#define BEGIN(name) "{\"type\":\"record\",\"name\":\"" name "\",\"namespace\":\"weir.results\",\"fields\":["
#define ID "{\"name\":\"id\",\"type\":\"string\"}"
#define END "]}"

static const char WINDOWS[] = BEGIN("windows") ID TEXT("customer_id") TEXT("window") TEXT("definition") TEXT("kind")
    TIME("window_start") TIME("window_end") MAP("key") MAP("measures") LONG("event_count") LONG("revision")
        FLAG("is_final") FLAG("is_removed") END;
static const char SESSIONS[] = BEGIN("sessions") ID TEXT("customer_id") TEXT("session_id") TEXT("visitor_id")
    TEXT("user_id") TIME("started_at") TIME("ended_at") LONG("event_count") LONG("page_views") FLAG("is_removed") END;
static const char LATE_EVENTS[] = BEGIN("late_events") ID TEXT("customer_id") TEXT("window") TIME("window_start")
    TIME("window_end") MAP("key") TIME("watermark") LONG("event_count") TEXT("event") END;
static const char DEAD_LETTERS[] = BEGIN("dead_letters") ID TEXT("customer_id") TEXT("stage") TEXT("reason")
    TEXT("message") TEXT("field") TEXT("event_id") TIME("received_at") TEXT("original") END;
static const char EVENTS[] = BEGIN("events") ID TEXT("customer_id") TEXT("visitor_id") OPTIONAL("user_id")
    OPTIONAL("session_id") TEXT("event_id") TEXT("event_type") OPTIONAL("event_name") TIME("timestamp")
        TIME("received_at") TEXT("properties") TEXT("context") END;

const struct result_schema RESULT_SCHEMA[RESULT_SCHEMAS] = {
    { "windows", WINDOWS },           { "sessions", SESSIONS }, { "late_events", LATE_EVENTS },
    { "dead_letters", DEAD_LETTERS }, { "events", EVENTS },
};
