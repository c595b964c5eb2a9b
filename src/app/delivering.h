/* The sinks of the configuration: a delivery for each and for every order of the journal, each a thread. Of the main
 * thread. */
#pragma once
#include "app/marked.h"
#include "base/compiler.h"
#include "base/error.h"
#include "config/settings.h"

struct delivering;
struct domain_set;
struct journal;
struct metrics;
struct world;

struct delivering_options {
    const struct settings *settings;
    const struct domain_set *domains; /* Avro schemas of the event types; what they are for outlives the sinks */
    const char *data_path;            /* keeps a list of the sinks that have a mark */
    struct marked *marked;            /* which had a mark; borrowed */
    const char *journal_name;         /* whose positions are meant: the data directory's name, or the prefix in Kafka */
};

/* Tries every target: one that cannot work as it is configured is refused, one that is away is waited for. The
 * journal's roles run. */
MUST_CHECK enum status delivering_open(const struct delivering_options *options, struct journal *journal,
                                       struct metrics *metrics, struct world *world, struct delivering **out,
                                       int *out_exit_code, struct error *err);
/* Whether the sinks could go by these domains. ERR_INVALID: the schemas exceed their bound. NULL is fine, here and
 * below. */
MUST_CHECK enum status delivering_check_domains(const struct delivering *delivering, const struct domain_set *domains,
                                                struct error *err);
/* These are in use, before anything is validated by them, and were checked: sinks in Avro write by the schemas of their
 * event types from their next write on. */
void delivering_use_domains(struct delivering *delivering, const struct domain_set *domains);
void delivering_look(
    struct delivering *delivering); /* once a second: their gauges follow, and what is used no more goes */
void delivering_stop(struct delivering *delivering);  /* gives them two seconds to be through */
void delivering_close(struct delivering *delivering); /* after the journal's roles have ended; NULL is fine, twice */
