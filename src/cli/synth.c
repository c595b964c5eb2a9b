/* How it works: sessions are born as a Poisson process whose rate follows the hour and the weekday, and each is a small
 * Markov chain over the pages of a shop. A binary heap holds the open sessions by the time of their next event.
 * Visitors are drawn from a Zipf-like law, so that a few come often and most once; what a visitor is (device, country,
 * language, whether they have an account) is a hash of their number, so nothing needs to be remembered about them. Only
 * integer and exactly specified double operations decide what is written, and log/exp enter rounded to whole
 * milliseconds, or to whole nanoseconds where several sessions are born in one. */
#include <math.h>
#include <stdlib.h>

#include "cli/synth_parts.h"

#define SESSIONS_MAX 2000000 /* of SYNTH_RATE_MAX; the memory is taken as they come */
#define FINE_MS 100          /* a mean below it wants more than whole milliseconds */
#define WEEK_MS 604800e3
#define SURGE_MS 10800e3
/* Mean events of a session under the chain below, measured over a million sessions (weir generate --events 1000000). */
#define EVENTS_PER_SESSION 9.1

/* Share of a day's traffic by hour, UTC; its mean is 1. */
static const double BY_HOUR[24] = { 0.45, 0.35, 0.28, 0.25, 0.27, 0.38, 0.58, 0.82, 1.05, 1.20, 1.28, 1.32,
                                    1.35, 1.32, 1.28, 1.25, 1.25, 1.30, 1.42, 1.55, 1.62, 1.48, 1.12, 0.83 };
static const double BY_WEEKDAY[7] = { 1.02, 1.05, 1.04, 1.0, 0.98, 0.92, 0.99 }; /* from Thursday, 1970-01-01 */

uint64_t synth_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t synth_random(struct synth *synth) /* xoshiro256**, Blackman and Vigna */
{
    uint64_t *s = synth->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static double uniform(struct synth *synth) /* 0 ≤ u < 1 */
{
    return (double)(synth_random(synth) >> 11) * 0x1p-53;
}

uint32_t synth_below(struct synth *synth, uint32_t n)
{
    return (uint32_t)((synth_random(synth) >> 32) * n >> 32);
}

/* Whole ones of the mean's unit. */
static int64_t exponential(struct synth *synth, double mean)
{
    return (int64_t)llround(-log1p(-uniform(synth)) * mean);
}

/* Until the next birth. Rounded to whole milliseconds a mean of a fraction of one would be none at all. */
static void pass(struct synth *synth, double mean_ms)
{
    if (mean_ms >= FINE_MS) {
        synth->next_birth_ms += exponential(synth, mean_ms);
        return;
    }
    synth->birth_rest_ns += exponential(synth, mean_ms * 1e6);
    synth->next_birth_ms += synth->birth_rest_ns / 1000000;
    synth->birth_rest_ns %= 1000000;
}

static double rhythm(const struct synth *synth, int64_t at_ms)
{
    if (synth->options.flat)
        return 1;
    int64_t hours = at_ms / 3600000;
    double in_hour = (double)(at_ms % 3600000) / 3600000;
    double now = BY_HOUR[hours % 24], then = BY_HOUR[(hours + 1) % 24];
    return (now + (then - now) * in_hour) * BY_WEEKDAY[hours / 24 % 7];
}

/* Events a second by those who would have come anyway; growth ends at the anchor. */
static double usual_rate(const struct synth *synth, int64_t at_ms)
{
    double weeks = (double)(synth->options.anchor_ms - at_ms) / WEEK_MS;
    double grown = weeks > 0 ? exp(-synth->options.growth_per_week * weeks) : 1;
    return synth->options.events_per_s * grown * rhythm(synth, at_ms);
}

/* Events a second by those whom the surge's campaign brings: it rises for three hours up to the anchor, and stays. */
static double surge_rate(const struct synth *synth, int64_t at_ms)
{
    double x = 1 + (double)(at_ms - synth->options.anchor_ms) / SURGE_MS;
    x = x < 0 ? 0 : x > 1 ? 1 : x;
    return synth->options.surge_events_per_s * x * x * (3 - 2 * x);
}

static void heap_swap(struct session *a, struct session *b)
{
    struct session t = *a;
    *a = *b;
    *b = t;
}

static bool earlier(const struct session *a, const struct session *b)
{
    return a->next_ms != b->next_ms ? a->next_ms < b->next_ms : a->id < b->id;
}

static void heap_sink(struct synth *synth)
{
    size_t at = 0;
    for (;;) {
        size_t least = at, left = 2 * at + 1;
        for (size_t child = left; child < left + 2 && child < synth->open; child++)
            if (earlier(&synth->heap[child], &synth->heap[least]))
                least = child;
        if (least == at)
            return;
        heap_swap(&synth->heap[at], &synth->heap[least]);
        at = least;
    }
}

static void heap_add(struct synth *synth, const struct session *session)
{
    size_t at = synth->open++;
    synth->heap[at] = *session;
    while (at && earlier(&synth->heap[at], &synth->heap[(at - 1) / 2])) {
        heap_swap(&synth->heap[at], &synth->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

struct synth *synth_new(const struct synth_options *options)
{
    struct synth *synth = calloc(1, sizeof *synth);
    if (!synth || !(synth->heap = calloc(SESSIONS_MAX, sizeof *synth->heap)))
        abort();
    synth->options = *options;
    for (uint64_t i = 0; i < 4; i++)
        synth->state[i] = synth_mix((options->seed * 4 + i) ^ synth_mix((uint64_t)options->start_ms));
    synth->next_birth_ms = options->start_ms;
    return synth;
}

void synth_free(struct synth *synth)
{
    if (!synth)
        return;
    free(synth->heap);
    free(synth);
}

static uint8_t choose_campaign(struct synth *synth, double surge_share)
{
    static const uint8_t OTHERS[] = { 0, 0, 0, 0, 0, 1, 2, 3 };
    if (surge_share > 0 && uniform(synth) < surge_share)
        return CAMPAIGN_OF_SURGE;
    return OTHERS[synth_below(synth, COUNT_OF(OTHERS))];
}

static void give_birth(struct synth *synth)
{
    int64_t now = synth->next_birth_ms;
    double usual = usual_rate(synth, now), surge = surge_rate(synth, now);
    pass(synth, EVENTS_PER_SESSION * 1000 / (usual + surge));
    if (synth->open == SESSIONS_MAX)
        return; /* more people than the shop holds: they leave at the door */
    /* u³ makes the first visitors frequent ones: half of all sessions come from an eighth of the people. */
    double u = uniform(synth);
    uint32_t visitor = (uint32_t)(u * u * u * synth->options.visitors);
    static const uint8_t LANDING[] = { PAGE_HOME,    PAGE_HOME,    PAGE_HOME, PAGE_CATEGORY,
                                       PAGE_PRODUCT, PAGE_PRODUCT, PAGE_BLOG, PAGE_PRICING };
    double p = uniform(synth);
    struct session session = {
        .next_ms = now,
        .id = synth_random(synth),
        .visitor = visitor,
        .product = (uint16_t)(p * p * PRODUCTS),
        .referrer = (uint16_t)synth_below(synth, REFERRERS),
        .page = LANDING[synth_below(synth, COUNT_OF(LANDING))],
        .campaign = choose_campaign(synth, surge / (usual + surge)),
    };
    heap_add(synth, &session);
}

static void view(struct session *session, enum page page)
{
    session->page = (uint8_t)page;
    session->action = ACT_VIEW;
}

static void leave_cart(struct session *session, double u, enum page page)
{
    if (u < 0.5) {
        session->page = (uint8_t)page;
        session->action = ACT_ABANDON;
        session->steps = 250; /* what comes next is the door */
    }
}

/* What the visitor does next; false: they leave. */
static bool walk(struct synth *synth, struct session *session)
{
    double u = uniform(synth);
    bool has_account = synth_mix(session->visitor + 77) % 3 == 0;
    if (session->steps >= 60 || session->action == ACT_PURCHASE || session->action == ACT_ABANDON)
        return false;
    if (has_account && !session->logged_in && session->steps >= 1 && uniform(synth) < 0.2) {
        session->logged_in = true;
        session->action = ACT_LOGIN;
        return true;
    }
    switch ((enum page)session->page) {
    case PAGE_CART:
        if (u < 0.45)
            view(session, PAGE_CHECKOUT);
        else if (u < 0.75)
            view(session, PAGE_PRODUCT);
        else
            leave_cart(session, uniform(synth) * 0.9, PAGE_CART);
        return session->steps != 250 || session->action == ACT_ABANDON;
    case PAGE_CHECKOUT:
        if (u < 0.6) {
            session->page = PAGE_THANKS;
            session->action = ACT_PURCHASE;
        } else {
            leave_cart(session, 0, PAGE_CHECKOUT);
        }
        return true;
    case PAGE_PRODUCT:
        if (session->action != ACT_ADD && u < 0.07) {
            session->action = ACT_ADD;
            session->in_cart += session->in_cart < 9;
            return true;
        }
        if (session->action == ACT_ADD && u < 0.7) {
            view(session, PAGE_CART);
            return true;
        }
        if (u < 0.23) {
            session->action = ACT_CLICK;
            return true;
        }
        break;
    case PAGE_HOME:
    case PAGE_CATEGORY:
    case PAGE_SEARCH:
    case PAGE_PRICING:
    case PAGE_BLOG:
    case PAGE_THANKS:
    case PAGES:
        break;
    }
    if (u < (session->page == PAGE_BLOG ? 0.45 : 0.22))
        return false;
    double p = uniform(synth);
    if (u > 0.55) {
        session->product = (uint16_t)(p * p * PRODUCTS);
        view(session, PAGE_PRODUCT);
    } else {
        static const uint8_t NEXT[] = { PAGE_CATEGORY, PAGE_CATEGORY, PAGE_SEARCH, PAGE_HOME, PAGE_PRICING, PAGE_BLOG };
        view(session, (enum page)NEXT[synth_below(synth, COUNT_OF(NEXT))]);
    }
    return true;
}

bool synth_next(struct synth *synth, struct buf *out, int64_t *out_timestamp_ms)
{
    while (synth->open == 0 || synth->next_birth_ms <= synth->heap[0].next_ms)
        give_birth(synth);
    struct session *session = &synth->heap[0];
    if (session->next_ms >= synth->options.end_ms)
        return false;
    *out_timestamp_ms = session->next_ms;
    synth_write(synth, out, session);
    session->steps += session->steps < 250;
    if (walk(synth, session))
        session->next_ms += 800 + exponential(synth, session->action == ACT_VIEW ? 24000 : 6000);
    else
        *session = synth->heap[--synth->open];
    heap_sink(synth);
    return true;
}
