#include "trial/trial_json.h"

#include <stdio.h>
#include <string.h>

#include "base/json_text.h"
#include "trial/trial_file.h"

static size_t skip_digits(const char **at)
{
    size_t n = strspn(*at, "0123456789");
    *at += n;
    return n;
}

/* As JSON writes them: 007, .5 and 1.e5 are texts. */
static bool is_number(struct slice text)
{
    char copy[64];
    const char *at = copy;
    if (text.n >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%.*s", SLICE_ARG(text));
    at += *at == '-';
    if (*at == '0')
        at++;
    else if (skip_digits(&at) == 0)
        return false;
    if (*at == '.' && (at++, skip_digits(&at) == 0))
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        if (skip_digits(&at) == 0)
            return false;
    }
    return (size_t)(at - copy) == text.n;
}

static void add_scalar(struct fy_node *node, struct buf *json)
{
    static const char *const WORDS[] = { "true", "false", "null" };
    struct slice text = { 0 };
    bool raw = false;
    if (!yaml_scalar(node, &text) || fy_node_is_null(node)) {
        buf_add_text(json, "null");
        return;
    }
    if (fy_node_get_style(node) == FYNS_PLAIN) {
        raw = is_number(text);
        for (size_t i = 0; i < COUNT_OF(WORDS); i++)
            raw |= slice_equal(text, slice_from(WORDS[i]));
    }
    if (raw)
        buf_add_slice(json, text);
    else
        json_add_string(json, text);
}

static void add(struct fy_node *node, unsigned depth, struct buf *json)
{
    void *at = NULL;
    bool first = true;
    struct slice name;
    node = yaml_follow(node);
    if (json->full)
        return; /* a long text that aliases repeat is not read a million times */
    if (!node || depth > TRIAL_DEPTH_MAX) {
        buf_add_text(json, "null");
    } else if (fy_node_is_scalar(node)) {
        add_scalar(node, json);
    } else if (fy_node_is_sequence(node)) {
        buf_add_char(json, '[');
        for (struct fy_node *item; (item = fy_node_sequence_iterate(node, &at)); first = false) {
            buf_add_text(json, first ? "" : ",");
            add(item, depth + 1, json);
        }
        buf_add_char(json, ']');
    } else {
        buf_add_char(json, '{');
        for (struct fy_node_pair *pair; (pair = fy_node_mapping_iterate(node, &at)); first = false) {
            buf_add_text(json, first ? "" : ",");
            json_add_string(json, yaml_scalar(fy_node_pair_key(pair), &name) ? name : SLICE(""));
            buf_add_char(json, ':');
            add(fy_node_pair_value(pair), depth + 1, json);
        }
        buf_add_char(json, '}');
    }
}

void trial_add_json(struct fy_node *node, struct buf *json)
{
    add(node, 0, json);
}
