/* What the readers of a domain file share: one level of keys is one table, from which the check of keys, the hints and
 * the documentation come. Nobody outside of config/ includes this. */
#pragma once
#include "config/domain.h"
#include "config/yaml.h"
#include "world/disk.h"
#include "world/world.h"

#define DOMAIN_SET_BYTES_MAX (64u << 20) /* a plan of fields is 64 KiB, and each event type and transform has one */

/* Everything that is being put together; domain_load.c makes a domain_set of it. */
struct domain_build {
    struct arena *arena;
    struct field_plan *fields;
    struct field_plan *scratch; /* for taking single paths apart */
    struct domain *domains;
    struct window *windows;
    struct transform *transforms;
    struct event_type *event_types;
    struct dimension_table *tables;
    struct lookup_table *lookups; /* of tables, place by place */
    struct arena *tables_arena;   /* of what stands in them */
    size_t domain_count, window_count, transform_count, event_type_count, table_count;
};

struct domain_reader {
    struct yaml_file file;
    struct domain_build *build;
    const char *directory; /* of the domain's file: scripts lie beside it */
    struct world *world;
    struct domain *domain;                   /* the one that this file describes */
    struct fy_node *generate_key, *generate; /* of the file: read last */
};

/* What editors are told of a value (config/schema.c); the reader checks everything else. */
enum domain_shape {
    SHAPE_TEXT,
    SHAPE_NAME,
    SHAPE_DURATION,
    SHAPE_SHARE,
    SHAPE_BOOLEAN,
    SHAPE_CHOICE,      /* one of the words of `form` */
    SHAPE_EXPRESSION,  /* any scalar */
    SHAPE_EXPRESSIONS, /* a group: each value is one */
    SHAPE_COLUMNS,     /* a list of expressions, each with a name or without */
    SHAPE_KINDS,       /* a group: each value is a type as of event types */
    SHAPE_TEXTS,
    SHAPE_LEVEL,  /* a group with the keys of `level` */
    SHAPE_LEVELS, /* a list of those */
    SHAPE_NAME_OR_NAMES,
    SHAPE_NAMES_OR_LEVELS, /* a list of those, or of their names alone */
};

struct domain_level;
struct domain_key {
    const char *name, *form, *help;
    /* object: what the level is about. key is for problems that are not in the value. */
    void (*read)(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value);
    enum domain_shape shape;
    const struct domain_level *level;
    bool required;
};

struct domain_level {
    const char *path; /* "windows[]", "" for the top */
    const struct domain_key *keys;
    size_t count;
};

#define DOMAIN_KEYS_MAX 24 /* of a level */

extern const struct domain_level DOMAIN_TOP, DOMAIN_SESSIONS, DOMAIN_TIME, DOMAIN_QUALITY, DOMAIN_WINDOW,
    DOMAIN_TRANSFORM, DOMAIN_EVENT_TYPE, DOMAIN_EVENT_FIELD, DOMAIN_EVENT_RULE, DOMAIN_GENERATE, DOMAIN_GENERATE_STEP,
    DOMAIN_GENERATE_TYPE, DOMAIN_GENERATE_FIELD, DOMAIN_TABLE, DOMAIN_TABLE_FROM;

/* Reads a group of keys. seen (NULL or DOMAIN_KEYS_MAX places) gets the node of each key that is there, by its row. */
void domain_read_level(struct domain_reader *reader, const struct domain_level *level, struct fy_node *group,
                       struct fy_node *key, void *object, struct fy_node **seen);

/* Each tells what is wrong and returns false; out is then untouched. */
MUST_CHECK bool domain_copy(struct domain_reader *reader, struct fy_node *node, struct slice text, struct slice *out);
/* A scalar, kept in the arena. */
MUST_CHECK bool domain_text(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                            struct slice *out);
/* [a-z0-9_]+ */
MUST_CHECK bool domain_name(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                            struct slice *out);
MUST_CHECK bool domain_duration(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                                int64_t min_ms, int64_t max_ms, int64_t *out_ms);
/* 1d to 36500d. */
MUST_CHECK bool domain_days(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                            int32_t *out_days);
/* In millionths. */
MUST_CHECK bool domain_share(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                             int64_t *out_millionths);
MUST_CHECK bool domain_choice(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                              const char *const *choices, size_t count, size_t *out);
MUST_CHECK bool domain_flag(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, bool *out);
/* YAML ends a value in [ ] or { } at a comma, which cuts a call with two arguments in half: whether that befell the
 * scalar, whose text ends too early. */
bool domain_cut_at_comma(const struct domain_reader *reader, struct fy_node *value, struct slice text);
#define DOMAIN_CUT_AT_COMMA "inside of [ ] and { } a comma ends the value: put this expression in quotes"
MUST_CHECK bool domain_expr(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, unsigned types,
                            struct field_plan *plan, const struct expr **out);
/* A file that lies beside the domain's and is named by a scalar; *out_text is the caller's to free. */
MUST_CHECK bool domain_file_beside(struct domain_reader *reader, struct fy_node *name, size_t bytes_max,
                                   char out_path[DISK_PATH_MAX], char **out_text, size_t *out_n);
/* The next item of a list, aliases followed; at: NULL to begin. NULL: no more. */
struct fy_node *domain_next(struct fy_node *list, void **at);
MUST_CHECK bool domain_is_list(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                               const char *of_what);
/* Of the candidates, the one that was probably meant, or NULL. */
const char *domain_closest(struct slice name, const char *const *names, size_t count);

/* domain_window.c, domain_transform.c, domain_event.c, domain_dimension.c: one item of the list. */
void domain_read_window(struct domain_reader *reader, struct fy_node *item);
void domain_read_transform(struct domain_reader *reader, struct fy_node *item);
void domain_read_table(struct domain_reader *reader, struct fy_node *item);
void domain_read_event_type(struct domain_reader *reader, struct fy_node *item);
/* domain_field.c: an attribute, dimension or metric into *out; false: nothing of it is usable. *out_as: generate.as, to
 * be read when all fields are known, or NULL. */
MUST_CHECK bool domain_read_field(struct domain_reader *reader, enum event_role role, struct fy_node *item,
                                  struct event_field *out, struct fy_node **out_as);
/* domain_generate.c: the groups `generate` of a domain (when its event types are known), an event type, a field. */
void domain_read_generate(struct domain_reader *reader, struct fy_node *key, struct fy_node *value);
void domain_read_generate_type(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                               const double **out_weight);
void domain_read_generate_field(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                                const struct generate_field **out, struct fy_node **out_as);
/* [A-Za-z_][A-Za-z0-9_]*: as Avro, SQL and languages want it. */
MUST_CHECK bool domain_identifier(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                                  struct slice *out);
/* reject, quarantine or tag. */
void domain_read_otherwise(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                           enum event_otherwise *out);
/* backward, forward, full or none. */
void domain_read_compatibility(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                               enum event_compatibility *out);
/* domain_measure.c: "quantile(properties.load_ms, 0.95)". */
MUST_CHECK bool domain_read_measure(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                                    struct window_measure *out);
/* domain_tenants.c: `tenants`, read before everything that must be unique among those who share a tenant. */
void domain_read_tenants(struct domain_reader *reader, struct fy_node *key, struct fy_node *value);
/* Whether there may be a tenant that has both, and neither goes before the other. */
bool domain_contradicts(const struct domain *a, const struct domain *b);
void domain_say(struct domain *domain, enum domain_word word, int64_t said, struct fy_node *value);
/* Tells what the domain says otherwise than one that was read before it and may not; when its file is read. */
void domain_agree(struct domain_reader *reader);
/* file:line:column of what stands at that place of the domain's file. */
#define DOMAIN_PLACE_MAX (DISK_PATH_MAX + 32)
const char *domain_place(const struct domain *domain, size_t at, char to[DOMAIN_PLACE_MAX]);
/* Who has which domains, when all are read; false: out of memory. */
MUST_CHECK bool domain_resolve_tenants(struct domain_set *set, struct arena *arena);
/* domain_file.c: a whole file; the build may get a part of it when there are problems. */
void domain_read_file(struct domain_reader *reader);
/* domain_fingerprint.c: window.id. */
uint64_t domain_window_id(const struct window *window, const struct field_plan *plan);
