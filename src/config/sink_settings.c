#include "config/setting_rows.h"
#include "config/settings.h"

#define FIELD(name) offsetof(struct sink_settings, name)

static const struct option ROWS[] = {
    CHOICE("kind", kind, "kafka", "kafka|file|library",
           "Where results go: a topic of a Kafka (brokers, topic), lines of a file (path), or what a shared object of "
           "yours makes of them (library)."),
    WORD("results", OPTION_TEXT, results, "windows", "windows|sessions|late_events|dead_letters|events",
         "Which results go, by the names of the tables.", .list = true),
    TEXT("windows", windows, "", "Names of the windows whose results and late events go; empty: all.", .list = true),
    TEXT("tenants", tenants, "", "Tenants whose results go, by id; empty: all.", .list = true),
    BOOLEAN("only_final", only_final, "false",
            "Of windows only the final results, and what amends them; else each result as it grows (emit)."),
    CHOICE("from", from, "beginning", "beginning|end",
           "Where a new sink begins: with the oldest results that the journal has, or with those to come."),
    CHOICE(
        "lost_mark", lost_mark, "refuse", "refuse|begin|end",
        "With Kafka as the journal, when its brokers have forgotten up to where is delivered and the target does not "
        "know, either: refuse to start, or go on once with the oldest results that the journal has (what was "
        "delivered comes again) or with those to come."),
    DURATION("linger", linger_ms, "100ms", 0, MINUTE, "How long a result waits for company before it is sent."),
    BYTES("hold", hold_bytes, "16 GiB", 0, 1024 * TIB,
          "Most journal that is kept for a sink whose target is away; beyond it its oldest results are passed over, "
          "counted and told. 0: as much as journal.size_max allows, then events are answered 503."),
    BYTES("record_size_max", record_bytes_max, "900 KiB", 1024, 32 * MIB,
          "Largest result; a larger one is left out and counted (Kafka's topics take 1 MiB unless set otherwise)."),

    TEXT("brokers", brokers, "",
         "Brokers to begin with, HOST:PORT,…; empty: those of kafka.brokers, with their security."),
    TEXT("topic", topic, "", "Topic that results go to. It must be there."),
    CHOICE("compression", compression, "lz4", "lz4|snappy|zstd|gzip|none", "Of what is sent."),
    TEXT("id_prefix", id_prefix, "weir-sink",
         "Begin of the names of the sink's transactional ids and groups, for the brokers' rights."),
    CHOICE("security", security, "plaintext", "plaintext|ssl|sasl_plaintext|sasl_ssl", "How brokers are spoken to."),
    CHOICE("sasl_mechanism", sasl_mechanism, "SCRAM-SHA-512", "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512",
           "With security sasl_plaintext or sasl_ssl."),
    TEXT("sasl_user", sasl_user, "", "User at the brokers."),
    SECRET("sasl_password", sasl_password, "Password of sasl_user: ${secret:NAME}."),
    TEXT("tls_ca", tls_ca, "", "PEM file of the authority that signed the brokers' certificates."),
    TEXT("tls_certificate", tls_certificate, "", "PEM file of our own certificate, where brokers ask for one."),
    TEXT("tls_key", tls_key, "", "PEM file of the private key of tls_certificate."),

    CHOICE("format", format, "json", "json|avro",
           "What the values are, of kind kafka; avro: in Confluent's framing, with their schemas in a registry."),
    TEXT("registry", registry, "",
         "Schema registry (Confluent's API), http://… or https://…; empty: that of registry.url, with its user."),
    TEXT("registry_user", registry_user, "", "User at the schema registry."),
    SECRET("registry_password", registry_password, "Password of registry_user: ${secret:NAME}."),
    CHOICE("subjects", subjects, "topic-record", "topic|record|topic-record",
           "How the schemas' subjects are named: TOPIC-value (of one kind of results alone), the record's name, or "
           "TOPIC-NAME."),

    TEXT("path", path, "", "File that gets a line of JSON for each result; its directory must be there."),
    TEXT("library", library, "", "Shared object with a target of yours (docs/sinks.md)."),
    TEXT("to", to, "", "What the library is told: an address, say."),
};

const struct option_table SINK_SETTINGS = { ROWS, COUNT_OF(ROWS) };
