/* The group `quality` of a domain: targets in place of the platform's. */
#include "config/domain_reader.h"

static void read_target(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value,
                        enum quality_ratio ratio)
{
    int64_t share;
    if (domain_share(reader, key, value, &share))
        domain_say(object, DOMAIN_QUALITY_TARGET + ratio, share + 1, value);
}

static void read_completeness(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_target(reader, object, key, value, QUALITY_COMPLETENESS);
}

static void read_validity(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_target(reader, object, key, value, QUALITY_VALIDITY);
}

static void read_uniqueness(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_target(reader, object, key, value, QUALITY_UNIQUENESS);
}

static void read_timeliness(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_target(reader, object, key, value, QUALITY_TIMELINESS);
}

static void read_consistency(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_target(reader, object, key, value, QUALITY_CONSISTENCY);
}

static const struct domain_key KEYS[QUALITY_RATIOS] = {
    [QUALITY_COMPLETENESS] = { "completeness", "0.9999", "Required values that are there.", read_completeness,
                               SHAPE_SHARE },
    [QUALITY_VALIDITY] = { "validity", "0.9997", "Events without faults.", read_validity, SHAPE_SHARE },
    [QUALITY_UNIQUENESS] = { "uniqueness", "1", "Valid events that came for the first time.", read_uniqueness,
                             SHAPE_SHARE },
    [QUALITY_TIMELINESS] = { "timeliness", "99.8 %", "Accepted events that are not late.", read_timeliness,
                             SHAPE_SHARE },
    [QUALITY_CONSISTENCY] = { "consistency", "1", "Accepted events that have their row.", read_consistency,
                              SHAPE_SHARE },
};
const struct domain_level DOMAIN_QUALITY = { "quality", KEYS, COUNT_OF(KEYS) };

const char *quality_ratio_name(enum quality_ratio ratio)
{
    return KEYS[ratio].name;
}
