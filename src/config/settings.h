/* Everything that can be set in YAML, as one struct; the rows in settings.c say key, unit, bounds, default and help.
 * Read once at start by config_load, then const. app/ hands each module its own part. */
#pragma once
#include "base/options.h"
#include "config/quality_ratio.h"

typedef char setting_text[OPTION_TEXT_MAX + 1];

#define SINKS_MAX 8
#define SINK_NAME_BYTES_MAX 32

/* A system of somebody else's to which results go: sinks.NAME in the YAML. */
struct sink_settings {
    char name[SINK_NAME_BYTES_MAX + 1];
    setting_text kind, results, windows, tenants, from, lost_mark;
    bool only_final;
    int64_t linger_ms, hold_bytes, record_bytes_max;
    setting_text brokers, topic, compression, id_prefix, security, sasl_mechanism, sasl_user, sasl_password, tls_ca,
        tls_certificate, tls_key;
    setting_text path, library, to;
    setting_text format, registry, registry_user, registry_password, subjects;
};

struct settings {
    bool open_demo_tenant;
    int64_t drain_timeout_ms;
    setting_text log_level, log_format;

    setting_text ingest_host, ingest_tls_certificate, ingest_tls_key;
    int64_t ingest_port, ingest_threads, ingest_connections_max;
    int64_t ingest_body_bytes_max, ingest_inflated_bytes_max, ingest_buffered_bytes_max;
    int64_t ingest_event_bytes_max, ingest_events_max, ingest_depth_max;
    int64_t ingest_head_timeout_ms, ingest_body_timeout_ms, ingest_idle_timeout_ms, ingest_answer_timeout_ms;
    int64_t ingest_future_skew_ms, ingest_drain_timeout_ms;

    int64_t quota_standard, quota_enterprise, quota_processes, retention_days, retention_every_ms;

    int64_t quality_late_after_ms;
    int64_t quality_targets[QUALITY_RATIOS]; /* in millionths */

    setting_text api_host, api_tls_certificate, api_tls_key;
    int64_t api_port, api_connections_max, api_listeners_max, api_query_timeout_ms, api_queries_max,
        api_queries_per_tenant;

    setting_text catalog_backend, catalog_url, catalog_password;
    int64_t catalog_connect_timeout_ms, catalog_statement_timeout_ms;

    setting_text journal_backend;
    int64_t journal_partitions, journal_segment_bytes, journal_retention_bytes, journal_retention_ms;
    int64_t journal_total_bytes_max, journal_disk_reserve_bytes, journal_queue_bytes_max;

    setting_text kafka_brokers, kafka_prefix, kafka_compression, kafka_security, kafka_sasl_mechanism, kafka_sasl_user,
        kafka_sasl_password, kafka_tls_ca, kafka_tls_certificate, kafka_tls_key;
    setting_text registry_url, registry_user, registry_password;
    int64_t kafka_replication, kafka_min_insync, kafka_linger_ms, kafka_batch_bytes, kafka_session_ms;

    setting_text process_host, process_pii_key;
    bool process_accept_lost_state, process_standby;
    int64_t process_port;
    int64_t process_dedup_horizon_ms, process_dedup_bytes_max, process_dedup_memory_bytes_max,
        process_checkpoint_interval_ms, process_checkpoint_bytes, process_state_memory_bytes_max,
        process_snapshot_after_bytes, process_snapshot_piece_bytes;

    int64_t store_rows_max, store_linger_ms, store_linger_load_ms;
    setting_text store_lost_mark;

    setting_text secrets_backend, secrets_dotenv, secrets_directory;
    setting_text secrets_vault_url, secrets_vault_mount, secrets_vault_path, secrets_vault_token_file,
        secrets_vault_namespace, secrets_vault_ca;

    setting_text engine_url, engine_password, engine_tls_ca;
    bool engine_allow_plain_http;

    setting_text olap_library, olap_user;
    int64_t olap_port, olap_memory_bytes, olap_tenant_slots;
    bool olap_confine;

    struct sink_settings sinks[SINKS_MAX];
    size_t sink_count;
};

extern const struct option_table SETTINGS;
extern const struct option_table SINK_SETTINGS; /* of one sink */
/* A line of a file in which the value of a secret setting may stand as it is. */
bool settings_hide_line(struct slice line);
