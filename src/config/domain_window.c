/* One item of `windows`. Its keys are read one by one in whatever order they stand; what only makes sense together is
 * checked at the end. */
#include "config/domain_reader.h"

#define SECOND_MS 1000
#define DAY_MS ((int64_t)86400000)
#define GAP_MS ((int64_t)1800000) /* of sessions, unless said */
#define PANES_MAX 1000            /* slides in a size: every event counts in so many windows */

enum { KEY_NAME, KEY_KIND, KEY_SIZE, KEY_SLIDE, KEY_GAP, KEY_MEASURES = 7 };

static const char *const KINDS[] = { "tumbling", "sliding", "session" };

const char *window_kind_name(enum window_kind kind)
{
    return KINDS[kind];
}

static void read_name(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    const struct domain_build *build = reader->build;
    if (!domain_name(reader, key, value, &window->name))
        return;
    window->at = yaml_position(value);
    for (size_t i = 0; i < build->window_count; i++)
        if (slice_equal(build->windows[i].name, window->name))
            yaml_problem_at(&reader->file, value, "there is a window %.*s already, in domain %.*s",
                            SLICE_ARG(window->name), SLICE_ARG(build->windows[i].domain));
}

static void read_kind(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    size_t choice;
    if (domain_choice(reader, key, value, KINDS, COUNT_OF(KINDS), &choice))
        window->kind = (enum window_kind)choice;
}

static void read_size(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    if (!domain_duration(reader, key, value, SECOND_MS, 400 * DAY_MS, &window->size_ms))
        window->size_ms = -1; /* there, but wrong: told already */
}

static void read_slide(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    if (!domain_duration(reader, key, value, SECOND_MS, 400 * DAY_MS, &window->slide_ms))
        window->slide_ms = -1;
}

static void read_gap(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    if (!domain_duration(reader, key, value, SECOND_MS, 7 * DAY_MS, &window->gap_ms))
        window->gap_ms = -1;
}

static void read_lateness(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    if (!domain_duration(reader, key, value, 0, 3650 * DAY_MS, &window->lateness_ms))
        return;
}

static void read_retention(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    if (domain_days(reader, key, value, &window->retention_days))
        window->retention_at = yaml_position(value);
}

static void read_where(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    if (!domain_expr(reader, key, value, TYPE_BOOL, reader->build->fields, &window->where))
        return;
}

static void read_emit(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    static const char *const CHOICES[] = { "update", "close", "both" };
    struct window *window = object;
    size_t choice;
    if (domain_choice(reader, key, value, CHOICES, COUNT_OF(CHOICES), &choice))
        window->emit = (unsigned)choice + 1;
}

static void read_time(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    static const char *const CHOICES[] = { "event", "processing" };
    struct window *window = object;
    size_t choice;
    if (domain_choice(reader, key, value, CHOICES, COUNT_OF(CHOICES), &choice))
        window->processing_time = choice == 1;
}

/* ---- by ---- */

static bool key_is_new(struct domain_reader *reader, const struct window *window, struct fy_node *node,
                       struct slice name)
{
    for (size_t i = 0; i < window->key_count; i++)
        if (slice_equal(window->keys[i].name, name)) {
            yaml_problem_at(&reader->file, node, "there is a key %.*s already; {name: expression} gives another name",
                            SLICE_ARG(name));
            return false;
        }
    return true;
}

/* `- expression` is named by its own text, `- name: expression` by its name. */
static void read_key(struct domain_reader *reader, struct window *window, struct fy_node *item)
{
    struct window_key *key = &window->keys[window->key_count];
    struct fy_node *value = item, *name = item;
    if (fy_node_is_mapping(item)) {
        void *at = NULL;
        struct fy_node_pair *pair = fy_node_mapping_iterate(item, &at);
        if (!pair || fy_node_mapping_iterate(item, &at)) {
            yaml_problem_at(&reader->file, item, "a key is an expression, or one `name: expression`");
            return;
        }
        name = fy_node_pair_key(pair);
        value = yaml_follow(fy_node_pair_value(pair));
        if (!domain_name(reader, name, name, &key->name))
            return;
    } else if (!domain_text(reader, item, item, &key->name)) {
        return;
    }
    if (domain_expr(reader, name, value, TYPE_ANY, reader->build->fields, &key->value) &&
        key_is_new(reader, window, name, key->name))
        window->key_count++;
}

static void read_by(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    void *at = NULL;
    struct fy_node *item;
    if (!domain_is_list(reader, key, value, "expressions"))
        return;
    while ((item = domain_next(value, &at)) != NULL) {
        if (window->key_count == WINDOW_KEYS_MAX) {
            yaml_problem_at(&reader->file, item, "a window has at most %d keys besides the tenant", WINDOW_KEYS_MAX);
            return;
        }
        read_key(reader, window, item);
    }
}

/* ---- measures ---- */

static void read_measures(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    void *at = NULL;
    struct fy_node_pair *pair;
    if (!value || !fy_node_is_mapping(value) || fy_node_mapping_is_empty(value)) {
        yaml_problem_at(&reader->file, key, "measures are `name: count()` lines, at least one");
        return;
    }
    while ((pair = fy_node_mapping_iterate(value, &at)) != NULL) {
        if (window->measure_count == WINDOW_MEASURES_MAX) {
            yaml_problem_at(&reader->file, fy_node_pair_key(pair), "a window has at most %d measures",
                            WINDOW_MEASURES_MAX);
            return;
        }
        if (domain_read_measure(reader, fy_node_pair_key(pair), yaml_follow(fy_node_pair_value(pair)),
                                &window->measures[window->measure_count]))
            window->measure_count++;
    }
}

/* A window is for no tenant whom its domain leaves out. */
static void check_tenants(struct domain_reader *reader, struct fy_node *key, const struct window *window)
{
    const struct domain *domain = reader->domain;
    for (size_t i = 0; domain->audience == DOMAIN_FOR_NAMED && i < window->tenant_count; i++) {
        bool named = false;
        for (size_t t = 0; t < domain->tenant_count && !named; t++)
            named = slice_equal(domain->tenants[t], window->tenants[i]);
        if (!named)
            yaml_problem_at(&reader->file, key, "the domain is not for %.*s: its `tenants` say whom it is for",
                            SLICE_ARG(window->tenants[i]));
    }
}

static void read_tenants(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct window *window = object;
    void *at = NULL;
    struct fy_node *item;
    size_t count = 0;
    if (!domain_is_list(reader, key, value, "tenants"))
        return;
    while (domain_next(value, &at))
        count++;
    struct slice *tenants =
        count && count <= WINDOW_TENANTS_MAX ? arena_take(reader->build->arena, count * sizeof *tenants) : NULL;
    if (!tenants) {
        yaml_problem_at(&reader->file, key, "1 to %d tenants; without this key it is all of them", WINDOW_TENANTS_MAX);
        return;
    }
    at = NULL;
    for (size_t i = 0; i < count && (item = domain_next(value, &at)) != NULL; i++)
        if (!domain_text(reader, item, item, &tenants[i]))
            return;
    window->tenants = tenants;
    window->tenant_count = count;
    check_tenants(reader, key, window);
}

static const struct domain_key WINDOW_KEYS[] = {
    [KEY_NAME] = { "name", "page_views_1m", "[a-z0-9_]+, unique in all domains; required.", read_name, SHAPE_NAME,
                   .required = true },
    [KEY_KIND] = { "kind", "tumbling | sliding | session", "tumbling unless said.", read_kind, SHAPE_CHOICE },
    [KEY_SIZE] = { "size", "1m", "How long a tumbling or sliding window is; 1s to 400d.", read_size, SHAPE_DURATION },
    [KEY_SLIDE] = { "slide", "10s", "A sliding window begins so often; divides size.", read_slide, SHAPE_DURATION },
    [KEY_GAP] = { "gap", "30m", "A session ends when its key is silent for longer; 1s to 7d, 30m unless said.",
                  read_gap, SHAPE_DURATION },
    { "where", "EXPRESSION", "Only events for which this is true; all unless said.", read_where, SHAPE_EXPRESSION },
    { "by", "[EXPRESSION, {name: EXPRESSION}]",
      "A result for each combination of these; up to 8. The tenant is always part.", read_by, SHAPE_COLUMNS },
    [KEY_MEASURES] = { "measures", "{name: MEASURE}", "What is computed; 1 to 16.", read_measures, SHAPE_EXPRESSIONS,
                       .required = true },
    { "emit", "update | close | both", "When results come: while the window is open, when it closes, both unless said.",
      read_emit, SHAPE_CHOICE },
    { "lateness", "0s", "So long after closing, late events still amend the result, with a revision; up to 3650d.",
      read_lateness, SHAPE_DURATION },
    { "time", "event | processing", "Whose clock: the event's unless said, or ours.", read_time, SHAPE_CHOICE },
    { "tenants", "[NAME, …]", "For these alone; all unless said.", read_tenants, SHAPE_TEXTS },
    { "retention", "730d", "Its results are kept so long, in whole days; as long as their tenant's unless said.",
      read_retention, SHAPE_DURATION },
};
const struct domain_level DOMAIN_WINDOW = { "windows[]", WINDOW_KEYS, COUNT_OF(WINDOW_KEYS) };

/* ---- the whole ---- */

static void refuse_key(struct domain_reader *reader, struct fy_node *key, const struct window *window)
{
    struct slice name;
    if (key && yaml_scalar(key, &name))
        yaml_problem_at(&reader->file, key, "a %s window has no %.*s", KINDS[window->kind], SLICE_ARG(name));
}

static void check_sliding(struct domain_reader *reader, const struct window *window, struct fy_node **seen)
{
    if (window->size_ms <= 0 || window->slide_ms <= 0)
        return;
    if (window->size_ms % window->slide_ms)
        yaml_problem_at(&reader->file, seen[KEY_SLIDE], "slide must divide size: size / slide has a remainder");
    else if (window->size_ms / window->slide_ms > PANES_MAX)
        yaml_problem_at(&reader->file, seen[KEY_SLIDE], "size is at most %d times slide", PANES_MAX);
}

static void check_times(struct domain_reader *reader, struct fy_node *item, struct window *window,
                        struct fy_node **seen)
{
    bool session = window->kind == WINDOW_SESSION;
    if (!session && !window->size_ms)
        yaml_problem_at(&reader->file, item, "a %s window needs a size, such as `size: 1m`", KINDS[window->kind]);
    if (window->kind == WINDOW_SLIDING && !window->slide_ms)
        yaml_problem_at(&reader->file, item, "a sliding window needs a slide, such as `slide: 10s`");
    if (window->kind != WINDOW_SLIDING)
        refuse_key(reader, seen[KEY_SLIDE], window);
    if (session)
        refuse_key(reader, seen[KEY_SIZE], window);
    else
        refuse_key(reader, seen[KEY_GAP], window);
    check_sliding(reader, window, seen);
    if (window->kind == WINDOW_TUMBLING)
        window->slide_ms = window->size_ms;
    if (session && !window->gap_ms)
        window->gap_ms = GAP_MS;
}

void domain_read_window(struct domain_reader *reader, struct fy_node *item)
{
    struct domain_build *build = reader->build;
    struct fy_node *seen[DOMAIN_KEYS_MAX] = { 0 };
    size_t problems = reader->file.count;
    if (build->window_count == WINDOWS_MAX) {
        yaml_problem_at(&reader->file, item, "all domains together have at most %d windows", WINDOWS_MAX);
        return;
    }
    struct window *window = &build->windows[build->window_count];
    *window = (struct window){ .domain = reader->domain->name,
                               .domain_place = (uint8_t)(reader->domain - build->domains),
                               .selective = reader->domain->audience != DOMAIN_FOR_ALL,
                               .emit = WINDOW_EMIT_UPDATE | WINDOW_EMIT_CLOSE };
    domain_read_level(reader, &DOMAIN_WINDOW, item, item, window, seen);
    if (!fy_node_is_mapping(item))
        return;
    if (!seen[KEY_NAME])
        yaml_problem_at(&reader->file, item, "a window needs a name");
    if (!seen[KEY_MEASURES])
        yaml_problem_at(&reader->file, item, "a window needs measures, such as `measures: {events: count()}`");
    check_times(reader, item, window, seen);
    if (reader->file.count == problems)
        window->id = domain_window_id(window, build->fields);
    build->window_count++;
}
