#include "app/parts.h"

#include "app/app.h"
#include "process/state/kv.h"
#include "world/world.h"

const struct journal_backend *parts_journal_backend(const struct settings *settings)
{
    static const struct journal_backend *const BACKENDS[] = { &journal_file, &journal_kafka, &journal_memory };
    for (size_t i = 0; i < COUNT_OF(BACKENDS); i++)
        if (strcmp(settings->journal_backend, BACKENDS[i]->name) == 0)
            return BACKENDS[i];
    return &journal_file; /* the setting's row allows no other */
}

void parts_journal_options(const struct settings *settings, const char *path, struct journal_options *out)
{
    bool sasl = strncmp(settings->kafka_security, "sasl", 4) == 0;
    *out = (struct journal_options){
        .path = path,
        .partitions = (uint16_t)settings->journal_partitions,
        .segment_bytes = (uint64_t)settings->journal_segment_bytes,
        .retention_bytes = (uint64_t)settings->journal_retention_bytes,
        .retention_ms = settings->journal_retention_ms,
        .total_bytes_max = (uint64_t)settings->journal_total_bytes_max,
        .disk_reserve_bytes = (uint64_t)settings->journal_disk_reserve_bytes,
        .queue_bytes_max = (uint64_t)settings->journal_queue_bytes_max,
        .kafka = { .brokers = settings->kafka_brokers,
                   .prefix = settings->kafka_prefix,
                   .replication = (int)settings->kafka_replication,
                   .min_insync = (int)settings->kafka_min_insync,
                   .compression = settings->kafka_compression,
                   .linger_ms = (uint32_t)settings->kafka_linger_ms,
                   .batch_bytes = (uint32_t)settings->kafka_batch_bytes,
                   .security = settings->kafka_security,
                   .sasl_mechanism = sasl ? settings->kafka_sasl_mechanism : "",
                   .sasl_user = settings->kafka_sasl_user,
                   .sasl_password = settings->kafka_sasl_password,
                   .tls_ca = settings->kafka_tls_ca,
                   .tls_certificate = settings->kafka_tls_certificate,
                   .tls_key = settings->kafka_tls_key,
                   .session_ms = (uint32_t)settings->kafka_session_ms },
    };
}

#define INPUT (TOPIC_BIT(TOPIC_EVENTS) | TOPIC_BIT(TOPIC_REKEYED))
#define OUTPUT                                                                                                         \
    (TOPIC_BIT(TOPIC_ENRICHED) | TOPIC_BIT(TOPIC_WINDOWS) | TOPIC_BIT(TOPIC_SESSIONS) | TOPIC_BIT(TOPIC_LATE) |        \
     TOPIC_BIT(TOPIC_ALERTS) | TOPIC_BIT(TOPIC_IDENTITIES) | TOPIC_BIT(TOPIC_SEGMENTS) | TOPIC_BIT(TOPIC_WEBHOOKS) |   \
     TOPIC_BIT(TOPIC_DEAD_LETTERS) | TOPIC_BIT(TOPIC_QUALITY))
#define CHANGELOG TOPIC_BIT(TOPIC_CHANGELOG)
#define CATALOG TOPIC_BIT(TOPIC_CATALOG)
#define TASKS TOPIC_BIT(TOPIC_TASKS)
#define DIMENSIONS TOPIC_BIT(TOPIC_DIMENSIONS)

/* docs/kafka.md has it as a table of rights. */
void parts_journal_use(unsigned roles, const char *as, struct journal_use *out)
{
    static const struct {
        enum app_role role;
        struct journal_use use;
    } USES[] = {
        { APP_INGEST, { NULL, CATALOG, TOPIC_BIT(TOPIC_EVENTS) | TOPIC_BIT(TOPIC_DEAD_LETTERS), 0 } },
        { APP_PROCESS,
          { NULL, INPUT | CHANGELOG | CATALOG | DIMENSIONS, INPUT | CHANGELOG | OUTPUT | TASKS, INPUT | CHANGELOG } },
        { APP_SERVE,
          { NULL, OUTPUT | CATALOG | TASKS | DIMENSIONS, TOPIC_BIT(TOPIC_DEAD_LETTERS) | CATALOG | DIMENSIONS,
            OUTPUT | CATALOG | DIMENSIONS } },
    };
    *out = (struct journal_use){ .as = as };
    for (size_t i = 0; i < COUNT_OF(USES); i++) {
        if (!(roles & USES[i].role))
            continue;
        out->reads |= USES[i].use.reads;
        out->writes |= USES[i].use.writes;
        out->marks |= USES[i].use.marks;
    }
}

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

void parts_ingest_options(const struct settings *settings, const char *data_path, struct ingest_options *out)
{
    ingest_options_init(out);
    out->http = (struct http_server_options){
        .name = "ingest",
        .host = settings->ingest_host,
        .port = (uint16_t)settings->ingest_port,
        .port_option = "--ingest-port",
        .tls_certificate = text_or_null(settings->ingest_tls_certificate),
        .tls_key = text_or_null(settings->ingest_tls_key),
        .connections_max = (size_t)settings->ingest_connections_max,
        .body_bytes_max = (size_t)settings->ingest_body_bytes_max,
        .buffered_bytes_max = (size_t)settings->ingest_buffered_bytes_max,
        .head_bytes_max = 16384,
        .head_timeout_ms = settings->ingest_head_timeout_ms,
        .body_timeout_ms = settings->ingest_body_timeout_ms,
        .idle_timeout_ms = settings->ingest_idle_timeout_ms,
        .answer_timeout_ms = settings->ingest_answer_timeout_ms,
    };
    out->loops = (uint32_t)settings->ingest_threads;
    out->parse.body_bytes_max = (uint32_t)settings->ingest_inflated_bytes_max;
    out->parse.event_bytes_max = (uint32_t)settings->ingest_event_bytes_max;
    out->parse.events_max = (uint32_t)settings->ingest_events_max;
    out->parse.depth_max = (uint32_t)settings->ingest_depth_max;
    out->parse.future_skew_ms = settings->ingest_future_skew_ms;
    out->data_path = data_path;
    out->quota_standard_per_minute = (uint64_t)settings->quota_standard;
    out->quota_enterprise_per_minute = (uint64_t)settings->quota_enterprise;
    out->quota_processes = (uint32_t)settings->quota_processes;
    out->retention_days = (int32_t)settings->retention_days;
    out->unpacked_bytes_max = (size_t)settings->ingest_inflated_bytes_max;
    out->in_flight_bytes_max = (size_t)settings->journal_queue_bytes_max;
    out->drain_timeout_ms = settings->ingest_drain_timeout_ms;
}

void parts_status_page(const struct settings *settings, struct status_page_options *out)
{
    out->host = settings->process_host;
    out->port = (uint16_t)settings->process_port;
}

void parts_sink_options(const struct settings *settings, struct sink_options *out)
{
    sink_options_default(out);
    out->lost_mark = lost_mark_from(settings->store_lost_mark);
    out->batch.rows_max = (uint32_t)settings->store_rows_max;
    out->pace.interval_min_ms = (uint32_t)settings->store_linger_ms;
    out->pace.interval_max_ms = (uint32_t)settings->store_linger_load_ms;
}

#define STATE_MEMORY_BYTES_MIN (16u << 20) /* below it every event would go to the disk */

static uint64_t state_memory_bytes(const struct settings *settings)
{
    uint64_t bytes = (uint64_t)settings->process_state_memory_bytes_max;
    if (bytes == 0)
        bytes = world_memory_bytes() / 8;
    return bytes < STATE_MEMORY_BYTES_MIN ? STATE_MEMORY_BYTES_MIN : bytes;
}

void parts_process_options(const struct settings *settings, const char *state_path, uint16_t partitions,
                           struct process_options *out)
{
    *out = (struct process_options){
        .state_path = state_path,
        .commit_pause_us = 5000,
        .future_skew_ms = settings->ingest_future_skew_ms,
        .late_after_ms = settings->quality_late_after_ms,
        .accept_lost_state = settings->process_accept_lost_state,
        .dedup_horizon_ms = settings->process_dedup_horizon_ms,
        .dedup_memory_bytes_max = (uint64_t)settings->process_dedup_memory_bytes_max,
        .dedup_disk_bytes_max = (uint64_t)settings->process_dedup_bytes_max,
        .checkpoint_interval_ms = settings->process_checkpoint_interval_ms,
        .checkpoint_bytes = (uint64_t)settings->process_checkpoint_bytes,
        .snapshot_after_bytes = (uint64_t)settings->process_snapshot_after_bytes,
        .snapshot_piece_bytes = (uint32_t)settings->process_snapshot_piece_bytes,
        .state_memory_bytes_max = state_memory_bytes(settings) / partitions,
        .kv = &kv_rocksdb,
        .retention_days = (int32_t)settings->retention_days,
    };
}

void parts_serve_options(const struct settings *settings, const char *token_path, struct serve_options *out)
{
    serve_options_init(out);
    out->http = (struct http_server_options){
        .name = "api",
        .host = settings->api_host,
        .port = (uint16_t)settings->api_port,
        .port_option = "--api-port",
        .tls_certificate = text_or_null(settings->api_tls_certificate),
        .tls_key = text_or_null(settings->api_tls_key),
        .connections_max = (size_t)settings->api_connections_max,
        .body_bytes_max = 1 << 20,
        .buffered_bytes_max = 64 << 20,
        .head_bytes_max = 16384,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 75000,
        .answer_timeout_ms = 30000,
        .half_close_is_gone = true,
    };
    out->admin_token_path = token_path;
    out->dev = settings->open_demo_tenant;
    out->queries_max = (uint32_t)settings->api_queries_max;
    out->queries_per_tenant = (uint32_t)settings->api_queries_per_tenant;
    out->query_timeout_ms = settings->api_query_timeout_ms;
    out->listeners_max = (size_t)settings->api_listeners_max;
    out->ingest_tls = settings->ingest_tls_certificate[0] != 0;
    out->quota_standard_per_minute = (uint64_t)settings->quota_standard;
    out->quota_enterprise_per_minute = (uint64_t)settings->quota_enterprise;
    out->retention_days = (int32_t)settings->retention_days;
}

static const struct target_backend *target_backend_of(const struct sink_settings *sink)
{
    static const struct target_backend *const BACKENDS[] = { &target_kafka, &target_file, &target_library };
    for (size_t i = 0; i < COUNT_OF(BACKENDS); i++)
        if (strcmp(sink->kind, BACKENDS[i]->name) == 0)
            return BACKENDS[i];
    return &target_kafka; /* the setting's row allows no other */
}

static void brokers_of_sink(const struct settings *settings, const struct sink_settings *sink,
                            struct target_kafka_options *out)
{
    const bool own = sink->brokers[0];
    *out = (struct target_kafka_options){
        .brokers = own ? sink->brokers : settings->kafka_brokers,
        .topic = sink->topic,
        .compression = sink->compression,
        .id_prefix = sink->id_prefix,
        .security = own ? sink->security : settings->kafka_security,
        .sasl_mechanism = own ? sink->sasl_mechanism : settings->kafka_sasl_mechanism,
        .sasl_user = own ? sink->sasl_user : settings->kafka_sasl_user,
        .sasl_password = own ? sink->sasl_password : settings->kafka_sasl_password,
        .tls_ca = own ? sink->tls_ca : settings->kafka_tls_ca,
        .tls_certificate = own ? sink->tls_certificate : settings->kafka_tls_certificate,
        .tls_key = own ? sink->tls_key : settings->kafka_tls_key,
    };
}

/* Without the event types. */
static void avro_of_sink(const struct settings *settings, const struct sink_settings *sink,
                         struct target_avro_options *out)
{
    const bool own = sink->registry[0];
    if (strcmp(sink->format, "avro") != 0)
        return;
    *out = (struct target_avro_options){ .registry = own ? sink->registry : settings->registry_url,
                                         .user = own ? sink->registry_user : settings->registry_user,
                                         .password = own ? sink->registry_password : settings->registry_password,
                                         .subjects = sink->subjects,
                                         .results = sink->results };
}

void parts_delivery_options(const struct settings *settings, const struct sink_settings *sink,
                            struct delivery_options *out)
{
    delivery_options_default(out);
    out->sink = sink->name;
    out->selection = (struct selection){
        .results = sink->results, .windows = sink->windows, .tenants = sink->tenants, .only_final = sink->only_final
    };
    out->backend = target_backend_of(sink);
    out->target = (struct target_options){ .path = sink->path, .library = sink->library, .to = sink->to };
    brokers_of_sink(settings, sink, &out->target.kafka);
    avro_of_sink(settings, sink, &out->target.avro);
    out->lost_mark = lost_mark_from(sink->lost_mark);
    out->from_end = strcmp(sink->from, "end") == 0;
    out->linger_ms = (uint32_t)sink->linger_ms;
    out->hold_bytes = (uint64_t)sink->hold_bytes;
    out->not_behind = SINK_GROUP;
    out->record_bytes_max = (size_t)sink->record_bytes_max;
}
