#include "trial/trial_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"

#define DEPTH_MAX 64

static bool is_number(struct slice text)
{
    char copy[64], *end;
    if (text.n == 0 || text.n >= sizeof copy || !(text.p[0] == '-' || (text.p[0] >= '0' && text.p[0] <= '9')))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (strspn(copy, "-+.0123456789eE") != text.n || (copy[0] == '0' && copy[1] >= '0' && copy[1] <= '9'))
        return false;
    (void)strtod(copy, &end);
    return *end == '\0' && end[-1] != '.';
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
    if (!node || depth > DEPTH_MAX) {
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
