/* A row is the slots of its measures one behind the other, all 8-aligned: counts as 8 bytes, sums, moments and so on as
 * the structs of their files, sketches as a pointer (NULL until the first value) and a counter of skipped inputs. Each
 * kind's behaviour is in its own file; here is only which one a measure is. */
#include "process/aggregate/aggregate.h"

#include "process/aggregate/aggregate_inside.h"

static size_t slot_bytes(enum aggregate_kind kind)
{
    switch (kind) {
    case AGGREGATE_COUNT:
        return sizeof(uint64_t);
    case AGGREGATE_SUM:
    case AGGREGATE_MEAN:
        return sizeof(struct sum_slot);
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return sizeof(struct extreme_slot);
    case AGGREGATE_VARIANCE:
        return sizeof(struct variance_slot);
    case AGGREGATE_DISTINCT:
    case AGGREGATE_QUANTILE:
    case AGGREGATE_TOP:
        return sizeof(struct sketch_slot);
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
        return sizeof(struct moment_slot);
    }
    return 0;
}
_Static_assert(sizeof(struct sum_slot) == 48 && sizeof(struct variance_slot) == 48 &&
                   sizeof(struct moment_slot) == 32 && sizeof(struct extreme_slot) == 16 &&
                   sizeof(struct sketch_slot) == 16,
               "rows are small: there are tens of millions of them");

static bool hangs_memory(enum aggregate_kind kind)
{
    return kind == AGGREGATE_DISTINCT || kind == AGGREGATE_QUANTILE || kind == AGGREGATE_TOP ||
           kind == AGGREGATE_FIRST || kind == AGGREGATE_LAST;
}

static enum status check_def(const struct aggregate_def *def, size_t index, struct error *err)
{
    if (slot_bytes(def->kind) == 0)
        return error_set(err, ERR_INVALID, "measure %zu has the unknown kind %d", index, (int)def->kind);
    if (def->kind == AGGREGATE_QUANTILE && !(def->parameter >= 0 && def->parameter <= 1))
        return error_set(err, ERR_INVALID, "measure %zu: a quantile is from 0 to 1, not %g", index, def->parameter);
    if (def->kind == AGGREGATE_TOP && !(def->parameter >= 1 && def->parameter <= AGGREGATE_TOP_MAX))
        return error_set(err, ERR_INVALID, "measure %zu: a top is of 1 to %d values, not %g", index, AGGREGATE_TOP_MAX,
                         def->parameter);
    return OK;
}

static bool is_sum(enum aggregate_kind kind)
{
    return kind == AGGREGATE_SUM || kind == AGGREGATE_MEAN;
}

/* An earlier measure whose part of the row serves this one too; NULL: none. */
static const struct aggregate_slot *find_shared(const struct aggregate_layout *layout, size_t before,
                                                enum aggregate_kind kind, uint32_t input)
{
    for (size_t i = 0; input && i < before; i++) {
        const struct aggregate_slot *slot = &layout->slots[i];
        bool alike =
            (is_sum(kind) && is_sum(slot->kind)) || (kind == AGGREGATE_QUANTILE && slot->kind == AGGREGATE_QUANTILE);
        if (alike && slot->input == input)
            return slot;
    }
    return NULL;
}

enum status aggregate_layout_make(const struct aggregate_def *defs, size_t count, struct aggregate_layout *out_layout,
                                  struct error *err)
{
    return aggregate_layout_make_sharing(defs, NULL, count, out_layout, err);
}

enum status aggregate_layout_make_sharing(const struct aggregate_def *defs, const uint32_t *inputs, size_t count,
                                          struct aggregate_layout *out_layout, struct error *err)
{
    struct aggregate_layout layout = { .measures = (uint16_t)count, .only_count = true };
    if (count == 0 || count > AGGREGATE_MEASURES_MAX)
        return error_set(err, ERR_INVALID, "a window has 1 to %d measures, not %zu", AGGREGATE_MEASURES_MAX, count);
    for (size_t i = 0; i < count; i++) {
        enum status s = check_def(&defs[i], i, err);
        if (s != OK)
            return s;
        const struct aggregate_slot *shared = find_shared(&layout, i, defs[i].kind, inputs ? inputs[i] : 0);
        layout.slots[i] = (struct aggregate_slot){ .kind = (uint8_t)defs[i].kind,
                                                   .shared = shared != NULL,
                                                   .offset = shared ? shared->offset : (uint16_t)layout.row_bytes,
                                                   .input = inputs ? inputs[i] : 0,
                                                   .parameter = defs[i].parameter };
        if (defs[i].kind == AGGREGATE_TOP)
            layout.slots[i].capacity = (uint16_t)top_capacity((uint32_t)defs[i].parameter);
        layout.only_count = layout.only_count && defs[i].kind == AGGREGATE_COUNT;
        layout.has_pointers = layout.has_pointers || hangs_memory(defs[i].kind);
        layout.row_bytes += shared ? 0 : (uint32_t)slot_bytes(defs[i].kind);
    }
    *out_layout = layout;
    return OK;
}

void aggregate_init(const struct aggregate_layout *layout, void *row)
{
    memset(row, 0, layout->row_bytes);
}

static void sketch_add(const struct aggregate_slot *slot, struct sketch_slot *at, const struct aggregate_value *input)
{
    struct aggregate_value scratch;
    if (input->kind == AGGREGATE_NULL)
        return;
    const struct aggregate_value *normal = kept_normal(input, &scratch);
    if (!normal || (slot->kind == AGGREGATE_QUANTILE && normal->kind == AGGREGATE_TEXT))
        skipped_add(&at->skipped, 1);
    else if (slot->kind == AGGREGATE_QUANTILE)
        quantile_add(&at->quantile, normal->kind == AGGREGATE_INT ? (double)normal->integer : normal->number);
    else if (slot->kind == AGGREGATE_TOP)
        top_add(&at->top, slot->capacity, normal, distinct_hash(normal));
    else /* a text by all of its bytes: only what is kept is cut */
        distinct_add(&at->distinct, distinct_hash(normal->kind == AGGREGATE_TEXT ? input : normal));
}

static void add_one(const struct aggregate_slot *slot, void *at, const struct aggregate_value *input, int64_t time_ms,
                    uint64_t tie_breaker)
{
    switch ((enum aggregate_kind)slot->kind) {
    case AGGREGATE_COUNT:
        ++*(uint64_t *)at;
        break;
    case AGGREGATE_SUM:
    case AGGREGATE_MEAN:
        sum_add(at, input);
        break;
    case AGGREGATE_MIN:
        extreme_add(at, input, -1);
        break;
    case AGGREGATE_MAX:
        extreme_add(at, input, 1);
        break;
    case AGGREGATE_VARIANCE:
        variance_add(at, input);
        break;
    case AGGREGATE_DISTINCT:
    case AGGREGATE_QUANTILE:
    case AGGREGATE_TOP:
        sketch_add(slot, at, input);
        break;
    case AGGREGATE_FIRST:
        moment_add(at, input, time_ms, tie_breaker, -1);
        break;
    case AGGREGATE_LAST:
        moment_add(at, input, time_ms, tie_breaker, 1);
        break;
    }
}

void aggregate_add_values(const struct aggregate_layout *layout, void *row, const struct aggregate_value *inputs,
                          int64_t time_ms, uint64_t tie_breaker)
{
    const struct aggregate_slot *slot = layout->slots, *end = slot + layout->measures;
    for (; slot < end; slot++, inputs++) {
        void *at = (char *)row + slot->offset;
        if (UNLIKELY(slot->shared))
            continue;
        /* Counts and sums are most of all measures, and spared the jump through a table. */
        if (slot->kind == AGGREGATE_COUNT)
            ++*(uint64_t *)at;
        else if (is_sum(slot->kind))
            sum_add(at, inputs);
        else
            add_one(slot, at, inputs, time_ms, tie_breaker);
    }
}

static void merge_one(const struct aggregate_slot *slot, void *into, const void *from)
{
    struct sketch_slot *sketch = into;
    const struct sketch_slot *other = from;
    switch ((enum aggregate_kind)slot->kind) {
    case AGGREGATE_COUNT:
        *(uint64_t *)into += *(const uint64_t *)from;
        return;
    case AGGREGATE_SUM:
    case AGGREGATE_MEAN:
        sum_merge(into, from);
        return;
    case AGGREGATE_MIN:
        extreme_merge(into, from, -1);
        return;
    case AGGREGATE_MAX:
        extreme_merge(into, from, 1);
        return;
    case AGGREGATE_VARIANCE:
        variance_merge(into, from);
        return;
    case AGGREGATE_FIRST:
        moment_merge(into, from, -1);
        return;
    case AGGREGATE_LAST:
        moment_merge(into, from, 1);
        return;
    case AGGREGATE_DISTINCT:
        distinct_merge(&sketch->distinct, other->distinct);
        break;
    case AGGREGATE_QUANTILE:
        quantile_merge(&sketch->quantile, other->quantile);
        break;
    case AGGREGATE_TOP:
        top_merge(&sketch->top, slot->capacity, other->top);
        break;
    }
    skipped_add(&sketch->skipped, other->skipped);
}

void aggregate_merge(const struct aggregate_layout *layout, void *into, const void *from)
{
    assert(into != from);
    for (uint32_t i = 0; i < layout->measures; i++)
        if (!layout->slots[i].shared)
            merge_one(&layout->slots[i], (char *)into + layout->slots[i].offset,
                      (const char *)from + layout->slots[i].offset);
}

void aggregate_release(const struct aggregate_layout *layout, void *row)
{
    for (uint32_t i = 0; layout->has_pointers && i < layout->measures; i++) {
        struct sketch_slot *at = (struct sketch_slot *)((char *)row + layout->slots[i].offset);
        uint8_t kind = layout->slots[i].shared ? 0 : layout->slots[i].kind;
        if (kind == AGGREGATE_DISTINCT)
            free(at->distinct);
        else if (kind == AGGREGATE_QUANTILE)
            quantile_free(at->quantile);
        else if (kind == AGGREGATE_TOP)
            top_free(at->top);
        else if (kind == AGGREGATE_FIRST || kind == AGGREGATE_LAST)
            moment_release((struct moment_slot *)at);
    }
    aggregate_init(layout, row);
}

size_t aggregate_bytes(const struct aggregate_layout *layout, const void *row)
{
    size_t bytes = layout->row_bytes;
    for (uint32_t i = 0; layout->has_pointers && i < layout->measures; i++) {
        const struct sketch_slot *at = (const struct sketch_slot *)((const char *)row + layout->slots[i].offset);
        uint8_t kind = layout->slots[i].shared ? 0 : layout->slots[i].kind;
        if (kind == AGGREGATE_DISTINCT)
            bytes += distinct_bytes(at->distinct);
        else if (kind == AGGREGATE_QUANTILE)
            bytes += quantile_bytes(at->quantile);
        else if (kind == AGGREGATE_TOP)
            bytes += top_bytes(at->top);
        else if (kind == AGGREGATE_FIRST || kind == AGGREGATE_LAST)
            bytes += moment_bytes((const struct moment_slot *)at);
    }
    return bytes;
}

static void sketch_result(const struct aggregate_slot *slot, const struct sketch_slot *at, struct aggregate_result *out)
{
    out->skipped = at->skipped;
    if (slot->kind == AGGREGATE_DISTINCT)
        out->value =
            (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = (int64_t)distinct_estimate(at->distinct) };
    else if (slot->kind == AGGREGATE_TOP)
        top_result(at->top, (uint32_t)slot->parameter, out);
    else if (at->quantile)
        out->value = (struct aggregate_value){ .kind = AGGREGATE_NUMBER,
                                               .number = quantile_estimate(at->quantile, slot->parameter) };
}

void aggregate_result(const struct aggregate_layout *layout, const void *row, size_t index,
                      struct aggregate_result *out)
{
    assert(index < layout->measures);
    const struct aggregate_slot *slot = &layout->slots[index];
    const void *at = (const char *)row + slot->offset;
    memset(out, 0, offsetof(struct aggregate_result, top));
    switch ((enum aggregate_kind)slot->kind) {
    case AGGREGATE_COUNT:
        out->value = (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = (int64_t) * (const uint64_t *)at };
        break;
    case AGGREGATE_SUM:
        sum_result(at, out);
        break;
    case AGGREGATE_MEAN:
        mean_result(at, out);
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        extreme_result(at, out);
        break;
    case AGGREGATE_VARIANCE:
        variance_result(at, out);
        break;
    case AGGREGATE_DISTINCT:
    case AGGREGATE_QUANTILE:
    case AGGREGATE_TOP:
        sketch_result(slot, at, out);
        break;
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
        moment_result(at, out);
        break;
    }
}
