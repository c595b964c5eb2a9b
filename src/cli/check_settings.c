#include "cli/check_settings.h"

#include <stdio.h>

#include "base/json_text.h"
#include "cli/term.h"

static const char *kind_name(enum option_kind kind)
{
    static const char *const NAMES[] = {
        [OPTION_INTEGER] = "whole number",
        [OPTION_BYTES] = "size",
        [OPTION_DURATION] = "time",
        [OPTION_SHARE] = "share, 0 to 1 or 0 % to 100 %",
        [OPTION_TEXT] = "text",
        [OPTION_BOOLEAN] = "true or false",
        [OPTION_SECRET] = "secret",
        [OPTION_CHOICE] = "choice",
    };
    return NAMES[kind];
}

static void origin_text(const struct config_origin *origin, char *to, size_t n)
{
    if (!origin->file[0])
        snprintf(to, n, "default");
    else if (!origin->secret)
        snprintf(to, n, "%s:%d", origin->file, origin->line);
    else
        snprintf(to, n, "%s:%d, %s from %s", origin->file, origin->line, origin->written,
                 origin->place.text[0] ? origin->place.text : "nowhere yet");
}

static void type_text(const struct option *option, char *to, size_t n)
{
    char least[64], most[64];
    struct option number = *option;
    number.offset = 0;
    if (option->list) {
        snprintf(to, n, "a list%s%s", option->choices ? " of " : "", option->choices ? option->choices : "");
    } else if (option->choices) {
        snprintf(to, n, "one of %s", option->choices);
    } else if (option->min || option->max) {
        option_format(&number, &option->min, least, sizeof least);
        option_format(&number, &option->max, most, sizeof most);
        snprintf(to, n, "%s, %s to %s", kind_name(option->kind), least, most);
    } else {
        snprintf(to, n, "%s%s", kind_name(option->kind),
                 option->kind == OPTION_SECRET ? ", written as ${secret:NAME}" : "");
    }
}

static void print_setting(const struct config_row *row, bool whole)
{
    const struct option *option = row->option;
    char key[160], value[OPTION_TEXT_MAX + 1], from[800], type[400];
    config_row_key(row, key, sizeof key);
    config_format(row, value, sizeof value);
    origin_text(row->origin, from, sizeof from);
    printf("%s%s%s = %s%s%s  %s(%s)%s\n", term_style(stdout, TERM_BOLD), key, term_style(stdout, TERM_PLAIN),
           term_style(stdout, TERM_CYAN), value[0] ? value : "\"\"", term_style(stdout, TERM_PLAIN),
           term_style(stdout, TERM_DIM), from, term_style(stdout, TERM_PLAIN));
    if (!whole)
        return;
    type_text(option, type, sizeof type);
    printf("    %s\n    type: %s\n    default: %s\n    a change: %s\n", option->help, type,
           option->default_text[0] ? option->default_text : "\"\"",
           option->reload ? "applies with SIGHUP" : "needs a restart");
}

void check_settings_list(const struct config *config)
{
    struct config_row row;
    for (size_t i = 0; config_row(config, i, &row); i++)
        print_setting(&row, false);
}

/* Where no sink is configured its settings are those of one called NAME. */
static bool row_to_explain(const struct config *config, size_t i, struct config_row *out)
{
    static const struct config_origin NOWHERE;
    static struct sink_settings defaults;
    if (config_row(config, i, out))
        return true;
    if (config->settings.sink_count || i >= SETTINGS.count + SINK_SETTINGS.count)
        return false;
    options_set_defaults(SINK_SETTINGS, &defaults);
    *out = (struct config_row){ &SINK_SETTINGS.rows[i - SETTINGS.count], "NAME", &defaults, &NOWHERE };
    return true;
}

static size_t explain(const struct config *config, const char *wanted, bool whole_key)
{
    struct config_row row;
    size_t shown = 0;
    for (size_t i = 0; row_to_explain(config, i, &row); i++) {
        char key[160];
        config_row_key(&row, key, sizeof key);
        if (whole_key ? strcmp(key, wanted) != 0 : !strstr(key, wanted))
            continue;
        print_setting(&row, true);
        shown++;
    }
    return shown;
}

size_t check_settings_explain(const struct config *config, const char *key)
{
    size_t shown = explain(config, key, true);
    return shown ? shown : explain(config, key, false);
}

static void add_flag(struct buf *out, const char *name, bool yes)
{
    json_add_key(out, name);
    buf_add_text(out, yes ? "true" : "false");
}

void check_settings_json(const struct config *config, struct buf *out)
{
    json_add_key(out, "settings");
    buf_add_text(out, "[");
    struct config_row row;
    for (size_t i = 0; config_row(config, i, &row); i++) {
        const struct option *option = row.option;
        const struct config_origin *origin = row.origin;
        char key[160], value[OPTION_TEXT_MAX + 1], type[400];
        config_row_key(&row, key, sizeof key);
        config_format(&row, value, sizeof value);
        type_text(option, type, sizeof type);
        buf_add_text(out, i ? ",{" : "{");
        json_add_field(out, "key", slice_from(key));
        json_add_field(out, "type", slice_from(type));
        json_add_field(out, "value", slice_from(value));
        json_add_field(out, "default", slice_from(option->default_text));
        json_add_field(out, "from", slice_from(origin->file));
        json_add_field_u64(out, "line", (uint64_t)origin->line);
        if (origin->secret) {
            json_add_field(out, "written", slice_from(origin->written));
            json_add_field(out, "secret_from", slice_from(origin->place.text));
        }
        add_flag(out, "reload", option->reload);
        json_add_field(out, "help", slice_from(option->help));
        buf_add_text(out, "}");
    }
    buf_add_text(out, "]");
}
