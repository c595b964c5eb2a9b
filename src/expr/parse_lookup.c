/* The names in lookup('table', key, 'column'): both are looked up here, once, so that an event pays for neither, and a
 * name that is not there is told when the domain is loaded. */
#include <stdio.h>

#include "expr/parser.h"

#define LOOKUP_WHO_MAX 160 /* two names, and some words */
#define TOO_MANY_FIELDS "too many different fields in all expressions together"

static bool no_table(struct parser *parser, const struct token *token, struct slice name)
{
    const struct lookup_set *set = parser->plan->lookups;
    const struct slice *closest = NULL;
    size_t least = name.n / 3 + 2, end = token->at + token->text.n;
    for (size_t i = 0; set && i < set->count; i++) {
        size_t distance = slice_distance(name, set->tables[i].name);
        if (distance < least) {
            least = distance;
            closest = &set->tables[i].name;
        }
    }
    if (closest)
        return parse_fail(parser, token->at, end, "there is no dimension table %.*s; did you mean %.*s?",
                          SLICE_ARG(name), SLICE_ARG(*closest));
    return parse_fail(parser, token->at, end, "this domain declares no dimension table %.*s (dimension_tables)",
                      SLICE_ARG(name));
}

bool lookup_table_named(struct parser *parser, const struct token *token, const struct lookup_table **out)
{
    const struct lookup_set *set = parser->plan->lookups;
    struct value name;
    if (!unquoted(parser, token, &name))
        return false;
    for (size_t i = 0; set && i < set->count; i++)
        if (slice_equal(set->tables[i].name, value_slice(name))) {
            *out = &set->tables[i];
            return true;
        }
    return no_table(parser, token, value_slice(name));
}

static bool no_column(struct parser *parser, const struct token *token, const struct lookup_table *table,
                      struct slice name)
{
    const struct slice *closest = NULL;
    size_t least = name.n / 3 + 2, end = token->at + token->text.n;
    for (size_t i = 0; i < table->column_count; i++) {
        struct slice known = table->columns[i].name;
        size_t distance = slice_starts(known, name) ? 0 : slice_distance(name, known); /* price of price_cents */
        if (distance < least) {
            least = distance;
            closest = &table->columns[i].name;
        }
    }
    return parse_fail(parser, token->at, end, "the dimension table %.*s has no column %.*s%s%.*s%s",
                      SLICE_ARG(table->name), SLICE_ARG(name), closest ? "; did you mean " : "",
                      closest ? (int)closest->n : 0, closest ? closest->p : "", closest ? "?" : "");
}

bool lookup_column_named(struct parser *parser, const struct token *token, const struct lookup_table *table,
                         size_t *out)
{
    struct value name;
    if (!unquoted(parser, token, &name))
        return false;
    for (size_t i = 0; i < table->column_count; i++)
        if (slice_equal(table->columns[i].name, value_slice(name))) {
            *out = i;
            return true;
        }
    return no_column(parser, token, table, value_slice(name));
}

bool lookup_takes(struct parser *parser, const struct lookup_table *table, size_t at, const struct operand *operand)
{
    char who[LOOKUP_WHO_MAX];
    struct slice name = table->columns[table->keys[at]].name;
    snprintf(who, sizeof who, "%.*s, a key of %.*s,", SLICE_ARG(name), SLICE_ARG(table->name));
    return check_types(parser, who, table->whole[at] ? TYPE_NUMERIC | TYPE_TEXT : TYPE_ANY & ~(unsigned)TYPE_NULL,
                       operand);
}

bool lookup_usage(struct parser *parser, const struct lookup_table *table, const struct token *at)
{
    char keys[LOOKUP_KEYS_MAX * LOOKUP_WHO_MAX];
    size_t n = 0;
    keys[0] = '\0';
    for (size_t i = table->by_tenant; i < table->key_count && n < sizeof keys; i++)
        n += (size_t)snprintf(keys + n, sizeof keys - n, "%.*s, ", SLICE_ARG(table->columns[table->keys[i]].name));
    return parse_fail(parser, at->at, at->at + at->text.n,
                      "%.*s is found by %d value%s and a column's name: lookup('%.*s', %s'column')",
                      SLICE_ARG(table->name), table->key_count - table->by_tenant,
                      table->key_count - table->by_tenant == 1 ? "" : "s", SLICE_ARG(table->name), keys);
}

bool emit_tenant(struct parser *parser, const struct lookup_table *table)
{
    size_t tenant;
    if (!table->by_tenant)
        return true;
    if (field_plan_add(parser->plan, FIELD_CUSTOMER_ID, NULL, 0, &tenant) != OK)
        return parse_full(parser, 0, parser->last_end, TOO_MANY_FIELDS);
    return emit(parser, (struct op){ .code = OP_FIELD, .at = (uint16_t)tenant }, 0, 1);
}

bool emit_lookup(struct parser *parser, const struct lookup_table *table, size_t column)
{
    size_t timestamp;
    if (parser->lookup_count == EXPR_LOOKUPS_MAX)
        return parse_fail(parser, 0, parser->last_end, "at most %d lookups are in one expression", EXPR_LOOKUPS_MAX);
    if (field_plan_add(parser->plan, FIELD_TIMESTAMP, NULL, 0, &timestamp) != OK)
        return parse_full(parser, 0, parser->last_end, TOO_MANY_FIELDS);
    parser->lookups[parser->lookup_count] = (struct expr_lookup){ table, column };
    return emit(parser, (struct op){ .code = OP_FIELD, .at = (uint16_t)timestamp }, 0, 1) &&
           emit(parser, (struct op){ .code = OP_LOOKUP, .count = table->key_count, .at = parser->lookup_count++ },
                table->key_count + 1u, 1);
}
