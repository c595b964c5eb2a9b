/* Events of declared types: the same for the same options however they are taken, as declared in every field, and
 * broken, late and repeated as asked. */
#include "generate/generator.h"

#include "base/timestamp.h"
#include "generate/draw.h"
#include "test/support/domain_files.h"

#define START_MS INT64_C(1767571200000) /* a Monday, 2026-01-05 */
#define TEXT_BYTES_MAX (64u << 20)

static const char SHOP[] =
    "domain: shop\n"
    "event_types:\n"
    "  - name: view\n"
    "    attributes: [{name: product_id, pattern: 'p-*', required: true}, {name: note, max: 12, min: 3}, {name: at, "
    "type: timestamp}]\n"
    "    dimensions: [{name: device, values: [phone, desk, \"x\\\"y\"]}, country]\n"
    "  - name: buy\n"
    "    unknown_fields: quarantine\n"
    "    attributes:\n"
    "      - {name: product_id, pattern: 'p-*', required: true}\n"
    "      - {name: email, format: email, pii: hash, required: true}\n"
    "      - {name: ip, format: ip, pii: drop}\n"
    "      - {name: day, format: date}\n"
    "      - {name: key, format: uuid}\n"
    "      - {name: link, format: url}\n"
    "      - {name: gift, type: boolean}\n"
    "      - {name: size, type: integer, values: [36, 38, 40]}\n"
    "      - {name: count, type: integer, min: -3, max: 5, required: true, on_failure: tag}\n"
    "    metrics:\n"
    "      - {name: price, type: money, min: 0.5, max: 200, required: true, generate: {by: product_id}}\n"
    "      - {name: total, type: money, required: true, generate: {as: properties.price * 2}}\n"
    "      - {name: weight, min: -1.5, max: 3}\n"
    "    rules:\n"
    "      - {name: twice, expect: properties.total_cents == properties.price_cents * 2}\n"
    "      - {name: some, expect: properties.count != 0 or properties.gift is null, on_failure: quarantine}\n"
    "  - {name: bye, generate: {weight: 2}}\n"
    "  - {name: old, deprecated: it is gone}\n"
    "generate:\n"
    "  pause: 5s\n"
    "  session: [{event: view, times: 3}, {event: buy, chance: 50%, else: bye}]\n";

static struct generator_options options_of(int64_t events)
{
    return (struct generator_options){ .seed = 7,
                                       .customer_id = "acme",
                                       .events_per_s = 100,
                                       .start_ms = START_MS,
                                       .end_ms = INT64_MAX,
                                       .events_max = events,
                                       .flat = true };
}

static struct generator *open_fine(const struct domain_set *set, const char *domain,
                                   const struct generator_options *options)
{
    struct generator *generator = NULL;
    struct error err;
    if (generator_new(set, slice_from(domain), options, &generator, &err) != OK)
        fail_msg("%s", err.text);
    return generator;
}

/* All lines; `piece`: the buffer is emptied whenever it holds more. */
static void generate(const struct generator_options *options, size_t piece, struct buf *out,
                     struct generator_counts *out_counts)
{
    AUTO(generator) struct generator *generator = open_fine(domain_files_expect_fine(SHOP), "shop", options);
    struct buf part;
    buf_init(&part, TEXT_BYTES_MAX);
    int64_t at_ms, before_ms = INT64_MIN;
    while (generator_next(generator, &part, &at_ms)) {
        assert_true(at_ms >= before_ms);
        before_ms = at_ms;
        if (part.n > piece) {
            buf_add_slice(out, buf_slice(&part));
            buf_reset(&part);
        }
    }
    buf_add_slice(out, buf_slice(&part));
    buf_done(&part);
    if (out_counts)
        *out_counts = *generator_counts(generator);
}

/* The next line of the text, without its newline; n 0: no more. */
static struct slice next_line(struct slice *rest)
{
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end)
        return slice_of("", 0);
    struct slice line = slice_of(rest->p, (size_t)(end - rest->p));
    *rest = slice_after(*rest, line.n + 1);
    return line;
}

/* What stands between two texts in the line, or nothing. */
static struct slice between(struct slice line, const char *from, const char *to)
{
    const char *start = memmem(line.p, line.n, from, strlen(from));
    if (!start)
        return slice_of("", 0);
    start += strlen(from);
    const char *end = memmem(start, (size_t)(line.p + line.n - start), to, strlen(to));
    return end ? slice_of(start, (size_t)(end - start)) : slice_of("", 0);
}

static void test_the_same_options_give_the_same_bytes_in_pieces_of_any_size(void **state)
{
    (void)state;
    struct generator_options options = options_of(5000);
    options.bad = 0.05;
    options.late = 0.05;
    options.duplicates = 0.05;
    struct buf one, other;
    buf_init(&one, TEXT_BYTES_MAX);
    buf_init(&other, TEXT_BYTES_MAX);
    generate(&options, 0, &one, NULL);
    generate(&options, 100000, &other, NULL);
    assert_true(one.n > 1000000);
    assert_true(slice_equal(buf_slice(&one), buf_slice(&other)));
    buf_reset(&other);
    options.seed = 8;
    generate(&options, 0, &other, NULL);
    assert_false(slice_equal(buf_slice(&one), buf_slice(&other)));
    buf_done(&one);
    buf_done(&other);
}

/* The values of a line's properties by the type's plan, and the type. */
static const struct event_type *read_line(struct slice line, struct arena *arena, struct value *values)
{
    const struct event_type *type =
        event_type_find(domain_files.set, &domain_files.set->others, between(line, "\"event_type\":\"", "\""));
    struct slice properties = between(line, "\"properties\":", ",\"context\"");
    struct event event = { .properties = properties };
    assert_non_null(type);
    assert_true(properties.n >= 2);
    field_plan_fill(type->plan, &event, arena, values);
    return type;
}

static bool in_bounds(const struct event_field *field, int64_t whole)
{
    return (!field->min.is_set || whole >= field->min.whole) && (!field->max.is_set || whole <= field->max.whole);
}

static bool is_fine(const struct event_field *field, struct value value)
{
    bool listed = field->choice_count == 0;
    int64_t ms;
    if (value_is_null(value))
        return !field->required;
    for (size_t i = 0; i < field->choice_count; i++)
        listed |= field->kind == EVENT_TEXT
                      ? value.kind == VALUE_TEXT && slice_equal(value_slice(value), field->choices[i])
                      : value.kind == VALUE_INT && value.i == value_from_decimal(field->choices[i]).i;
    switch (field->kind) {
    case EVENT_TEXT:
        return listed && value.kind == VALUE_TEXT && value.detail != VALUE_JSON && in_bounds(field, value.n) &&
               (!field->pattern.n || expr_glob(field->pattern, value_slice(value))) &&
               (field->format != EVENT_EMAIL || expr_glob(SLICE("?*@example.com"), value_slice(value))) &&
               (field->format != EVENT_UUID || expr_glob(SLICE("*-*-4*-*-*"), value_slice(value))) &&
               (field->format != EVENT_DATE || timestamp_parse(value_slice(value), &ms)) &&
               (field->format != EVENT_URL || slice_starts(value_slice(value), SLICE("https://"))) &&
               (field->format != EVENT_IP ||
                /* kept for documentation: RFC 5737 */ slice_starts(value_slice(value), SLICE("203.0.113.")) ||
                slice_starts(value_slice(value), SLICE("192.0.2.")) ||
                slice_starts(value_slice(value), SLICE("198.51.100.")));
    case EVENT_INTEGER:
        return listed && value.kind == VALUE_INT && in_bounds(field, value.i);
    case EVENT_FLOAT:
        return (value.kind == VALUE_INT || value.kind == VALUE_NUMBER) &&
               (!field->min.is_set || value_as_double(value) >= field->min.number) &&
               (!field->max.is_set || value_as_double(value) <= field->max.number);
    case EVENT_MONEY:
        return value.kind == VALUE_NUMBER && in_bounds(field, expr_cents(value).i);
    case EVENT_BOOLEAN:
        return value.kind == VALUE_BOOL;
    case EVENT_TIMESTAMP:
        return value.kind == VALUE_TEXT && timestamp_parse(value_slice(value), &ms) && in_bounds(field, ms);
    case EVENT_KINDS:
        break;
    }
    return false;
}

/* What is wrong with the line's event by its declaration: its name, or nothing. As cents are not in it yet, they are
 * worked out for the rules. */
static struct slice fault_of(struct slice line, struct arena *arena)
{
    static struct value values[FIELD_PATHS_MAX];
    const struct event_type *type = read_line(line, arena, values);
    for (size_t i = 0; i < type->field_count; i++) {
        if (!is_fine(&type->fields[i], values[i]))
            return type->fields[i].name;
        if (type->fields[i].kind == EVENT_MONEY)
            values[type->fields[i].cents_place] = expr_cents(values[i]);
    }
    for (size_t i = 0; i < type->rule_count; i++) {
        struct value met = expr_eval(type->rules[i].expect, values, arena);
        if (met.kind == VALUE_BOOL && !met.b)
            return type->rules[i].name;
    }
    struct slice properties = between(line, "\"properties\":", ",\"context\"");
    if (type->strict && memmem(properties.p, properties.n, "\"surprise\":", 11))
        return SLICE("surprise");
    return slice_of("", 0);
}

static void test_events_are_as_declared_and_the_broken_ones_are_not_where_they_say(void **state)
{
    (void)state;
    struct generator_options options = options_of(20000);
    options.bad = 0.2;
    struct buf text;
    struct arena arena;
    struct generator_counts counts;
    int64_t broken[BREAK_KINDS] = { 0 }, all = 0, refused = 0;
    buf_init(&text, TEXT_BYTES_MAX);
    arena_init(&arena, 1 << 20);
    generate(&options, 0, &text, &counts);
    struct slice rest = buf_slice(&text);
    for (struct slice line; (line = next_line(&rest)).n; arena_reset(&arena)) {
        struct slice kind = between(line, "\"broken\":\"", "\""), field = between(line, "\"broken_field\":\"", "\"");
        struct slice fault = fault_of(line, &arena);
        if (!slice_equal(fault, field))
            fail_msg("says %.*s, is %.*s: %.*s", SLICE_ARG(field), SLICE_ARG(fault), SLICE_ARG(line));
        all++;
        for (int i = 0; i < BREAK_KINDS; i++)
            broken[i] += slice_equal(kind, slice_from(break_kind_name((enum break_kind)i)));
        refused += field.n && !slice_equal(between(line, "\"broken_as\":\"", "\""), SLICE("tag"));
    }
    assert_int_equal(all, 20000);
    assert_int_equal(counts.refused, refused);
    int64_t sum = 0;
    for (int i = 0; i < BREAK_KINDS; i++) {
        assert_int_equal(counts.broken[i], broken[i]);
        if (broken[i] < 40)
            fail_msg("%s broke %ld events alone", break_kind_name((enum break_kind)i), broken[i]);
        sum += broken[i];
    }
    assert_true(sum > 33 * all / 200 && sum < 37 * all / 200); /* an eighth are byes, which have nothing to break */
    arena_done(&arena);
    buf_done(&text);
}

static void test_broken_late_and_repeated_events_leave_the_others_as_they_are(void **state)
{
    (void)state;
    struct generator_options options = options_of(5000);
    struct buf plain, broken;
    buf_init(&plain, TEXT_BYTES_MAX);
    buf_init(&broken, TEXT_BYTES_MAX);
    generate(&options, 0, &plain, NULL);
    options.bad = 0.1;
    generate(&options, 0, &broken, NULL);
    struct slice before = buf_slice(&plain), after = buf_slice(&broken), line;
    size_t differ = 0, same = 0;
    while ((line = next_line(&before)).n) {
        struct slice other = next_line(&after);
        bool marked = memmem(other.p, other.n, "\"broken\":", 9) != NULL;
        assert_int_equal(marked, !slice_equal(line, other));
        differ += marked;
        same += !marked;
    }
    assert_int_equal(after.n, 0);
    assert_true(differ > 200 && same > 4000);
    buf_done(&plain);
    buf_done(&broken);
}

static void test_late_events_come_later_and_repeats_are_the_same_line(void **state)
{
    (void)state;
    struct generator_options options = options_of(20000);
    struct buf text;
    struct generator_counts counts;
    buf_init(&text, TEXT_BYTES_MAX);
    options.late = 0.1;
    generate(&options, 0, &text, &counts);
    struct slice rest = buf_slice(&text), line;
    int64_t newest_ms = 0, late = 0, ms, lines = 0;
    while ((line = next_line(&rest)).n) {
        assert_true(timestamp_parse(between(line, "\"timestamp\":\"", "\""), &ms));
        late += ms < newest_ms;
        newest_ms = ms > newest_ms ? ms : newest_ms;
        lines++;
    }
    assert_int_equal(lines, 20000);
    assert_int_equal(late, counts.late);
    assert_true(late > 1800 && late < 2200);
    options.late = 0;
    options.duplicates = 0.1;
    buf_reset(&text);
    generate(&options, 0, &text, &counts);
    rest = buf_slice(&text);
    for (lines = 0; (line = next_line(&rest)).n; lines++)
        continue;
    assert_int_equal(lines, 20000 + counts.duplicates);
    assert_true(counts.duplicates > 1800 && counts.duplicates < 2200);
    buf_done(&text);
}

static void test_a_visit_follows_its_steps(void **state)
{
    (void)state;
    struct generator_options options = options_of(20000);
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    generate(&options, 0, &text, NULL);
    struct slice rest = buf_slice(&text), line;
    size_t views = 0, buys = 0, byes = 0, old = 0;
    while ((line = next_line(&rest)).n) {
        struct slice type = between(line, "\"event_type\":\"", "\"");
        views += slice_equal(type, SLICE("view"));
        buys += slice_equal(type, SLICE("buy"));
        byes += slice_equal(type, SLICE("bye"));
        old += slice_equal(type, SLICE("old"));
    }
    assert_int_equal(old, 0); /* it goes away */
    assert_true(buys > 20000 / 4 / 2 - 300 && buys < 20000 / 4 / 2 + 300);
    assert_true(byes > 20000 / 4 / 2 - 300 && byes < 20000 / 4 / 2 + 300);
    assert_true(views > 20000 * 3 / 4 - 500);
    buf_done(&text);
}

static void test_the_rate_is_kept_from_the_first_second_and_follows_the_day(void **state)
{
    (void)state;
    struct generator_options options = options_of(0);
    struct buf text;
    struct generator_counts counts;
    buf_init(&text, TEXT_BYTES_MAX);
    options.end_ms = START_MS + 100000;
    generate(&options, 0, &text, &counts);
    assert_true(counts.events > 9600 && counts.events < 10400);
    buf_reset(&text);
    options.visitors = 20; /* few people: they are quick */
    generate(&options, 0, &text, &counts);
    assert_true(counts.events > 9000 && counts.events < 11000);
    buf_reset(&text);
    options = options_of(0);
    options.flat = false;
    options.events_per_s = 0.2;
    options.end_ms = START_MS + 86400000;
    generate(&options, 0, &text, &counts);
    assert_true(counts.events > 0.9 * 0.2 * 86400 && counts.events < 1.1 * 0.2 * 86400);
    size_t night = 0, evening = 0;
    struct slice rest = buf_slice(&text), line;
    while ((line = next_line(&rest)).n) {
        struct slice hour = between(line, "\"timestamp\":\"2026-01-05T", ":");
        night += slice_equal(hour, SLICE("03"));
        evening += slice_equal(hour, SLICE("20"));
    }
    assert_true(evening > 3 * night);
    buf_done(&text);
}

static void test_what_cannot_be_made_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *domain, *problem;
    } CASES[] = {
        { "domain: web\n", "wev", "there is no domain wev; there is web" },
        { "domain: web\n", "web", "declares no event types" },
        { "domain: web\nevent_types: [{name: a, generate: {weight: 0}}]\n", "web", "nothing ever happens" },
        { "domain: web\nevent_types: [{name: a, attributes: [{name: x, type: integer, required: true}],"
          " rules: [{name: r, expect: properties.x > 100}]}]\n",
          "web", "a: no values were found that meet its rules" },
        { "domain: web\nevent_types: [{name: a, attributes: [{name: x, format: country, min: 5, required: true, "
          "pattern: 'a*'}]}]\n",
          "web", "a.x: no value is known that is as declared" },
    };
    struct generator_options options = options_of(1);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct generator *generator = NULL;
        struct error err;
        const struct domain_set *set = domain_files_expect_fine(CASES[i].yaml);
        assert_int_not_equal(generator_new(set, slice_from(CASES[i].domain), &options, &generator, &err), OK);
        if (!strstr(err.text, CASES[i].problem))
            fail_msg("%s", err.text);
    }
}

static void test_draws_are_as_likely_as_they_should_be(void **state)
{
    (void)state;
    struct draws draws = { 1 };
    size_t first = 0, second = 0;
    int64_t sum = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t rank = draw_zipf(draw_next(&draws), 1000);
        assert_true(rank < 1000);
        first += rank == 0;
        second += rank == 1 || rank == 2;
        sum += draw_exponential(&draws, 1000000);
    }
    assert_true(first > 9500 && first < 10500); /* ten doublings up to a thousand */
    assert_true(second > 9500 && second < 10500);
    assert_true(sum > INT64_C(98500000000) && sum < INT64_C(101500000000));
    assert_true(draw_zipf(UINT64_MAX, UINT64_MAX) < UINT64_MAX && draw_zipf(5, 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(test_the_same_options_give_the_same_bytes_in_pieces_of_any_size),
        DOMAIN_TEST(test_events_are_as_declared_and_the_broken_ones_are_not_where_they_say),
        DOMAIN_TEST(test_broken_late_and_repeated_events_leave_the_others_as_they_are),
        DOMAIN_TEST(test_late_events_come_later_and_repeats_are_the_same_line),
        DOMAIN_TEST(test_a_visit_follows_its_steps),
        DOMAIN_TEST(test_the_rate_is_kept_from_the_first_second_and_follows_the_day),
        DOMAIN_TEST(test_what_cannot_be_made_is_told),
        cmocka_unit_test(test_draws_are_as_likely_as_they_should_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
