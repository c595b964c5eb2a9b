/* How it works: sessions are born as a Poisson process whose rate follows the hour and the weekday, and each is a small
 * Markov chain over the pages of a shop. A binary heap holds the open sessions by the time of their next event.
 * Visitors are drawn from a Zipf-like law, so that a few come often and most once; what a visitor is (device, country,
 * language, whether they have an account) is a hash of their number, so nothing needs to be remembered about them. Only
 * integer and exactly specified double operations decide what is written, and log/exp enter rounded to whole
 * milliseconds. */
#include "cli/synth.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_text.h"
#include "base/timestamp.h"

#define SESSIONS_MAX 200000
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
    uint8_t page, steps, in_cart, action;
    bool logged_in;
};

struct synth {
    struct synth_options options;
    uint64_t state[4];
    struct session *heap;
    size_t open;
    int64_t next_birth_ms;
    double births_per_ms;
};

/* Mean events of a session under the chain below, measured over a million sessions (weir generate --events 1000000). */
#define EVENTS_PER_SESSION 9.1

static const char *const CATEGORIES[] = { "shoes", "jackets", "bags", "tents", "lamps", "stoves", "maps", "ropes" };
static const char *const REFERRERS[] = { "",
                                         "",
                                         "",
                                         "https://www.google.com/",
                                         "https://www.google.com/",
                                         "https://duckduckgo.com/",
                                         "https://news.ycombinator.com/",
                                         "https://www.instagram.com/",
                                         "https://newsletter.example/",
                                         "https://www.bing.com/" };
static const char *const CAMPAIGNS[] = { "", "", "", "", "spring_sale", "newsletter_42", "retargeting" };
static const char *const SEARCHES[] = { "rain jacket", "light tent", "trail shoes", "headlamp",
                                        "gas stove",   "dry bag",    "wool socks" };
static const char *const LOCALES[] = { "en-US", "en-US", "en-GB", "de-DE", "de-DE",
                                       "fr-FR", "es-ES", "ja-JP", "pt-BR", "nl-NL" };
static const char *const COUNTRIES[] = { "US", "US", "GB", "DE", "DE", "FR", "ES", "JP", "BR", "NL" };
static const char *const AGENTS[] = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile "
    "Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
};
static const char *const DEVICES[] = { "desktop", "mobile", "mobile", "desktop", "desktop" };
/* Share of a day's traffic by hour, UTC; its mean is 1. */
static const double BY_HOUR[24] = { 0.45, 0.35, 0.28, 0.25, 0.27, 0.38, 0.58, 0.82, 1.05, 1.20, 1.28, 1.32,
                                    1.35, 1.32, 1.28, 1.25, 1.25, 1.30, 1.42, 1.55, 1.62, 1.48, 1.12, 0.83 };
static const double BY_WEEKDAY[7] = { 1.02, 1.05, 1.04, 1.0, 0.98, 0.92, 0.99 }; /* from Thursday, 1970-01-01 */

static uint64_t mix(uint64_t x)
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

static uint64_t next_random(struct synth *synth) /* xoshiro256**, Blackman and Vigna */
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
    return (double)(next_random(synth) >> 11) * 0x1p-53;
}

static uint32_t below(struct synth *synth, uint32_t n)
{
    return (uint32_t)((next_random(synth) >> 32) * n >> 32);
}

static int64_t exponential_ms(struct synth *synth, double mean_ms)
{
    return (int64_t)llround(-log1p(-uniform(synth)) * mean_ms);
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
        synth->state[i] = mix(options->seed * 4 + i);
    synth->births_per_ms = options->events_per_s / EVENTS_PER_SESSION / 1000;
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

static void give_birth(struct synth *synth)
{
    int64_t now = synth->next_birth_ms;
    synth->next_birth_ms += exponential_ms(synth, 1 / (synth->births_per_ms * rhythm(synth, now)));
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
        .id = next_random(synth),
        .visitor = visitor,
        .product = (uint16_t)(p * p * PRODUCTS),
        .referrer = (uint16_t)below(synth, COUNT_OF(REFERRERS)),
        .page = LANDING[below(synth, COUNT_OF(LANDING))],
    };
    heap_add(synth, &session);
}

static const char *page_title(enum page page)
{
    static const char *const TITLES[PAGES] = { "Home", "Category", "Search",   "Product",  "Pricing",
                                               "Blog", "Cart",     "Checkout", "Thank you" };
    return TITLES[page];
}

static void add_path(struct buf *out, const struct session *session)
{
    const char *category = CATEGORIES[session->product % COUNT_OF(CATEGORIES)];
    switch ((enum page)session->page) {
    case PAGE_CATEGORY:
        buf_add_format(out, "/c/%s", category);
        return;
    case PAGE_PRODUCT:
        buf_add_format(out, "/p/%s-%03u", category, session->product);
        return;
    case PAGE_BLOG:
        buf_add_format(out, "/blog/%u", session->product % 12 + 1);
        return;
    case PAGE_HOME:
        buf_add_text(out, "/");
        return;
    case PAGE_SEARCH:
        buf_add_text(out, "/search");
        return;
    case PAGE_PRICING:
        buf_add_text(out, "/pricing");
        return;
    case PAGE_CART:
        buf_add_text(out, "/cart");
        return;
    case PAGE_CHECKOUT:
        buf_add_text(out, "/checkout");
        return;
    case PAGE_THANKS:
    case PAGES:
        buf_add_text(out, "/thanks");
        return;
    }
}

static uint32_t price_cents(uint16_t product)
{
    return 495 + (uint32_t)(mix(product) % 24000) / 100 * 100;
}

static void add_properties(struct synth *synth, struct buf *out, const struct session *session)
{
    const char *category = CATEGORIES[session->product % COUNT_OF(CATEGORIES)];
    uint32_t cents = price_cents(session->product);
    buf_add_text(out, "\"properties\":{\"page\":\"");
    add_path(out, session);
    buf_add_format(out, "\",\"title\":\"%s\"", page_title((enum page)session->page));
    switch ((enum action)session->action) {
    case ACT_VIEW:
        if (session->steps == 0 && REFERRERS[session->referrer][0])
            json_add_field(out, "referrer", slice_from(REFERRERS[session->referrer]));
        if (session->steps == 0) {
            const char *campaign = CAMPAIGNS[below(synth, COUNT_OF(CAMPAIGNS))];
            if (campaign[0])
                json_add_field(out, "utm_campaign", slice_from(campaign));
        }
        if (session->page == PAGE_SEARCH)
            json_add_field(out, "query", slice_from(SEARCHES[below(synth, COUNT_OF(SEARCHES))]));
        break;
    case ACT_CLICK:
        buf_add_format(out, ",\"element\":\"%s\"", below(synth, 3) ? "gallery" : "reviews");
        break;
    case ACT_ADD:
    case ACT_PURCHASE:
    case ACT_ABANDON:
        buf_add_format(
            out,
            ",\"product_id\":\"%s-%03u\",\"category\":\"%s\",\"quantity\":%u,\"amount\":%u.%02u,\"currency\":\"EUR\"",
            category, session->product, category, session->in_cart, cents * session->in_cart / 100,
            cents * session->in_cart % 100);
        break;
    case ACT_LOGIN:
        buf_add_text(out, ",\"method\":\"password\"");
        break;
    }
    buf_add_text(out, "}");
}

static void add_id(struct buf *out, int64_t ms, uint64_t a, uint64_t b) /* RFC 9562, version 7 */
{
    buf_add_format(out, "%08x-%04x-7%03x-%04x-%012lx", (uint32_t)((uint64_t)ms >> 16), (uint32_t)(ms & 0xffff),
                   (uint32_t)(a & 0xfff), (uint32_t)(0x8000 | (a >> 12 & 0x3fff)), b & 0xffffffffffffu);
}

static void add_time(struct buf *out, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    timestamp_format(ms, text);
    buf_add(out, text, sizeof text);
}

static void write_event(struct synth *synth, struct buf *out, const struct session *session)
{
    static const char *const TYPES[] = { "page_view", "click", "add_to_cart", "login", "purchase", "cart_abandon" };
    uint64_t who = mix(session->visitor ^ synth->options.seed << 32);
    size_t where = who % COUNT_OF(LOCALES), agent = (who >> 8) % COUNT_OF(AGENTS);
    buf_add_text(out, "{");
    if (synth->options.customer_id[0])
        json_add_field(out, "customer_id", slice_from(synth->options.customer_id));
    json_add_key(out, "event_id");
    buf_add_char(out, '"');
    add_id(out, session->next_ms, next_random(synth), next_random(synth));
    buf_add_format(out, "\",\"visitor_id\":\"vid_%06x\",\"session_id\":\"sess_%012lx\"", session->visitor,
                   session->id & 0xffffffffffffu);
    if (session->logged_in)
        buf_add_format(out, ",\"user_id\":\"usr_%05x\"", (uint32_t)(who >> 40) & 0xfffff);
    const char *type = TYPES[session->action];
    buf_add_format(out, ",\"event_type\":\"%s\",\"event_name\":\"%s%s\",", type,
                   session->action == ACT_VIEW ? page_title((enum page)session->page) : type,
                   session->action == ACT_VIEW ? " viewed" : "");
    add_properties(synth, out, session);
    buf_add_format(
        out,
        ",\"context\":{\"locale\":\"%s\",\"country\":\"%s\",\"device\":\"%s\",\"user_agent\":\"%s\"},\"timestamp\":\"",
        LOCALES[where], COUNTRIES[where], DEVICES[agent], AGENTS[agent]);
    add_time(out, session->next_ms);
    buf_add_text(out, "\"}\n");
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
    bool has_account = mix(session->visitor + 77) % 3 == 0;
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
        view(session, (enum page)NEXT[below(synth, COUNT_OF(NEXT))]);
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
    write_event(synth, out, session);
    session->steps += session->steps < 250;
    if (walk(synth, session))
        session->next_ms += 800 + exponential_ms(synth, session->action == ACT_VIEW ? 24000 : 6000);
    else
        *session = synth->heap[--synth->open];
    heap_sink(synth);
    return true;
}
