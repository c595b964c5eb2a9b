/* Inside of the synthetic traffic: who is in the shop (synth.c) and how what they do is written (synth_write.c). */
#pragma once
#include "cli/synth.h"

#define PRODUCTS 400

enum page {
    PAGE_HOME,
    PAGE_CATEGORY,
    PAGE_SEARCH,
    PAGE_PRODUCT,
    PAGE_PRICING,
    PAGE_BLOG,
    PAGE_CART,
    PAGE_CHECKOUT,
    PAGE_THANKS,
    PAGES
};

enum action { ACT_VIEW, ACT_CLICK, ACT_ADD, ACT_LOGIN, ACT_PURCHASE, ACT_ABANDON };

struct session {
    int64_t next_ms;
    uint64_t id;
    uint32_t visitor;
    uint16_t product, referrer;
    uint8_t page, steps, in_cart, action, campaign;
    bool logged_in;
};

struct synth {
    struct synth_options options;
    uint64_t state[4];
    struct session *heap;
    size_t open;
    int64_t next_birth_ms, birth_rest_ns;
};

/* Campaigns: 0 is none; the last one is the surge's. */
#define CAMPAIGNS 5
#define CAMPAIGN_OF_SURGE (CAMPAIGNS - 1)
#define REFERRERS 10

uint64_t synth_mix(uint64_t x);
uint64_t synth_random(struct synth *synth);
uint32_t synth_below(struct synth *synth, uint32_t n);
/* The session's event as a line of JSON. */
void synth_write(struct synth *synth, struct buf *out, const struct session *session);
