/* A walk over the members of an object, going down only where a wanted path goes, and over everything else as fast as
 * its quotes and brackets can be found (64 and 16 bytes at a time). The text was checked at ingestion, so nothing is
 * checked again but what memory safety needs: every step stays inside of the text, and the depth is that of the plan's
 * tree. */
#include "expr/field_scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/json_scan.h"

#define BLOCK 64

struct scan {
    const struct field_plan *plan;
    struct arena *arena;
    struct value *values;
    const char *begin, *end;
    const char *block; /* the 64 bytes that marks is about */
    uint64_t marks;
    uint64_t seen[FIELD_PATHS_MAX / 64];
    size_t missing;            /* paths that have no value yet */
    size_t known;              /* with out_unknown: names of these places are known */
    struct slice *out_unknown; /* NULL: nobody asks */
};

/* Where quotes and backslashes are in 64 bytes, as bits: found once for all strings in them, so that the end of a
 * string is one shift away from its beginning and not a load, a comparison and a jump. */
static uint64_t marks_in(const char *p)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    uint64_t marks = 0;
    for (int i = 0; i < 4; i++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i hits = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
        marks |= (uint64_t)(uint32_t)_mm_movemask_epi8(hits) << (16 * i);
    }
    return marks;
#else
    uint64_t marks = 0;
    for (int i = 0; i < BLOCK; i++)
        marks |= (uint64_t)(p[i] == '"' || p[i] == '\\') << i;
    return marks;
#endif
}

/* The last block is read from 64 bytes before the end, where the text has as many; else from a copy. */
static void load_block(struct scan *scan, const char *p)
{
    size_t rest = (size_t)(scan->end - p);
    scan->block = p;
    if (LIKELY(rest >= BLOCK)) {
        scan->marks = marks_in(p);
    } else if (scan->end - scan->begin >= BLOCK) {
        scan->marks = rest ? marks_in(scan->end - BLOCK) >> (BLOCK - rest) : 0;
    } else {
        char tail[BLOCK] = { 0 };
        memcpy(tail, p, rest);
        scan->marks = marks_in(tail);
    }
}

/* p: behind the opening quote. The closing quote, or NULL. */
static inline const char *string_end(struct scan *scan, const char *p, bool *escaped)
{
    for (;;) {
        size_t at = (size_t)(p - scan->block);
        if (UNLIKELY(at >= BLOCK)) { /* also when p is before it */
            if (p >= scan->end)
                return NULL;
            load_block(scan, p);
            at = 0;
        }
        uint64_t marks = scan->marks >> at;
        if (!marks) {
            p += BLOCK - at;
            continue;
        }
        p += __builtin_ctzll(marks);
        if (LIKELY(*p == '"'))
            return p;
        *escaped = true;
        p += 2;
    }
}

/* The first quote or bracket of any kind at or behind p, or end. */
static inline const char *next_mark(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), bit = _mm_set1_epi8(0x20), open = _mm_set1_epi8('{'),
                  close = _mm_set1_epi8('}');
    while (end - p >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i folded = _mm_or_si128(bytes, bit); /* [ becomes {, ] becomes } */
        __m128i brackets = _mm_or_si128(_mm_cmpeq_epi8(folded, open), _mm_cmpeq_epi8(folded, close));
        int hits = _mm_movemask_epi8(_mm_or_si128(brackets, _mm_cmpeq_epi8(bytes, quote)));
        if (hits)
            return p + __builtin_ctz((unsigned)hits);
        p += 16;
    }
#endif
    while (p < end && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}')
        p++;
    return p;
}

/* Machines write no blanks: one look is the usual way. */
static inline const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && UNLIKELY((unsigned char)*p <= ' '))
        p++;
    return p;
}

/* p: at the opening bracket. Behind the closing one, or NULL. */
static const char *container_end(struct scan *scan, const char *p)
{
    size_t depth = 0;
    bool escaped;
    while ((p = next_mark(p, scan->end)) < scan->end) {
        char c = *p++;
        if (c == '"') {
            p = string_end(scan, p, &escaped);
            if (!p)
                return NULL;
            p++;
        } else if ((c | 0x20) == '{') {
            depth++;
        } else if (--depth == 0) {
            return p;
        }
    }
    return NULL;
}

static inline const char *scalar_end(const char *p, const char *end)
{
    while (p < end && *p != ',' && *p != '}' && *p != ']' && (unsigned char)*p > ' ')
        p++;
    return p;
}

static inline const char *value_end(struct scan *scan, const char *p, bool *escaped)
{
    if (p == scan->end)
        return NULL;
    if (*p == '"') {
        p = string_end(scan, p + 1, escaped);
        return p ? p + 1 : NULL;
    }
    return *p == '{' || *p == '[' ? container_end(scan, p) : scalar_end(p, scan->end);
}

/* Unescaped text is never longer than what it stands as, so a buffer over as many bytes of the arena never grows. */
static struct value unescaped(struct slice raw, struct arena *arena)
{
    char *room = arena_take(arena, raw.n);
    if (!room)
        return value_null(REASON_TOO_LONG);
    struct buf text = { .p = room, .capacity = raw.n, .max_bytes = raw.n };
    if (!json_scan_string(raw, &text) || text.full)
        return value_null(REASON_TYPE);
    assert(text.p == room);
    return value_text(buf_slice(&text));
}

static struct value read_value(struct slice raw, bool escaped, struct arena *arena)
{
    struct value json = { .kind = VALUE_TEXT, .detail = VALUE_JSON, .n = (uint32_t)raw.n, .p = raw.p };
    struct value null = { .kind = VALUE_NULL, .detail = REASON_MISSING, .p = raw.p };
    if (raw.n == 0 || raw.n > UINT32_MAX)
        return value_null(REASON_MISSING);
    switch (raw.p[0]) {
    case '"':
        return escaped ? unescaped(raw, arena) : value_text(slice_of(raw.p + 1, raw.n - 2));
    case '{':
    case '[':
        return json;
    case 't':
        return value_bool(true);
    case 'f':
        return value_bool(false);
    case 'n':
        return null;
    default:
        return value_from_decimal(raw);
    }
}

static void take(struct scan *scan, int16_t field, struct slice raw, bool escaped)
{
    uint64_t bit = 1ull << (field % 64), *seen = &scan->seen[field / 64];
    if (*seen & bit)
        return;
    *seen |= bit;
    scan->missing--;
    scan->values[field] = read_value(raw, escaped, scan->arena);
}

static inline uint16_t find(const struct field_plan *plan, uint16_t node, struct slice name)
{
    uint16_t at = plan->nodes[node].slots[field_slot(name.p, name.n)];
    while (UNLIKELY(at) && !slice_equal(plan->nodes[at].name, name))
        at = plan->nodes[at].next;
    return at;
}

/* A name with escapes in it: rare, so it is undone on the stack and looked up again. */
static uint16_t find_escaped(const struct field_plan *plan, uint16_t node, struct slice raw)
{
    char room[FIELD_NAME_MAX * 6 + 2];
    if (raw.n > sizeof room)
        return 0;
    struct buf name = { .p = room, .capacity = sizeof room, .max_bytes = sizeof room };
    return json_scan_string(raw, &name) ? find(plan, node, buf_slice(&name)) : 0;
}

/* From the quote of a name to the value behind its colon; NULL when this is no member. */
static inline const char *read_name(struct scan *scan, const char *p, uint16_t node, uint16_t *out_child)
{
    bool escaped = false;
    const char *from = p + 1, *quote = string_end(scan, from, &escaped);
    if (!quote)
        return NULL;
    *out_child = escaped ? find_escaped(scan->plan, node, slice_of(p, (size_t)(quote + 1 - p)))
                         : find(scan->plan, node, slice_of(from, (size_t)(quote - from)));
    p = skip_blanks(quote + 1, scan->end);
    if (p == scan->end || *p != ':')
        return NULL;
    return skip_blanks(p + 1, scan->end);
}

/* A member of the object itself, at the quote of its name. */
static void note_name(struct scan *scan, const char *p, uint16_t child)
{
    int16_t field = child ? scan->plan->nodes[child].field : -1;
    bool escaped, is_known = field >= 0 && (size_t)field < scan->known;
    const char *quote = is_known || scan->out_unknown->p ? NULL : string_end(scan, p + 1, &escaped);
    if (quote)
        *scan->out_unknown = slice_of(p + 1, (size_t)(quote - p - 1));
}

static void walk(struct scan *scan, const char *p, uint16_t node)
{
    uint16_t above[FIELD_DEPTH_MAX + 1];
    size_t depth = 0;
    while (scan->missing || scan->out_unknown) {
        p = skip_blanks(p, scan->end);
        if (p == scan->end)
            return;
        if (*p == ',') {
            p++;
            continue;
        }
        if (*p == '}') {
            if (depth == 0)
                return;
            node = above[--depth];
            p++;
            continue;
        }
        uint16_t child = 0;
        const char *name = p;
        if (*p != '"' || !(p = read_name(scan, p, node, &child)))
            return;
        const struct field_node *at = &scan->plan->nodes[child];
        if (UNLIKELY(scan->out_unknown) && depth == 0)
            note_name(scan, name, child);
        bool down = child && at->inner && p < scan->end && *p == '{', escaped = false;
        if (!down || at->field >= 0) {
            const char *after = value_end(scan, p, &escaped);
            if (!after)
                return;
            if (child && at->field >= 0)
                take(scan, at->field, slice_of(p, (size_t)(after - p)), escaped);
            p = down ? p : after;
        }
        if (down) {
            assert(depth <= FIELD_DEPTH_MAX);
            above[depth++] = node;
            node = child;
            p++;
        }
    }
}

static void scan_object(struct scan *scan, enum field_source source, struct slice text)
{
    scan->begin = text.p;
    scan->end = text.p + text.n;
    scan->missing = scan->plan->wanted[source];
    if (!text.n)
        return;
    const char *p = skip_blanks(text.p, scan->end);
    load_block(scan, text.p);
    if (p < scan->end && *p == '{')
        walk(scan, p + 1, scan->plan->roots[source]);
}

void field_scan(const struct field_plan *plan, enum field_source source, struct slice text, struct arena *arena,
                struct value *values)
{
    struct scan scan = { .plan = plan, .arena = arena, .values = values };
    scan_object(&scan, source, text);
}

void field_scan_strict(const struct field_plan *plan, struct slice text, size_t known, struct arena *arena,
                       struct value *values, struct slice *out_unknown)
{
    struct scan scan = { .plan = plan, .arena = arena, .values = values, .known = known, .out_unknown = out_unknown };
    *out_unknown = (struct slice){ 0 };
    scan_object(&scan, FIELD_PROPERTIES, text);
}
