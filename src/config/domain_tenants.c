/* Whose events a domain is for, and which of a tenant's domains goes before which. A domain is a bit, what a tenant has
 * is a set of bits; there are few different sets, and each is resolved once: which event types its names mean, how its
 * stream is cut (struct tenant_domains). Who is named by some domain is found by a hash of the name, everybody else has
 * `others`. */
#include <stdio.h>
#include <xxhash.h>

#include "config/domain_reader.h"

#define DEFAULT_SESSION_GAP_MS (30 * 60000)
#define DEFAULT_OUT_OF_ORDERNESS_MS (10 * 60000)
#define EVENT_SLOTS (2 * EVENT_TYPES_MAX) /* a power of two */
#define OTHERS "others"
#define TENANT_BYTES_MAX 64 /* as in catalog.h */

struct named_tenant {
    struct slice id;  /* n 0: the slot is free */
    uint64_t domains; /* bits, while it is resolved */
    const struct tenant_domains *has;
};

/* ---- reading ---- */

static bool names(const struct slice *tenants, size_t count, struct slice tenant)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(tenants[i], tenant))
            return true;
    return false;
}

static void read_named(struct domain_reader *reader, struct fy_node *key, struct fy_node *value)
{
    struct domain *domain = reader->domain;
    void *at = NULL;
    struct fy_node *item;
    size_t count = 0;
    while (domain_next(value, &at))
        count++;
    struct slice *tenants =
        count && count <= DOMAIN_TENANTS_MAX ? arena_take(reader->build->arena, count * sizeof *tenants) : NULL;
    if (!tenants) {
        yaml_problem_at(&reader->file, key,
                        "1 to %d tenants; `" OTHERS "` is whom no domain names, without this key it is everybody",
                        DOMAIN_TENANTS_MAX);
        return;
    }
    domain->audience = DOMAIN_FOR_NAMED;
    domain->tenants = tenants;
    at = NULL;
    while ((item = domain_next(value, &at)) != NULL) {
        if (!domain_text(reader, item, item, &tenants[domain->tenant_count]))
            return;
        if (!tenants[domain->tenant_count].n || tenants[domain->tenant_count].n > TENANT_BYTES_MAX)
            yaml_problem_at(&reader->file, item, "a tenant's name has 1 to %d bytes", TENANT_BYTES_MAX);
        else if (names(tenants, domain->tenant_count, tenants[domain->tenant_count]))
            yaml_problem_at(&reader->file, item, "the tenant stands here twice");
        else
            domain->tenant_count++;
    }
}

void domain_read_tenants(struct domain_reader *reader, struct fy_node *key, struct fy_node *value)
{
    struct slice word;
    if (value && fy_node_is_sequence(value))
        read_named(reader, key, value);
    else if (yaml_scalar(value, &word) && slice_equal(word, SLICE(OTHERS)))
        reader->domain->audience = DOMAIN_FOR_OTHERS;
    else
        yaml_problem_at(&reader->file, value ? value : key,
                        "tenants are a list, such as [acme], or the word `" OTHERS "`: all whom no domain names");
}

bool domain_shares_tenants(const struct domain *a, const struct domain *b)
{
    if (a->audience != DOMAIN_FOR_NAMED || b->audience != DOMAIN_FOR_NAMED)
        return a->audience == b->audience || a->audience == DOMAIN_FOR_ALL || b->audience == DOMAIN_FOR_ALL;
    for (size_t i = 0; i < a->tenant_count; i++)
        if (names(b->tenants, b->tenant_count, a->tenants[i]))
            return true;
    return false;
}

void domain_line(const struct domain *domain, size_t at, size_t *out_line, size_t *out_column)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < domain->text.n; i++) {
        const bool ends = domain->text.p[i] == '\n';
        line += ends;
        column = ends ? 1 : column + (((unsigned char)domain->text.p[i] & 0xC0) != 0x80); /* characters, not bytes */
    }
    *out_line = line;
    *out_column = column;
}

const char *domain_place(const struct domain *domain, size_t at, char to[DOMAIN_PLACE_MAX])
{
    size_t line, column;
    domain_line(domain, at, &line, &column);
    snprintf(to, DOMAIN_PLACE_MAX, "%.*s:%zu:%zu", SLICE_ARG(domain->file), line, column);
    return to;
}

/* ---- contradictions ---- */

bool domain_contradicts(const struct domain *a, const struct domain *b)
{
    return domain_closeness(a) == domain_closeness(b) && domain_shares_tenants(a, b);
}

void domain_say(struct domain *domain, enum domain_word word, int64_t said, struct fy_node *value)
{
    struct slice text;
    domain->said[word] = (struct domain_said){ said, yaml_position(value), yaml_scalar(value, &text) ? text.n : 1 };
}

void domain_word_name(enum domain_word word, char to[DOMAIN_WORD_BYTES])
{
    static const char *const NAMES[DOMAIN_QUALITY_TARGET] = { "sessions.gap", "time.out_of_orderness",
                                                              "sessions.enabled" };
    if (word < DOMAIN_QUALITY_TARGET)
        snprintf(to, DOMAIN_WORD_BYTES, "%s", NAMES[word]);
    else
        snprintf(to, DOMAIN_WORD_BYTES, "quality.%s",
                 quality_ratio_name((enum quality_ratio)(word - DOMAIN_QUALITY_TARGET)));
}

/* Targets of a domain that declares event types are about these alone, and they are declared once. */
static bool is_for_all_types(const struct domain *domain, enum domain_word word)
{
    return word < DOMAIN_QUALITY_TARGET || !domain->event_type_count;
}

static void agree(struct domain_reader *reader, const struct domain *other, enum domain_word word)
{
    char place[DOMAIN_PLACE_MAX], what[DOMAIN_WORD_BYTES];
    const struct domain_said *ours = &reader->domain->said[word], *theirs = &other->said[word];
    if (!ours->value || !theirs->value || ours->value == theirs->value || !is_for_all_types(other, word) ||
        !is_for_all_types(reader->domain, word))
        return;
    domain_word_name(word, what);
    yaml_problem(&reader->file, ours->at, ours->width,
                 "%s is another one in domain %.*s (%s), and it holds for all domains of a tenant: agree, give each "
                 "domain its `tenants`, or let one yield (`fallback: true`)",
                 what, SLICE_ARG(other->name), domain_place(other, theirs->at, place));
}

void domain_agree(struct domain_reader *reader)
{
    const struct domain_build *build = reader->build;
    for (size_t i = 0; i < build->domain_count; i++)
        for (int word = 0; &build->domains[i] != reader->domain && word < DOMAIN_WORDS; word++)
            if (domain_contradicts(&build->domains[i], reader->domain))
                agree(reader, &build->domains[i], (enum domain_word)word);
}

/* ---- resolving ---- */

static size_t event_slot(struct slice name)
{
    return XXH3_64bits(name.p, name.n) % EVENT_SLOTS;
}

static bool index_types(const struct domain_set *set, struct tenant_domains *out, struct arena *arena)
{
    if (!set->event_type_count)
        return true;
    uint16_t *slots = arena_take(arena, EVENT_SLOTS * sizeof *slots); /* 0: nobody; else the type's place + 1 */
    if (!slots)
        return false;
    memset(slots, 0, EVENT_SLOTS * sizeof *slots);
    for (size_t i = 0; i < set->event_type_count; i++) {
        const struct event_type *type = &set->event_types[i];
        size_t slot = event_slot(type->name);
        if (!tenant_has_domain(out, type->domain_place))
            continue;
        while (slots[slot] && !slice_equal(set->event_types[slots[slot] - 1].name, type->name))
            slot = (slot + 1) % EVENT_SLOTS;
        if (!slots[slot] || event_type_yields(set, &set->event_types[slots[slot] - 1], type))
            slots[slot] = (uint16_t)(i + 1);
    }
    out->event_slots = slots;
    return true;
}

const struct domain *domain_that_says(const struct domain_set *set, const struct tenant_domains *tenant,
                                      enum domain_word word)
{
    const struct domain *closest = NULL;
    for (size_t i = 0; i < set->domain_count; i++) {
        const struct domain *domain = &set->domains[i];
        if (tenant_has_domain(tenant, i) && domain->said[word].value &&
            (!closest || domain_closeness(domain) > domain_closeness(closest)))
            closest = domain;
    }
    return closest;
}

static int64_t closest_says(const struct domain_set *set, const struct tenant_domains *tenant, enum domain_word word,
                            int64_t otherwise)
{
    const struct domain *closest = domain_that_says(set, tenant, word);
    return closest ? closest->said[word].value : otherwise;
}

static bool resolve(struct domain_set *set, uint64_t domains, struct arena *arena, struct tenant_domains *out)
{
    *out = (struct tenant_domains){ .domains = domains };
    out->session_gap_ms = closest_says(set, out, DOMAIN_SESSION_GAP, DEFAULT_SESSION_GAP_MS);
    out->out_of_orderness_ms = closest_says(set, out, DOMAIN_OUT_OF_ORDERNESS, DEFAULT_OUT_OF_ORDERNESS_MS);
    out->without_sessions = closest_says(set, out, DOMAIN_SESSIONS_ENABLED, 0) == 1;
    if (out->session_gap_ms > set->session_gap_max_ms)
        set->session_gap_max_ms = out->session_gap_ms;
    if (out->out_of_orderness_ms > set->out_of_orderness_max_ms)
        set->out_of_orderness_max_ms = out->out_of_orderness_ms;
    return index_types(set, out, arena);
}

static size_t table_size(size_t tenants)
{
    size_t size = 2;
    while (size < 2 * tenants)
        size *= 2;
    return size;
}

static struct named_tenant *tenant_slot(const struct domain_set *set, struct slice tenant)
{
    struct named_tenant *table = (struct named_tenant *)set->tenants;
    const size_t size = table_size(set->tenant_count);
    size_t slot = XXH3_64bits(tenant.p, tenant.n) & (size - 1);
    while (table[slot].id.n && !slice_equal(table[slot].id, tenant))
        slot = (slot + 1) & (size - 1);
    return &table[slot];
}

/* The different sets that tenants have, each made once. */
struct combinations {
    const struct tenant_domains **made;
    size_t count;
};

static const struct tenant_domains *combination(struct combinations *combinations, struct domain_set *set,
                                                uint64_t domains, struct arena *arena)
{
    for (size_t i = 0; i < combinations->count; i++)
        if (combinations->made[i]->domains == domains)
            return combinations->made[i];
    struct tenant_domains *made = arena_take(arena, sizeof *made);
    if (!made || !resolve(set, domains, arena, made))
        return NULL;
    return combinations->made[combinations->count++] = made;
}

static bool resolve_named(struct domain_set *set, uint64_t for_all, struct arena *arena)
{
    const size_t size = table_size(set->tenant_count);
    struct named_tenant *table = arena_take(arena, size * sizeof *table);
    struct combinations combinations = { .made = arena_take(arena, set->tenant_count * sizeof *combinations.made) };
    struct slice *named = arena_take(arena, set->tenant_count * sizeof *named);
    if (!table || !combinations.made || !named)
        return false;
    memset(table, 0, size * sizeof *table);
    set->tenants = table;
    set->named = named;
    for (size_t i = 0; i < set->domain_count; i++)
        for (size_t t = 0; t < set->domains[i].tenant_count; t++) {
            struct named_tenant *slot = tenant_slot(set, set->domains[i].tenants[t]);
            if (!slot->id.n)
                named[set->named_count++] = set->domains[i].tenants[t];
            slot->id = set->domains[i].tenants[t];
            slot->domains |= for_all | UINT64_C(1) << i;
        }
    for (size_t i = 0; i < size; i++)
        if (table[i].id.n && !(table[i].has = combination(&combinations, set, table[i].domains, arena)))
            return false;
    return true;
}

bool domain_resolve_tenants(struct domain_set *set, struct arena *arena)
{
    uint64_t others = 0, for_all = 0;
    assert(set->domain_count <= DOMAINS_MAX && DOMAINS_MAX <= 64);
    for (size_t i = 0; i < set->domain_count; i++) {
        others |= (uint64_t)(set->domains[i].audience != DOMAIN_FOR_NAMED) << i;
        for_all |= (uint64_t)(set->domains[i].audience == DOMAIN_FOR_ALL) << i;
        set->tenant_count += set->domains[i].tenant_count; /* who stands in several counts more than once */
    }
    if (!resolve(set, others, arena, &set->others))
        return false;
    return set->tenant_count == 0 || resolve_named(set, for_all, arena);
}

/* ---- finding ---- */

const struct tenant_domains *domain_set_of(const struct domain_set *set, struct slice tenant)
{
    const struct named_tenant *found = set->tenant_count && tenant.n ? tenant_slot(set, tenant) : NULL;
    return found && found->id.n ? found->has : &set->others;
}

const struct event_type *event_type_find(const struct domain_set *domains, const struct tenant_domains *tenant,
                                         struct slice name)
{
    const uint16_t *slots = tenant->event_slots;
    if (!slots)
        return NULL;
    for (size_t slot = event_slot(name); slots[slot]; slot = (slot + 1) % EVENT_SLOTS) {
        const struct event_type *type = &domains->event_types[slots[slot] - 1];
        if (slice_equal(type->name, name))
            return type;
    }
    return NULL;
}

bool event_type_yields(const struct domain_set *domains, const struct event_type *type, const struct event_type *to)
{
    const struct domain *ours = &domains->domains[type->domain_place], *theirs = &domains->domains[to->domain_place];
    return slice_equal(type->name, to->name) && domain_closeness(theirs) > domain_closeness(ours) &&
           domain_shares_tenants(ours, theirs);
}

const struct domain *domain_with_quality_target(const struct domain_set *set, const struct tenant_domains *tenant,
                                                struct slice type, enum quality_ratio ratio)
{
    int best = -1;
    const struct domain *found = NULL;
    for (size_t i = 0; i < set->domain_count; i++) {
        const struct domain *domain = &set->domains[i];
        if (!domain->said[DOMAIN_QUALITY_TARGET + ratio].value || !tenant_has_domain(tenant, i))
            continue;
        const bool is_own = event_type_of_domain(set, domain->name, type) != NULL;
        const int rank =
            2 * domain_closeness(domain) + is_own; /* of equally close ones, who declares it knows it best */
        if ((!is_own && domain->event_type_count) || rank <= best)
            continue;
        best = rank;
        found = domain;
    }
    return found;
}

int64_t domain_quality_target(const struct domain_set *set, const struct tenant_domains *tenant, struct slice type,
                              enum quality_ratio ratio)
{
    const struct domain *domain = domain_with_quality_target(set, tenant, type, ratio);
    return domain ? domain->said[DOMAIN_QUALITY_TARGET + ratio].value - 1 : -1;
}

const struct event_type *event_type_of_domain(const struct domain_set *domains, struct slice domain, struct slice name)
{
    for (size_t i = 0; i < domains->event_type_count; i++) {
        const struct event_type *type = &domains->event_types[i];
        if (slice_equal(type->name, name) && slice_equal(type->domain, domain))
            return type;
    }
    return NULL;
}

const struct event_type *event_type_of_key(const struct domain_set *domains, struct slice key)
{
    for (size_t i = 0; i < domains->event_type_count; i++)
        if (slice_equal(domains->event_types[i].key, key))
            return &domains->event_types[i];
    return NULL;
}

const struct event_type *event_type_again(const struct domain_set *domains, struct slice domain, struct slice key)
{
    const char *point = memchr(key.p, '.', key.n);
    struct slice name = point ? slice_after(key, (size_t)(point - key.p) + 1) : key;
    const struct event_type *type = event_type_of_domain(domains, domain, name);
    return type ? type : event_type_of_key(domains, key);
}

bool window_is_for(const struct domain_set *set, const struct window *window, struct slice tenant)
{
    if (!tenant_has_domain(domain_set_of(set, tenant), window->domain_place))
        return false;
    for (size_t i = 0; i < window->tenant_count; i++)
        if (slice_equal(window->tenants[i], tenant))
            return true;
    return window->tenant_count == 0;
}
