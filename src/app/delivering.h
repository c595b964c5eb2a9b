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
    const struct domain_set *domains; /* Avro schemas of the event types; read at the start alone */
    const char *data_path;            /* keeps a list of the sinks that have a mark */
    struct marked *marked;            /* which had a mark; borrowed */
    const char *journal_name;         /* whose positions are meant: the data directory's name, or the prefix in Kafka */
};

/* Tries every target: one that cannot work as it is configured is refused, one that is away is waited for. The
 * journal's roles run. */
MUST_CHECK enum status delivering_open(const struct delivering_options *options, struct journal *journal,
                                       struct metrics *metrics, struct world *world, struct delivering **out,
                                       int *out_exit_code, struct error *err);
void delivering_look(struct delivering *delivering);  /* once a second: their gauges follow; NULL is fine */
void delivering_stop(struct delivering *delivering);  /* gives them two seconds to be through */
void delivering_close(struct delivering *delivering); /* after the journal's roles have ended; NULL is fine, twice */
