/* What track() takes. A type of its own for each event, as an alias: an interface is no Record<string, unknown>, which
 * the SDK's EventMap asks for. Fields that nobody declared are left out even where weir takes them, so that the
 * compiler finds a misspelt one. */
#include "base/json_text.h"
#include "schema/schema.h"

#define MAP_NAME "WeirEvents"
#define TYPE_NAME_MAX (2 * EVENT_IDENTIFIER_MAX)

/* player_action → PlayerAction */
static void pascal(struct slice name, char to[TYPE_NAME_MAX])
{
    bool begins = true;
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_lower = c >= 'a' && c <= 'z', is_digit = c >= '0' && c <= '9';
        if (n == 0 && is_digit)
            to[n++] = '_';
        if (c != '_')
            to[n++] = begins && is_lower ? (char)(c - 'a' + 'A') : c;
        begins = c == '_';
    }
    if (n == 0)
        to[n++] = '_';
    to[n] = '\0';
}

/* Of two types with one name the later one gets a _ behind it: player_action and PlayerAction. */
static void add_type_name(struct buf *out, const struct schema_selection *selection, size_t index)
{
    char own[TYPE_NAME_MAX], other[TYPE_NAME_MAX];
    pascal(selection->types[index]->name, own);
    buf_add_text(out, own);
    for (size_t i = 0; i < index; i++) {
        pascal(selection->types[i]->name, other);
        buf_add_text(out, strcmp(own, other) == 0 ? "_" : "");
    }
    buf_add_text(out, strcmp(own, MAP_NAME) == 0 ? "_" : "");
}

/* Text for the inside of a comment, which nothing in it may end. */
static void add_comment_text(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool ends = c == '/' && i && text.p[i - 1] == '*';
        buf_add_char(out, ends ? '|' : c < ' ' ? ' ' : (char)c);
    }
}

static void add_comment(struct buf *out, const char *indent, struct slice description, struct slice deprecated)
{
    if (!description.n && !deprecated.n)
        return;
    buf_add_format(out, "%s/** ", indent);
    add_comment_text(out, description);
    if (deprecated.n) {
        buf_add_text(out, description.n ? " @deprecated " : "@deprecated ");
        add_comment_text(out, deprecated);
    }
    buf_add_text(out, " */\n");
}

static void add_choices(struct buf *out, const struct event_field *field)
{
    for (size_t i = 0; i < field->choice_count; i++) {
        buf_add_text(out, i ? " | " : "");
        if (field->kind == EVENT_TEXT)
            json_add_string(out, field->choices[i]);
        else
            buf_add_slice(out, field->choices[i]);
    }
}

static void add_field(struct buf *out, const struct event_field *field)
{
    static const char *const TYPES[EVENT_KINDS] = {
        [EVENT_TEXT] = "string",     [EVENT_INTEGER] = "number",
        [EVENT_FLOAT] = "number",    [EVENT_MONEY] = "number | `${number}`",
        [EVENT_BOOLEAN] = "boolean", [EVENT_TIMESTAMP] = "string | number | Date",
    };
    add_comment(out, "  ", field->description, field->deprecated);
    buf_add_format(out, "  %.*s%s: ", SLICE_ARG(field->name), field->required ? "" : "?");
    if (field->choice_count)
        add_choices(out, field);
    else
        buf_add_text(out, TYPES[field->kind]);
    buf_add_text(out, field->required ? ";\n" : " | null;\n");
}

static void add_event(struct buf *out, const struct schema_selection *selection, size_t index)
{
    const struct event_type *type = selection->types[index];
    buf_add_char(out, '\n');
    add_comment(out, "", type->description, type->deprecated);
    buf_add_text(out, "export type ");
    add_type_name(out, selection, index);
    buf_add_text(out, " = {\n");
    for (size_t i = 0; i < type->field_count; i++)
        add_field(out, &type->fields[i]);
    buf_add_text(out, "};\n");
}

void typescript_add(struct buf *out, const struct schema_selection *selection)
{
    buf_add_text(out, "// Made by `weir schema ts`, of the domains' event types: createWeir<" MAP_NAME ">(…)\n");
    for (size_t i = 0; i < selection->count; i++)
        add_event(out, selection, i);
    buf_add_text(out, "\nexport type " MAP_NAME " = {\n");
    for (size_t i = 0; i < selection->count; i++) {
        if (schema_is_named_before(selection, i))
            continue;
        add_comment(out, "  ", SLICE(""), selection->types[i]->deprecated);
        buf_add_format(out, "  %.*s: ", SLICE_ARG(selection->types[i]->name));
        add_type_name(out, selection, i);
        for (size_t k = i + 1; k < selection->count; k++) {
            if (!slice_equal(selection->types[k]->name, selection->types[i]->name))
                continue;
            buf_add_text(out, " | ");
            add_type_name(out, selection, k);
        }
        buf_add_text(out, ";\n");
    }
    buf_add_text(out, "};\n");
}
