/* The words of a tenant as people write them. Reserved names: what the engine, its users or our own tables are called,
 * so that no tenant's name can be mistaken for one of them in a URL, a log or a grant. */
#include "base/buf.h"
#include "base/json_text.h"
#include "catalog/catalog.h"

static bool is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

enum status tenant_id_check(struct slice id, struct error *err)
{
    static const char *const RESERVED[] = { "default", "writer", "system", "pub",    "weir",    "admin",
                                            "root",    "reader", "public", "shared", "olap",    "information_schema",
                                            "all",     "none",   "null",   "new",    "internal" };
    bool good = id.n > 0 && id.n <= TENANT_ID_MAX && is_id_char(id.p[0]);
    for (size_t i = 1; good && i < id.n; i++)
        good = is_id_char(id.p[i]) || id.p[i] == '_' || id.p[i] == '-';
    if (!good)
        return error_set(err, ERR_INVALID,
                         "a tenant's name is 1 to %d of a-z, 0-9, _ and -, and begins with a letter or digit",
                         TENANT_ID_MAX);
    for (size_t i = 0; i < COUNT_OF(RESERVED); i++)
        if (slice_equal(id, slice_from(RESERVED[i])))
            return error_set(err, ERR_INVALID, "the name '%s' is reserved: choose another", RESERVED[i]);
    if (slice_starts(id, SLICE("reader_")))
        return error_set(err, ERR_INVALID, "names that begin with reader_ are reserved: choose another");
    return OK;
}

static const char *const TIERS[] = { [TIER_STANDARD] = "standard", [TIER_ENTERPRISE] = "enterprise" };

const char *tenant_tier_name(enum tenant_tier tier)
{
    assert((size_t)tier < COUNT_OF(TIERS));
    return TIERS[tier];
}

bool tenant_read_tier(struct slice text, enum tenant_tier *out)
{
    for (size_t i = 0; i < COUNT_OF(TIERS); i++) {
        if (slice_equal(text, slice_from(TIERS[i]))) {
            *out = (enum tenant_tier)i;
            return true;
        }
    }
    return false;
}

static struct slice without_suffix(struct slice text, struct slice suffix)
{
    if (text.n > suffix.n && slice_equal(slice_after(text, text.n - suffix.n), suffix))
        text.n -= suffix.n;
    return text;
}

bool tenant_read_quota(struct slice text, uint64_t *out_per_minute)
{
    uint64_t value;
    if (slice_equal(text, SLICE("unlimited"))) {
        *out_per_minute = UINT64_MAX;
        return true;
    }
    if (slice_equal(text, SLICE("default"))) {
        *out_per_minute = 0;
        return true;
    }
    if (!slice_to_u64(without_suffix(text, SLICE("/min")), &value) || value == 0 || value > 1000000000000)
        return false;
    *out_per_minute = value;
    return true;
}

bool tenant_read_retention(struct slice text, int32_t *out_days)
{
    uint64_t value;
    if (slice_equal(text, SLICE("unlimited"))) {
        *out_days = -1;
        return true;
    }
    if (slice_equal(text, SLICE("default"))) {
        *out_days = 0;
        return true;
    }
    if (!slice_to_u64(without_suffix(text, SLICE("d")), &value) || value == 0 || value > 36500)
        return false;
    *out_days = (int32_t)value;
    return true;
}

void tenant_add_json(struct buf *buf, const struct tenant *tenant)
{
    buf_add_char(buf, '{');
    json_add_field(buf, "tenant", slice_from(tenant->id));
    json_add_field(buf, "tier", slice_from(tenant_tier_name(tenant->tier)));
    if (tenant->quota_per_minute == 0)
        json_add_field(buf, "quota_per_minute", SLICE("default"));
    else if (tenant->quota_per_minute == UINT64_MAX)
        json_add_field(buf, "quota_per_minute", SLICE("unlimited"));
    else
        json_add_field_u64(buf, "quota_per_minute", tenant->quota_per_minute);
    if (tenant->retention_days == 0)
        json_add_field(buf, "retention_days", SLICE("default"));
    else if (tenant->retention_days < 0)
        json_add_field(buf, "retention_days", SLICE("unlimited"));
    else
        json_add_field_u64(buf, "retention_days", (uint64_t)tenant->retention_days);
    json_add_field(buf, "placement", slice_from(tenant->placement));
    json_add_key(buf, "open");
    buf_add_text(buf, tenant->open ? "true" : "false");
    json_add_field_u64(buf, "olap_slot", tenant->olap_slot);
    json_add_field_u64(buf, "created_ms", (uint64_t)tenant->created_ms);
    buf_add_char(buf, '}');
}
