#include "config/settings.h"

#include "config/setting_rows.h"

#define FIELD(name) offsetof(struct settings, name)

static const struct option ROWS[] = {
    BOOLEAN("demo_tenant", open_demo_tenant, "false",
            "Makes the tenant demo_tenant, which takes events and queries without a key. For development only."),
    CHOICE("log.level", log_level, "info", "debug|info|warn|error", "Least level of the lines that are written.",
           .reload = true),
    CHOICE("log.format", log_format, "text", "text|json", "One line of text, or one JSON object, for each log event.",
           .reload = true),

    DURATION(
        "drain_timeout", drain_timeout_ms, "30s", SECOND, HOUR,
        "Longest time that a stop takes; what is not through by then (brokers that are gone) is named in the log, and "
        "the next start does it: exit code 75."),

    TEXT("ingest.host", ingest_host, "0.0.0.0", "Address on which events are taken."),
    INTEGER("ingest.port", ingest_port, "8000", 0, 65535, "Port on which events are taken."),
    TEXT("ingest.tls.certificate", ingest_tls_certificate, "",
         "PEM file with the certificate chain; empty: plain HTTP."),
    TEXT("ingest.tls.key", ingest_tls_key, "", "PEM file with the private key of ingest.tls.certificate."),
    INTEGER("ingest.threads", ingest_threads, "1", 1, 64, "Event loops that share the port."),
    INTEGER("ingest.connections_max", ingest_connections_max, "10000", 1, 1000000,
            "Connections of one event loop; one more is answered 503 and closed."),
    BYTES("ingest.body_size_max", ingest_body_bytes_max, "5 MiB", 1024, 64 * MIB,
          "Largest request body as it comes over the wire; a larger one is answered 413."),
    BYTES("ingest.inflated_size_max", ingest_inflated_bytes_max, "16 MiB", 1024, 256 * MIB,
          "Largest request body after decompression; a larger one is answered 413."),
    BYTES("ingest.buffered_size_max", ingest_buffered_bytes_max, "256 MiB", MIB, 64 * GIB,
          "All request bodies in memory at one time; beyond it requests are answered 503 with Retry-After."),
    BYTES("ingest.event_size_max", ingest_event_bytes_max, "64 KiB", 256, MIB,
          "Largest single event as JSON; a larger one is refused with the verdict event_too_large."),
    INTEGER("ingest.events_max", ingest_events_max, "20000", 1, 1000000, "Most events in one request."),
    INTEGER("ingest.depth_max", ingest_depth_max, "32", 2, 64, "Deepest nesting of an event's JSON."),
    DURATION("ingest.head_timeout", ingest_head_timeout_ms, "10s", 10, HOUR,
             "Longest time for a request's headers to arrive."),
    DURATION("ingest.body_timeout", ingest_body_timeout_ms, "30s", 10, HOUR,
             "Longest time for a request's body to arrive."),
    DURATION("ingest.idle_timeout", ingest_idle_timeout_ms, "75s", 10, DAY,
             "Longest pause between two requests of a connection."),
    DURATION("ingest.answer_timeout", ingest_answer_timeout_ms, "30s", 10, HOUR,
             "Longest time that a client may not read its answer."),
    DURATION("ingest.future_skew", ingest_future_skew_ms, "24h", 0, 3650 * DAY,
             "How far ahead of our clock an event's timestamp may be; further is refused with the verdict "
             "too_far_in_future."),
    DURATION("ingest.drain_timeout", ingest_drain_timeout_ms, "10s", 0, HOUR,
             "Longest wait for running requests at a stop."),

    INTEGER("quota.standard", quota_standard, "10000", 1, 1000000000000,
            "Events a minute for tenants of tier standard; beyond it 429 with Retry-After."),
    INTEGER("quota.enterprise", quota_enterprise, "100000", 1, 1000000000000,
            "Events a minute for tenants of tier enterprise; beyond it 429 with Retry-After."),
    INTEGER("quota.processes", quota_processes, "1", 1, 10000,
            "How many weir ingest share the load: each lets its part of every tenant's quota through."),
    INTEGER("retention_days", retention_days, "400", 1, 36500,
            "Days that events are kept where the tenant says nothing else; older ones are refused with the verdict "
            "older_than_retention."),
    DURATION("retention_every", retention_every_ms, "24h", SECOND, 30 * DAY,
             "How often what is past its tenant's retention is removed from the tables."),

    DURATION("quality.late_after", quality_late_after_ms, "10m", SECOND, 365 * DAY,
             "An event that is received so long after it happened counts as late in data_quality."),
    SHARE("quality.completeness", quality_targets[QUALITY_COMPLETENESS], "0.9999",
          "Target: the share of required values that are there in an hour's events. Domains may say another."),
    SHARE("quality.validity", quality_targets[QUALITY_VALIDITY], "0.9997",
          "Target: the share of events of an hour without faults. Domains may say another."),
    SHARE("quality.uniqueness", quality_targets[QUALITY_UNIQUENESS], "1",
          "Target: the share of an hour's valid events that came for the first time. Domains may say another."),
    SHARE("quality.timeliness", quality_targets[QUALITY_TIMELINESS], "0.998",
          "Target: the share of an hour's accepted events that are not late. Domains may say another."),
    SHARE("quality.consistency", quality_targets[QUALITY_CONSISTENCY], "1",
          "Target: the share of an hour's accepted events that have their row. Domains may say another."),

    TEXT("api.host", api_host, "127.0.0.1", "Address of queries, the live feed and the dashboard."),
    INTEGER("api.port", api_port, "8001", 0, 65535, "Port of queries, the live feed and the dashboard."),
    TEXT("api.tls.certificate", api_tls_certificate, "", "PEM file with the certificate chain; empty: plain HTTP."),
    TEXT("api.tls.key", api_tls_key, "", "PEM file with the private key of api.tls.certificate."),
    INTEGER("api.connections_max", api_connections_max, "4000", 1, 1000000,
            "Connections; one more is answered 503 and closed."),
    INTEGER("api.listeners_max", api_listeners_max, "2000", 1, 100000, "Readers of the live feed at one time."),
    DURATION("api.query_timeout", api_query_timeout_ms, "30s", 100, HOUR,
             "Longest run of one query; then it is ended: 408."),
    INTEGER("api.queries_max", api_queries_max, "8", 1, 1000, "Queries that run at one time; further ones wait."),
    INTEGER("api.queries_per_tenant", api_queries_per_tenant, "16", 1, 1000,
            "Queries of one tenant that run or wait; one more is answered 429."),

    CHOICE("catalog.backend", catalog_backend, "sqlite", "sqlite|postgres",
           "Where tenants, keys, what is deployed and the audit log are kept: a file of the data directory, or a "
           "PostgreSQL server (catalog.url)."),
    TEXT("catalog.url", catalog_url, "",
         "Connection string of the server, postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full, with all that "
         "libpq "
         "knows but a password; needed when catalog.backend is postgres."),
    SECRET("catalog.password", catalog_password, "Password of the user in catalog.url: ${secret:NAME}."),
    DURATION("catalog.connect_timeout", catalog_connect_timeout_ms, "10s", 100, HOUR,
             "Longest wait for the catalog's server, at a start and when a connection is made again."),
    DURATION("catalog.statement_timeout", catalog_statement_timeout_ms, "10s", 100, HOUR,
             "Longest run of one statement at the catalog's server."),

    CHOICE(
        "journal.backend", journal_backend, "file", "file|kafka|memory",
        "Where accepted events are made durable: files of the data directory, or Kafka (kafka.brokers). memory is for "
        "tests."),
    INTEGER("journal.partitions", journal_partitions, "2", 1, 1024,
            "Parallel streams; each has a processing task of its own. Fixed once the data directory exists."),
    BYTES("journal.segment_size", journal_segment_bytes, "64 MiB", MIB, 4 * GIB, "Size of one journal file."),
    BYTES("journal.retention_size", journal_retention_bytes, "4 GiB", MIB, 1024 * TIB,
          "Journal kept for replay, by size."),
    DURATION("journal.retention", journal_retention_ms, "7d", MINUTE, 3650 * DAY, "Journal kept for replay, by age."),
    BYTES("journal.size_max", journal_total_bytes_max, "64 GiB", 4 * MIB, 1024 * TIB,
          "Largest journal, also while the store is away. New events take half of it, then ingestion answers 503 until "
          "there is "
          "room; the rest is for what is made of them."),
    BYTES("journal.disk_reserve", journal_disk_reserve_bytes, "256 MiB", 0, 1024 * TIB,
          "Room left free on the file system; below it ingestion answers 503 until there is room. Processing may use "
          "half of it."),
    BYTES("journal.queue_size", journal_queue_bytes_max, "64 MiB", MIB, 16 * GIB,
          "Bytes handed to the journal and not yet durable; beyond it ingestion answers 503."),

    TEXT("kafka.brokers", kafka_brokers, "",
         "Brokers to begin with, HOST:PORT,…; needed when journal.backend is kafka."),
    TEXT("kafka.prefix", kafka_prefix, "weir",
         "Begin of the names of topics, groups and transactional ids: another one is another journal."),
    INTEGER("kafka.replication", kafka_replication, "3", 1, 15, "Copies of each topic, when weir makes it."),
    INTEGER("kafka.min_insync", kafka_min_insync, "2", 1, 15,
            "Copies that must have a record before it is acknowledged, when weir makes the topics."),
    CHOICE("kafka.compression", kafka_compression, "lz4", "lz4|snappy|zstd|gzip|none", "Of what weir writes."),
    DURATION("kafka.linger", kafka_linger_ms, "10ms", 0, SECOND, "Wait for company before input is sent."),
    BYTES("kafka.batch_size", kafka_batch_bytes, "32 KiB", 1024, 16 * MIB, "Input is sent at once when so much waits."),
    CHOICE("kafka.security", kafka_security, "plaintext", "plaintext|ssl|sasl_plaintext|sasl_ssl",
           "How brokers are spoken to."),
    CHOICE("kafka.sasl_mechanism", kafka_sasl_mechanism, "SCRAM-SHA-512", "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512",
           "With kafka.security sasl_plaintext or sasl_ssl."),
    TEXT("kafka.sasl_user", kafka_sasl_user, "", "User at the brokers."),
    SECRET("kafka.sasl_password", kafka_sasl_password, "Password of kafka.sasl_user: ${secret:NAME}."),
    DURATION("kafka.session_timeout", kafka_session_ms, "10s", 6 * SECOND, 5 * MINUTE,
             "A process that the brokers have not heard of for so long loses its partitions to the others."),
    TEXT("kafka.tls_ca", kafka_tls_ca, "", "PEM file of the authority that signed the brokers' certificates."),
    TEXT("kafka.tls_certificate", kafka_tls_certificate, "",
         "PEM file of our own certificate, where brokers ask for one."),
    TEXT("kafka.tls_key", kafka_tls_key, "", "PEM file of the private key of kafka.tls_certificate."),
    TEXT("registry.url", registry_url, "",
         "Schema registry (Confluent's API) of topics in Avro: those that are read, and those of sinks."),
    TEXT("registry.user", registry_user, "", "User at the schema registry."),
    SECRET("registry.password", registry_password, "Password of registry.user: ${secret:NAME}."),

    TEXT("process.host", process_host, "127.0.0.1", "Address of the health and metrics of weir process."),
    INTEGER("process.port", process_port, "8002", 0, 65535, "Port of the health and metrics of weir process."),
    SECRET(
        "process.pii_key", process_pii_key,
        "Secret behind hashes and ciphertexts of fields with `pii`: ${secret:NAME}, 16 bytes or more. Empty: one that "
        "this machine makes, for hashes alone. Another key gives other hashes.",
        .reload = true),
    BOOLEAN(
        "process.accept_lost_state", process_accept_lost_state, "false",
        "Start a partition although its state or its mark cannot be found again, which is refused otherwise: repeats "
        "of old events may then count twice."),
    DURATION("process.dedup_horizon", process_dedup_horizon_ms, "7d", SECOND, 3650 * DAY,
             "How long the id of an event is remembered, so that a repeat counts once.", .reload = true),
    BYTES("process.dedup_memory", process_dedup_memory_bytes_max, "128 MiB", 4 * MIB, TIB,
          "Memory of one partition's remembered ids (45 million in 128 MiB); beyond it the oldest are forgotten early, "
          "with a "
          "warning.",
          .reload = true),
    BYTES("process.dedup_disk", process_dedup_bytes_max, "4 GiB", MIB, 1024 * TIB,
          "Disk of one partition's remembered ids; beyond it the oldest are forgotten early, with a warning.",
          .reload = true),
    DURATION("process.checkpoint_interval", process_checkpoint_interval_ms, "60s", 100, DAY,
             "Time between checkpoints of the state: bounds the replay after a crash.", .reload = true),
    BYTES("process.checkpoint_size", process_checkpoint_bytes, "256 MiB", MIB, TIB,
          "Changes of one partition's state after which a checkpoint begins before its time: bounds the replay under "
          "load. A MiB is some 15,000 changed keys and some 10 ms of replay.",
          .reload = true),

    BYTES("process.snapshot_after", process_snapshot_after_bytes, "64 MiB", MIB, TIB,
          "With Kafka: changes of one partition's state after which the state is written whole into the changelog, and "
          "what is older deleted; but not before they are as much as the state was the last time. Bounds the changelog "
          "and the time in which another process takes the partition over.",
          .reload = true),
    BYTES("process.snapshot_piece", process_snapshot_piece_bytes, "512 KiB", 16 * KIB, MIB,
          "How much of that goes with one commit: smaller pieces disturb events less and take longer.", .reload = true),
    BOOLEAN("process.standby", process_standby, "false",
            "With Kafka: keep a copy of the state of every partition that another process works on, brought up to date "
            "once each process.checkpoint_interval, so that taking it over reads only what came since. Costs the disk "
            "of all partitions' state and the reading of all changes."),

    BYTES("process.state_memory", process_state_memory_bytes_max, "0", 0, 1024 * TIB,
          "Most memory for windows and sessions of all partitions; what has not been touched for longest lies on disk "
          "beyond it. 0: an eighth of the machine's (or the control group's) memory.",
          .reload = true),

    INTEGER("store.rows_max", store_rows_max, "100000", 1, 10000000, "Most rows in one insert."),
    DURATION("store.linger", store_linger_ms, "40ms", 0, MINUTE, "Least time between two small inserts."),
    CHOICE("store.lost_mark", store_lost_mark, "refuse", "refuse|begin|end",
           "With Kafka, when the brokers have forgotten up to where is stored: refuse to start, or go on once with the "
           "oldest results that the journal keeps (those that the tables have count twice) or with those to come."),
    DURATION("store.linger_load", store_linger_load_ms, "400ms", 0, MINUTE,
             "Longest time that rows wait under load for a full insert."),

    TEXT("secrets.backend", secrets_backend, "env,dotenv,file",
         "Where ${secret:NAME} is looked for, in this order: any of env, dotenv, file, vault."),
    TEXT("secrets.dotenv", secrets_dotenv, "",
         "File with lines NAME=VALUE, for the backend dotenv; empty: CONFIG/.env."),
    TEXT("secrets.directory", secrets_directory, "/run/secrets",
         "Directory with a file for each secret, for the backend file."),
    TEXT("secrets.vault.url", secrets_vault_url, "",
         "Address of HashiCorp Vault or OpenBao; empty: what the environment variable VAULT_ADDR says."),
    TEXT("secrets.vault.mount", secrets_vault_mount, "secret", "Mount of the KV engine, version 2."),
    TEXT("secrets.vault.path", secrets_vault_path, "weir",
         "Secret whose fields are the names; ${secret:PATH#FIELD} takes one of another."),
    TEXT("secrets.vault.token_file", secrets_vault_token_file, "",
         "File with the token; empty: what the environment variable VAULT_TOKEN says."),
    TEXT("secrets.vault.namespace", secrets_vault_namespace, "", "Namespace, where Vault has them."),
    TEXT("secrets.vault.ca", secrets_vault_ca, "",
         "PEM file of the authority that signed Vault's certificate; empty: the system's."),

    TEXT("engine.url", engine_url, "",
         "Engine that another process runs (weir olap), http://HOST:PORT or https://…; empty: one of weir's own, its "
         "child."),
    SECRET("engine.password", engine_password,
           "What weir olap and those who use it have in common: ${secret:NAME}, 16 bytes or more. All passwords at the "
           "engine follow from it."),
    TEXT("engine.tls_ca", engine_tls_ca, "",
         "PEM file of the authority that signed the certificate of engine.url; empty: the system's."),
    BOOLEAN("engine.allow_plain_http", engine_allow_plain_http, "false",
            "Lets engine.url be http:// on another machine: events and passwords then cross the network readable."),

    TEXT("olap.library", olap_library, "", "The engine's library; empty: where `make setup` put it."),
    INTEGER("olap.port", olap_port, "8123", 0, 65535, "Loopback port of the engine's ClickHouse HTTP."),
    BYTES("olap.memory", olap_memory_bytes, "4 GiB", 256 * MIB, 1024 * TIB, "Most memory that the engine may use."),
    INTEGER("olap.tenant_slots", olap_tenant_slots, "256", 1, 100000,
            "Engine users kept ready for tenants; when they run out the engine restarts with more."),
    TEXT("olap.user", olap_user, "",
         "System user of the engine's process when weir runs as root; empty: an id that nobody else has."),
    BOOLEAN("olap.confine", olap_confine, "true", "Shuts the engine's process in: no network, no files but its own."),
};

const struct option_table SETTINGS = { ROWS, COUNT_OF(ROWS) };

/* Behind the name comes `: ` and something that is not ${secret:. */
static bool shows_value(struct slice line, const char *name)
{
    const char *at;
    while (line.n && (at = memmem(line.p, line.n, name, strlen(name))) != NULL) {
        line = slice_after(line, (size_t)(at - line.p) + strlen(name));
        while (line.n && strchr("\"' :\t", line.p[0]))
            line = slice_after(line, 1);
        if (!slice_starts(line, SLICE("${secret:")))
            return true;
    }
    return false;
}

bool settings_hide_line(struct slice line)
{
    for (size_t i = 0; i < SETTINGS.count; i++) {
        const char *dot = strrchr(ROWS[i].key, '.');
        if (ROWS[i].kind == OPTION_SECRET && dot && shows_value(line, dot + 1))
            return true;
    }
    return false;
}
