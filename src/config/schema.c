/* Settings may be nested or dotted at any level ("api.tls.key", "api: {tls.key}"), so a level's schema has every rest
 * of a key below it as a property. */
#include "config/schema.h"

#include "base/json_text.h"
#include "config/domain_reader.h"
#include "config/settings.h"

#define DRAFT "https://json-schema.org/draft/2020-12/schema"
#define DURATION_PATTERN "^-?[0-9]+ *(ms|s|m|min|h|d|days)$"
#define BYTES_PATTERN "^[0-9]+ *(B|k|KiB|kB|M|MiB|MB|G|GiB|GB|TiB|T|TB)?$"
#define SHARE_PATTERN "^[0-9]+(\\\\.[0-9]+)? *%?$"
#define SECRET_PATTERN "\\\\$\\\\{secret:[A-Za-z0-9_./#-]+\\\\}"
#define SCALAR "[\"string\",\"number\",\"boolean\"]"

static void begin(struct buf *out, const char *title)
{
    buf_add_text(out, "{");
    json_add_field(out, "$schema", SLICE(DRAFT));
    json_add_field(out, "title", slice_from(title));
}

/* "a|b" or "a | b" → "a","b" */
static void add_choices(struct buf *out, const char *choices)
{
    struct slice rest = slice_from(choices);
    buf_add_text(out, ",\"enum\":[");
    for (bool first = true; rest.n; first = false) {
        const char *bar = memchr(rest.p, '|', rest.n);
        size_t n = bar ? (size_t)(bar - rest.p) : rest.n;
        buf_add_text(out, first ? "" : ",");
        json_add_string(out, slice_trim(slice_of(rest.p, n)));
        rest = slice_after(rest, bar ? n + 1 : n);
    }
    buf_add_text(out, "]");
}

static void add_share(struct buf *out)
{
    buf_add_text(out,
                 ",\"type\":[\"number\",\"string\"],\"minimum\":0,\"maximum\":1,\"pattern\":\"" SHARE_PATTERN "\"");
}

/* ---- settings ---- */

static void add_type(struct buf *out, const struct option *option)
{
    switch (option->kind) {
    case OPTION_INTEGER:
        buf_add_format(out, ",\"type\":\"integer\",\"minimum\":%ld,\"maximum\":%ld", option->min, option->max);
        return;
    case OPTION_BYTES:
        buf_add_format(out, ",\"type\":[\"integer\",\"string\"],\"minimum\":%ld,\"maximum\":%ld,\"pattern\":\"%s\"",
                       option->min, option->max, BYTES_PATTERN);
        return;
    case OPTION_DURATION:
        buf_add_text(out, ",\"type\":\"string\",\"pattern\":\"" DURATION_PATTERN "\"");
        return;
    case OPTION_SHARE:
        add_share(out);
        return;
    case OPTION_BOOLEAN:
        buf_add_text(out, ",\"type\":\"boolean\"");
        return;
    case OPTION_CHOICE:
        add_choices(out, option->choices);
        return;
    case OPTION_SECRET:
        buf_add_text(out, ",\"type\":\"string\",\"pattern\":\"" SECRET_PATTERN "\"");
        return;
    case OPTION_TEXT:
        if (option->list) {
            buf_add_text(out,
                         ",\"type\":[\"string\",\"number\",\"boolean\",\"array\"],\"items\":{\"type\":" SCALAR "}");
            return;
        }
        /* A word that YAML takes for a number is a text as well. */
        buf_add_text(out, ",\"type\":" SCALAR);
        return;
    }
}

static void add_setting(struct buf *out, const struct option *option)
{
    buf_add_text(out, "{");
    json_add_field(out, "description", slice_from(option->help));
    add_type(out, option);
    if (option->kind == OPTION_INTEGER || option->kind == OPTION_SHARE || option->kind == OPTION_BOOLEAN) {
        json_add_key(out, "default");
        buf_add_text(out, option->default_text);
    } else if (option->default_text[0]) {
        json_add_field(out, "default", slice_from(option->default_text));
    }
    buf_add_text(out, "}");
}

static void add_group(struct buf *out, struct option_table table, struct slice path);

/* Each group below the path once: at the first row that is in it. */
static void add_groups_of(struct buf *out, struct option_table table, struct slice path, size_t row)
{
    const char *key = table.rows[row].key;
    size_t begin_at = path.n ? path.n + 1 : 0;
    for (const char *dot = strchr(key + begin_at, '.'); dot; dot = strchr(dot + 1, '.')) {
        struct slice group = slice_of(key, (size_t)(dot - key));
        bool known = false;
        for (size_t i = 0; i < row; i++) {
            struct slice other = slice_from(table.rows[i].key);
            known |= other.n > group.n && slice_starts(other, group) && other.p[group.n] == '.';
        }
        if (known)
            continue;
        struct slice name = slice_after(group, begin_at);
        buf_add_text(out, ",");
        json_add_string(out, name);
        buf_add_text(out, ":");
        add_group(out, table, group);
    }
}

static bool is_below(struct slice key, struct slice path)
{
    return path.n == 0 || (key.n > path.n && slice_starts(key, path) && key.p[path.n] == '.');
}

static void add_properties(struct buf *out, struct option_table table, struct slice path)
{
    bool first = true;
    buf_add_text(out, "{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < table.count; i++) {
        struct slice key = slice_from(table.rows[i].key);
        if (!is_below(key, path))
            continue;
        buf_add_text(out, first ? "" : ",");
        json_add_string(out, slice_after(key, path.n ? path.n + 1 : 0));
        buf_add_text(out, ":");
        add_setting(out, &table.rows[i]);
        add_groups_of(out, table, path, i);
        first = false;
    }
}

static void add_group(struct buf *out, struct option_table table, struct slice path)
{
    add_properties(out, table, path);
    buf_add_text(out, "}}");
}

/* sinks: {NAME: {…}}, also as sinks.NAME and sinks.NAME.KEY */
static void add_sinks(struct buf *out)
{
    buf_add_text(out, ",\"sinks\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":");
    add_group(out, SINK_SETTINGS, SLICE(""));
    buf_add_text(out, "}},\"patternProperties\":{\"^sinks\\\\.[a-z0-9_-]+$\":");
    add_group(out, SINK_SETTINGS, SLICE(""));
    buf_add_text(out, "}}");
}

void schema_of_settings(struct buf *out)
{
    begin(out, "weir: platform.yaml and environments/NAME.yaml");
    buf_add_text(out, ",\"allOf\":[");
    add_properties(out, SETTINGS, SLICE(""));
    add_sinks(out);
    buf_add_text(out, "]}");
}

/* ---- domains ---- */

static void add_level(struct buf *out, const struct domain_level *level);

static void add_shape(struct buf *out, const struct domain_key *key)
{
    switch (key->shape) {
    case SHAPE_TEXT:
        buf_add_text(out, ",\"type\":" SCALAR);
        return;
    case SHAPE_NAME:
        buf_add_text(out, ",\"type\":[\"string\",\"number\"],\"pattern\":\"^[a-z0-9_]{1,64}$\"");
        return;
    case SHAPE_DURATION:
        buf_add_text(out, ",\"type\":\"string\",\"pattern\":\"" DURATION_PATTERN "\"");
        return;
    case SHAPE_SHARE:
        add_share(out);
        return;
    case SHAPE_BOOLEAN:
        buf_add_text(out, ",\"type\":\"boolean\"");
        return;
    case SHAPE_CHOICE:
        add_choices(out, key->form);
        return;
    case SHAPE_EXPRESSION:
        buf_add_text(out, ",\"type\":" SCALAR);
        return;
    case SHAPE_EXPRESSIONS:
        buf_add_text(out, ",\"type\":\"object\",\"additionalProperties\":{\"type\":" SCALAR "}");
        return;
    case SHAPE_COLUMNS:
        buf_add_text(out,
                     ",\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":" SCALAR
                     "},{\"type\":\"object\",\"maxProperties\":1,\"additionalProperties\":{\"type\":" SCALAR "}}]}");
        return;
    case SHAPE_KINDS:
        buf_add_text(out, ",\"type\":\"object\",\"additionalProperties\":{");
        for (unsigned i = 0; i < EVENT_KINDS; i++) {
            buf_add_text(out, i ? "," : "\"enum\":[");
            json_add_string(out, slice_from(event_kind_name((enum event_kind)i)));
        }
        buf_add_text(out, "]}");
        return;
    case SHAPE_TEXTS:
        buf_add_text(out, ",\"type\":\"array\",\"items\":{\"type\":" SCALAR "}");
        return;
    case SHAPE_LEVEL:
        buf_add_text(out, ",\"allOf\":[{");
        add_level(out, key->level);
        buf_add_text(out, "}]");
        return;
    case SHAPE_LEVELS:
        buf_add_text(out, ",\"type\":\"array\",\"items\":{");
        add_level(out, key->level);
        buf_add_text(out, "}");
        return;
    case SHAPE_NAME_OR_NAMES:
        buf_add_text(out, ",\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]");
        return;
    case SHAPE_NAMES_OR_LEVELS:
        buf_add_text(out, ",\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\"},{");
        add_level(out, key->level);
        buf_add_text(out, "}]}");
        return;
    }
}

static void add_level(struct buf *out, const struct domain_level *level)
{
    bool any = false;
    buf_add_text(out, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < level->count; i++) {
        buf_add_text(out, i ? "," : "");
        json_add_string(out, slice_from(level->keys[i].name));
        buf_add_text(out, ":{");
        json_add_field(out, "description", slice_from(level->keys[i].help));
        add_shape(out, &level->keys[i]);
        buf_add_text(out, "}");
    }
    buf_add_text(out, "},\"required\":[");
    for (size_t i = 0; i < level->count; i++) {
        if (!level->keys[i].required)
            continue;
        buf_add_text(out, any ? "," : "");
        json_add_string(out, slice_from(level->keys[i].name));
        any = true;
    }
    buf_add_text(out, "]");
}

void schema_of_domain(struct buf *out)
{
    begin(out, "weir: domains/NAME.yaml");
    buf_add_text(out, ",");
    add_level(out, &DOMAIN_TOP);
    buf_add_text(out, "}");
}
