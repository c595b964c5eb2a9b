/* libfyaml parses and keeps the tokens; what is wrong with the YAML itself is collected from its diagnostics and
 * printed as our own mistakes are. */
#include "config/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/error.h"
#include "base/utf8.h"

#define ANCHORS_MAX 5000 /* libfyaml's time grows with their square */

static size_t line_start(struct slice text, size_t at)
{
    const char *newline = at ? memrchr(text.p, '\n', at) : NULL;
    return newline ? (size_t)(newline + 1 - text.p) : 0;
}

static struct slice line_at(struct slice text, size_t start)
{
    const char *end = start < text.n ? memchr(text.p + start, '\n', text.n - start) : NULL;
    struct slice line = slice_of(text.p + start, end ? (size_t)(end - text.p) - start : text.n - start);
    while (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static size_t characters(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

int yaml_line(const struct yaml_file *file, size_t at)
{
    int line = 0;
    for (size_t i = 0; i < at && i < file->text.n; i++)
        line += file->text.p[i] == '\n';
    return line;
}

void yaml_problem(struct yaml_file *file, size_t at, size_t width, const char *format, ...)
{
    char message[ERROR_TEXT_MAX + 128];
    va_list arguments;
    file->count++;
    if (problems_count_only(file->problems))
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (at > file->text.n)
        at = file->text.n;
    size_t start = line_start(file->text, at), in_line = at - start;
    struct slice line = line_at(file->text, start);
    const struct problem problem = { .file = file->name,
                                     .line = yaml_line(file, at) + 1,
                                     .column = (int)characters(slice_of(file->text.p + start, in_line)) + 1,
                                     .message = message,
                                     .source = file->hidden || (file->hides && file->hides(line)) ? SLICE("") : line,
                                     .at = in_line,
                                     .width = width };
    problems_add(file->problems, &problem);
}

static struct fy_token *first_token(struct fy_node *node)
{
    for (int depth = 0; node && depth < 64; depth++) {
        void *at = NULL;
        if (fy_node_is_scalar(node))
            return fy_node_get_scalar_token(node);
        if (fy_node_is_sequence(node)) {
            node = fy_node_sequence_iterate(node, &at);
        } else {
            struct fy_node_pair *pair = fy_node_mapping_iterate(node, &at);
            node = pair ? fy_node_pair_key(pair) : NULL;
        }
    }
    return NULL;
}

size_t yaml_position(struct fy_node *node)
{
    struct fy_token *token = first_token(node);
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    return mark ? mark->input_pos : 0;
}

static size_t width_of(struct fy_node *node)
{
    struct slice value;
    return yaml_scalar(node, &value) && value.n ? value.n : 1;
}

void yaml_problem_at(struct yaml_file *file, struct fy_node *node, const char *format, ...)
{
    char message[ERROR_TEXT_MAX + 128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    yaml_problem(file, yaml_position(node), width_of(node), "%s", message);
}

void yaml_problem_inside(struct yaml_file *file, struct fy_node *scalar, size_t at, size_t width, const char *message)
{
    struct slice value;
    size_t start = yaml_position(scalar);
    if (!yaml_scalar(scalar, &value))
        value = (struct slice){ 0 };
    bool as_it_is = start + value.n <= file->text.n && slice_equal(slice_of(file->text.p + start, value.n), value);
    if (as_it_is)
        yaml_problem(file, start + at, width, "%s", message);
    else
        yaml_problem_at(file, scalar, "at character %zu of it: %s", at + 1, message);
}

static size_t offset_of(struct slice text, int line, int column)
{
    size_t at = 0;
    for (; line > 1; line--) {
        const char *newline = at < text.n ? memchr(text.p + at, '\n', text.n - at) : NULL;
        if (!newline)
            return text.n;
        at = (size_t)(newline + 1 - text.p);
    }
    return at + (column > 1 ? (size_t)column - 1 : 0);
}

static void report(struct yaml_file *file, struct fy_diag *diag)
{
    void *at = NULL;
    struct fy_diag_error *error;
    size_t before = file->count;
    while ((error = fy_diag_errors_iterate(diag, &at)) != NULL)
        if (error->line >= 0)
            yaml_problem(file, offset_of(file->text, error->line, error->column), 1, "%s",
                         error->msg ? error->msg : "this is not YAML");
    if (file->count == before)
        yaml_problem(file, 0, 1, "this is not YAML");
}

/* libfyaml takes a file of nothing but comments for a failure without a reason. */
static bool has_content(struct slice text)
{
    for (size_t at = 0; at < text.n;) {
        struct slice line = line_at(text, at), content = slice_trim(line);
        if (content.n && content.p[0] != '#')
            return true;
        const char *newline = memchr(text.p + at, '\n', text.n - at);
        at = newline ? (size_t)(newline + 1 - text.p) : text.n;
    }
    return false;
}

/* Perhaps: within a text it is none. */
static bool is_anchor(struct slice text, size_t at)
{
    return text.p[at] == '&' && (at == 0 || strchr(" \t\r\n[{,", text.p[at - 1]));
}

/* libfyaml may loop for ever over a directive (a line that begins with %) with bytes that are no UTF-8: nobody here
 * needs either, so both are refused before it sees them. */
static bool is_readable(struct yaml_file *file)
{
    struct slice text = file->text;
    size_t anchors = 0;
    for (size_t at = 0, length; at < text.n; at += length) {
        length = utf8_length((const unsigned char *)text.p + at, text.n - at);
        if (length == 0 || text.p[at] == '\0') {
            yaml_problem(file, at, 1, "this is not UTF-8");
            return false;
        }
        if (text.p[at] == '%' && (at == 0 || text.p[at - 1] == '\n')) {
            yaml_problem(file, at, 1, "directives (%%) are not used here");
            return false;
        }
        anchors += is_anchor(text, at);
        if (anchors > ANCHORS_MAX) {
            yaml_problem(file, at, 1, "more than %d anchors (&)", ANCHORS_MAX);
            return false;
        }
    }
    return true;
}

/* ---- names that are there twice ---- */

/* One group's names, by hash. */
struct names {
    struct slice *places; /* p NULL: free */
    size_t mask;
};

static bool add_name(struct names *names, struct slice name)
{
    for (size_t i = XXH3_64bits(name.p, name.n) & names->mask;; i = (i + 1) & names->mask) {
        if (!names->places[i].p) {
            names->places[i] = name;
            return true;
        }
        if (slice_equal(names->places[i], name))
            return false;
    }
}

/* Here and not by libfyaml, which compares each name with all before it: 100,000 in one group would take minutes. */
static void check_names(struct yaml_file *file, struct fy_node *group)
{
    void *at = NULL;
    struct fy_node_pair *pair;
    struct slice name;
    size_t size = 8;
    while (size < 2 * (size_t)fy_node_mapping_item_count(group))
        size *= 2;
    struct names names = { calloc(size, sizeof *names.places), size - 1 };
    if (!names.places)
        abort();
    while ((pair = fy_node_mapping_iterate(group, &at)) != NULL)
        if (yaml_scalar(fy_node_pair_key(pair), &name) && !add_name(&names, name))
            yaml_problem_at(file, fy_node_pair_key(pair),
                            "this name is here twice: put what belongs to it in one place");
    free(names.places);
}

/* As deep as libfyaml lets a tree be; aliases are not followed. */
static void check_tree(struct yaml_file *file, struct fy_node *node)
{
    void *at = NULL;
    if (fy_node_is_sequence(node)) {
        for (struct fy_node *item; (item = fy_node_sequence_iterate(node, &at));)
            check_tree(file, item);
    } else if (fy_node_is_mapping(node)) {
        check_names(file, node);
        for (struct fy_node_pair *pair; (pair = fy_node_mapping_iterate(node, &at));) {
            check_tree(file, fy_node_pair_key(pair));
            check_tree(file, fy_node_pair_value(pair));
        }
    }
}

struct fy_document *yaml_parse(struct yaml_file *file)
{
    if (!is_readable(file) || !has_content(file->text))
        return NULL;
    struct fy_diag_cfg diag_options;
    fy_diag_cfg_default(&diag_options);
    diag_options.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_options);
    if (!diag)
        abort();
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg options = { .flags = FYPCF_QUIET | FYPCF_ALLOW_DUPLICATE_KEYS, .diag = diag };
    struct fy_document *document = fy_document_build_from_string(&options, file->text.p, file->text.n);
    if (!document || fy_diag_got_error(diag)) {
        report(file, diag);
        fy_document_destroy(document);
        document = NULL;
    }
    fy_diag_destroy(diag);
    const size_t before = file->count;
    if (document)
        check_tree(file, fy_document_root(document));
    if (file->count == before)
        return document;
    fy_document_destroy(document);
    return NULL;
}

struct fy_node *yaml_follow(struct fy_node *node)
{
    return node && fy_node_is_alias(node) ? fy_node_resolve_alias(node) : node;
}

bool yaml_scalar(struct fy_node *node, struct slice *out)
{
    if (!node || !fy_node_is_scalar(node))
        return false;
    struct slice value;
    value.p = fy_node_get_scalar(node, &value.n);
    *out = value.p ? value : SLICE("");
    return true;
}

struct fy_node *yaml_member(struct fy_node *group, const char *name)
{
    void *at = NULL;
    struct fy_node_pair *pair;
    struct slice key;
    while ((pair = fy_node_mapping_iterate(group, &at)) != NULL)
        if (yaml_scalar(fy_node_pair_key(pair), &key) && slice_equal(key, slice_from(name)))
            return yaml_follow(fy_node_pair_value(pair));
    return NULL;
}

size_t yaml_offset(const struct yaml_file *file, int line)
{
    size_t at = offset_of(file->text, line, 1);
    while (at < file->text.n && file->text.p[at] == ' ')
        at++;
    return at;
}
