#include "cli/check_settings.h"

#include <stdio.h>

#include "base/json_text.h"
#include "cli/term.h"

static const char *kind_name(enum option_kind kind)
{
    static const char *const NAMES[] = { "whole number", "size", "time", "true or false", "text", "secret", "choice" };
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
    if (option->choices) {
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

static void print_setting(const struct config *config, size_t row, bool whole)
{
    const struct option *option = &SETTINGS.rows[row];
    char value[OPTION_TEXT_MAX + 1], from[800], type[400];
    config_format(config, row, value, sizeof value);
    origin_text(&config->origins[row], from, sizeof from);
    printf("%s%s%s = %s%s%s  %s(%s)%s\n", term_style(stdout, TERM_BOLD), option->key, term_style(stdout, TERM_PLAIN),
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
    for (size_t i = 0; i < SETTINGS.count; i++)
        print_setting(config, i, false);
}

size_t check_settings_explain(const struct config *config, const char *key)
{
    const struct option *option = option_find(SETTINGS, slice_from(key));
    size_t shown = 0;
    if (option) {
        print_setting(config, (size_t)(option - SETTINGS.rows), true);
        return 1;
    }
    for (size_t i = 0; i < SETTINGS.count; i++)
        if (strstr(SETTINGS.rows[i].key, key)) {
            print_setting(config, i, true);
            shown++;
        }
    return shown;
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
    for (size_t i = 0; i < SETTINGS.count; i++) {
        const struct option *option = &SETTINGS.rows[i];
        const struct config_origin *origin = &config->origins[i];
        char value[OPTION_TEXT_MAX + 1], type[400];
        config_format(config, i, value, sizeof value);
        type_text(option, type, sizeof type);
        buf_add_text(out, i ? ",{" : "{");
        json_add_field(out, "key", slice_from(option->key));
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
