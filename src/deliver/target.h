/* A target: a system of somebody else's to which results go. This is the port; backends are one file each: kafka, file,
 * library (a shared object that the configuration names, for targets that weir does not know: examples/sink-http).
 *
 * Results come in batches, in the order of the journal. What is cut off is sent again from the last place that is known
 * to be delivered: a target that keeps that place together with the records (kafka: in the same transaction; file: by
 * its length) has each record once, any other one may get the last records again, with the same ids.
 * Threads: one target is used by one thread at a time. This header needs nothing of weir but types: a library fills
 * struct error by itself. */
#pragma once
#include <stdatomic.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define TARGET_VERSION 1
#define TARGET_NOTE_MAX 64

struct target;
struct world;

struct target_record {
    struct slice id;    /* "windows/0/1874": the same in every repeat, and of no other record of this weir */
    struct slice key;   /* JSON: what belongs together and keeps its order */
    struct slice value; /* a JSON object in one line */
};

struct target_batch {
    const struct target_record *records; /* borrowed */
    size_t count;                        /* > 0 */
    uint64_t from, to;                   /* positions in the journal: `to` is delivered once this batch is */
};

struct target_kafka_options {
    const char *brokers, *topic, *compression;
    const char *id_prefix; /* of the transactional id and the group */
    const char *security, *sasl_mechanism, *sasl_user, *sasl_password;
    const char *tls_ca, *tls_certificate, *tls_key;
};

/* The Avro schemas of declared event types. Of several with one name that are a tenant's, the first one holds. */
struct target_schemas {
    const struct target_schema {
        const char *event_type, *schema;
        const struct slice *tenants; /* whose it is or, others, whose it is not; tenant_count 0: everybody's */
        size_t tenant_count;
        bool others;
    } * types;
    size_t count;
};

/* Of kafka: values in Avro. Other schemas than those of event types are the sink's own. */
struct target_avro_options {
    const char *registry; /* NULL or "": values are JSON */
    const char *user, *password, *subjects;
    const char *results; /* which the sink sends, as in the configuration */
    struct target_schemas schemas;
};

/* Texts are borrowed for the target's life; "" for what is not said. */
struct target_options {
    const char *sink;    /* its name in the configuration */
    const char *journal; /* the journal's own name: positions of another one mean nothing */
    uint16_t order;      /* which of the journal's orders; 0 when it has one */
    uint16_t orders;
    const char *path, *library, *to; /* of file; of library, and what it is told */
    struct target_kafka_options kafka;
    const _Atomic bool *stopping; /* who waits for long looks at it now and then, and ends with ERR_CLOSED */
    struct target_avro_options avro;
};

struct target_backend {
    uint32_t version; /* TARGET_VERSION */
    const char *name; /* as in the configuration: "kafka", "file", "library" */
    /* Does not touch the outside world. ERR_INVALID: these options cannot work. */
    enum status (*open)(const struct target_options *, struct world *, struct target **, struct error *);
    /* Before the first write, and after each that failed: settles what is unfinished, and sees whether writing will go.
     * *io_position: where the last write ended that the journal knows of; io_note: what that write left there, "" for
     * none. Who knows a later place by himself sets it; who has records behind the place takes them back. The note is
     * then what it was, or a new one.
     * ERR_RETRY: away. ERR_INVALID, ERR_NOT_FOUND, ERR_IO: somebody must act, the message says how. ERR_CLOSED:
     * stopping. */
    enum status (*resume)(struct target *, char io_note[TARGET_NOTE_MAX], uint64_t *io_position, struct error *);
    /* OK: all of it is there and stays, and io_note may say what resume wants to know. Anything else: none, some or all
     * of it is there, and resume comes next; the statuses are the same. */
    enum status (*write)(struct target *, const struct target_batch *, char io_note[TARGET_NOTE_MAX], struct error *);
    void (*close)(struct target *); /* NULL is fine */
};

/* Every backend's struct begins with this. */
struct target {
    const struct target_backend *backend;
};

extern const struct target_backend target_kafka, target_file, target_library;
extern const struct target_backend weir_target; /* what a library defines */
#define TARGET_LIBRARY_SYMBOL "weir_target"

static inline void target_close(struct target *target)
{
    if (target)
        target->backend->close(target);
}
