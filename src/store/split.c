#include "store/split.h"

void split_begin(struct split *split, uint32_t rows, uint32_t done)
{
    assert(done <= rows);
    split->count = 0;
    if (done < rows)
        split->ranges[split->count++] = (struct split_range){ 0, rows };
    struct split_range next;
    while (split_next(split, &next) && next.first < done) {
        if (next.end <= done)
            split_settle(split);
        else
            split_halve(split);
    }
}

bool split_next(const struct split *split, struct split_range *out)
{
    if (split->count == 0)
        return false;
    *out = split->ranges[split->count - 1];
    assert(out->first < out->end);
    return true;
}

void split_settle(struct split *split)
{
    assert(split->count > 0);
    split->count--;
}

void split_halve(struct split *split)
{
    struct split_range range;
    bool any = split_next(split, &range);
    assert(any && range.end - range.first >= 2 && split->count < COUNT_OF(split->ranges));
    uint32_t middle = range.first + (range.end - range.first) / 2;
    split->ranges[split->count - 1] = (struct split_range){ middle, range.end };
    split->ranges[split->count++] = (struct split_range){ range.first, middle };
}
