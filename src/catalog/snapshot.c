/* Reading counts the lines first (the last line says how many there are of which), so that the directory has its size
 * at birth; a text that was cut off has no last line and is refused whole. */
#include "catalog/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"

#define FIELDS_MAX 9
#define LINE_MAX 400 /* longer than any that snapshot_write makes */

static void write_tenant(const struct tenant *tenant, struct buf *out)
{
    buf_add_format(out, "tenant\t%s\t%s\t%s\t%" PRIu64 "\t%d\t%d\t%u\t%" PRId64 "\n", tenant->id,
                   tenant->placement[0] ? tenant->placement : "-", tenant_tier_name(tenant->tier),
                   tenant->quota_per_minute, tenant->retention_days, tenant->open, tenant->olap_slot,
                   tenant->created_ms);
}

static void write_key(const struct directory *directory, const struct directory_key *key, struct buf *out)
{
    char hex[KEY_HASH_BYTES * 2 + 1] = "", end[24] = "-";
    hex_encode(slice_of(key->hash, KEY_HASH_BYTES), hex);
    if (key->end_ms != KEY_NO_END)
        snprintf(end, sizeof end, "%" PRId64, key->end_ms);
    buf_add_format(out, "key\t%s\t%s\t%s\t%s\n", directory_at(directory, key->tenant)->id,
                   key->kind == KEY_WRITE ? "write" : "read", hex, end);
}

void snapshot_write(const struct directory *directory, const char *owner, struct buf *out)
{
    size_t tenants = directory_count(directory), keys = directory_key_count(directory);
    assert(strlen(owner) <= SNAPSHOT_OWNER_MAX && !strchr(owner, ' '));
    buf_add_format(out, "weir-catalog 1 %s\n", owner);
    for (size_t i = 0; i < tenants; i++)
        write_tenant(directory_at(directory, i), out);
    for (size_t i = 0; i < keys; i++)
        write_key(directory, directory_key_at(directory, i), out);
    buf_add_format(out, "end\t%zu\t%zu\n", tenants, keys);
}

/* The next line as terminated fields in `line`. How many; 0: the text is at its end, or the line is too long. */
static size_t next_line(struct slice *rest, char line[LINE_MAX], char *fields[FIELDS_MAX])
{
    const char *end = memchr(rest->p, '\n', rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n, count = 0;
    if (!end || n >= LINE_MAX)
        return 0;
    memcpy(line, rest->p, n);
    line[n] = '\0';
    *rest = slice_after(*rest, n + 1);
    for (char *at = line; at && count < FIELDS_MAX; at = strchr(at, '\t')) {
        if (count)
            *at++ = '\0';
        fields[count++] = at;
    }
    return count;
}

static bool read_number(const char *text, int64_t least, int64_t most, int64_t *out)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < least || value > most)
        return false;
    *out = value;
    return true;
}

static bool read_tenant(char *const fields[FIELDS_MAX], struct directory *directory)
{
    struct tenant tenant = { 0 };
    int64_t retention, open, slot;
    if (tenant_id_check(slice_from(fields[1]), NULL) != OK || strlen(fields[2]) > TENANT_ID_MAX ||
        !tenant_read_tier(slice_from(fields[3]), &tenant.tier) ||
        !slice_to_u64(slice_from(fields[4]), &tenant.quota_per_minute) ||
        !read_number(fields[5], -1, INT32_MAX, &retention) || !read_number(fields[6], 0, 1, &open) ||
        !read_number(fields[7], 1, UINT32_MAX, &slot) || !read_number(fields[8], 0, INT64_MAX, &tenant.created_ms) ||
        directory_find(directory, slice_from(fields[1])))
        return false;
    snprintf(tenant.id, sizeof tenant.id, "%s", fields[1]);
    snprintf(tenant.placement, sizeof tenant.placement, "%s", strcmp(fields[2], "-") == 0 ? "" : fields[2]);
    tenant.retention_days = (int32_t)retention;
    tenant.open = open != 0;
    tenant.olap_slot = (uint32_t)slot;
    directory_add_tenant(directory, &tenant);
    return true;
}

static bool read_key(char *const fields[FIELDS_MAX], int64_t now_ms, struct directory *directory, int64_t *next_end_ms)
{
    unsigned char hash[KEY_HASH_BYTES];
    int64_t end_ms = KEY_NO_END;
    bool is_write = strcmp(fields[2], "write") == 0;
    if (!directory_find(directory, slice_from(fields[1])) || (!is_write && strcmp(fields[2], "read") != 0) ||
        strlen(fields[3]) != sizeof hash * 2 || !hex_decode(slice_from(fields[3]), hash) ||
        (strcmp(fields[4], "-") != 0 && !read_number(fields[4], 0, INT64_MAX, &end_ms)))
        return false;
    if (end_ms <= now_ms)
        return true;
    *next_end_ms = end_ms < *next_end_ms ? end_ms : *next_end_ms;
    directory_add_key(directory, is_write ? KEY_WRITE : KEY_READ, hash, end_ms, slice_from(fields[1]));
    return true;
}

/* What the last line says. */
static bool read_counts(struct slice text, int64_t *tenants, int64_t *keys)
{
    size_t at = text.n ? text.n - 1 : 0;
    while (at > 0 && text.p[at - 1] != '\n')
        at--;
    struct slice last = slice_after(text, at);
    char line[LINE_MAX], *fields[FIELDS_MAX];
    return next_line(&last, line, fields) == 3 && strcmp(fields[0], "end") == 0 &&
           read_number(fields[1], 0, (int64_t)text.n, tenants) && read_number(fields[2], 0, (int64_t)text.n, keys);
}

static enum status wrong(struct error *err, const char *what)
{
    return error_set(err, ERR_CORRUPT, "the catalog that was sent is malformed: %s", what);
}

static enum status fill(struct slice rest, int64_t now_ms, int64_t tenants, int64_t keys, struct directory *directory,
                        int64_t *next_end_ms, struct error *err)
{
    char line[LINE_MAX], *fields[FIELDS_MAX];
    (void)next_line(&rest, line, fields); /* snapshot_owner has looked at it */
    for (int64_t i = 0; i < tenants; i++)
        if (next_line(&rest, line, fields) != 9 || strcmp(fields[0], "tenant") != 0 || !read_tenant(fields, directory))
            return wrong(err, "a line of a tenant");
    for (int64_t i = 0; i < keys; i++)
        if (next_line(&rest, line, fields) != 5 || strcmp(fields[0], "key") != 0 ||
            !read_key(fields, now_ms, directory, next_end_ms))
            return wrong(err, "a line of a key");
    if (next_line(&rest, line, fields) != 3 || rest.n != 0)
        return wrong(err, "there are more lines than it says");
    return OK;
}

enum status snapshot_read(struct slice text, int64_t now_ms, struct directory **out, int64_t *out_next_end_ms,
                          struct error *err)
{
    char owner[SNAPSHOT_OWNER_MAX + 1];
    int64_t tenants, keys, next_end_ms = KEY_NO_END;
    if (!snapshot_owner(text, owner) || !read_counts(text, &tenants, &keys))
        return wrong(err, "its begin or its end is missing");
    struct directory *directory = directory_new((size_t)tenants, (size_t)keys);
    if (!directory)
        return error_set(err, ERR_FULL, "catalog: out of memory for %" PRId64 " tenants", tenants);
    enum status s = fill(text, now_ms, tenants, keys, directory, &next_end_ms, err);
    if (s != OK) {
        directory_free(directory);
        return s;
    }
    *out = directory;
    *out_next_end_ms = next_end_ms;
    return OK;
}

bool snapshot_owner(struct slice text, char out[SNAPSHOT_OWNER_MAX + 1])
{
    struct slice head = SLICE("weir-catalog 1 ");
    const char *end = memchr(text.p, '\n', text.n);
    size_t n = end ? (size_t)(end - text.p) : 0;
    if (!slice_starts(text, head) || n <= head.n || n - head.n > SNAPSHOT_OWNER_MAX)
        return false;
    memcpy(out, text.p + head.n, n - head.n);
    out[n - head.n] = '\0';
    return true;
}
