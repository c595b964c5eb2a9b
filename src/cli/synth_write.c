/* What a visitor does, as JSON. What a visitor is (device, country, language, whether they have an account) is a hash
 * of their number, so nothing needs to be remembered about them. */
#include "base/json_text.h"
#include "base/timestamp.h"
#include "cli/synth_parts.h"

static const char *const CATEGORIES[] = { "shoes", "jackets", "bags", "tents", "lamps", "stoves", "maps", "ropes" };
static const char *const REFERRER_URLS[REFERRERS] = { "",
                                                      "",
                                                      "",
                                                      "https://www.google.com/",
                                                      "https://www.google.com/",
                                                      "https://duckduckgo.com/",
                                                      "https://news.ycombinator.com/",
                                                      "https://www.instagram.com/",
                                                      "https://newsletter.example/",
                                                      "https://www.bing.com/" };
static const struct {
    const char *name, *source, *medium, *referrer;
} CAMPAIGN_FACTS[CAMPAIGNS] = {
    { NULL, NULL, NULL, NULL },
    { "spring_sale", "google", "cpc", "https://www.google.com/" },
    { "newsletter_42", "newsletter", "email", "https://newsletter.example/" },
    { "retargeting", "instagram", "social", "https://www.instagram.com/" },
    { "first_snow", "newsletter", "email", "https://newsletter.example/" },
};
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
    return 495 + (uint32_t)(synth_mix(product) % 24000) / 100 * 100;
}

/* Where the visitor came from: told by the first page alone. */
static void add_origin(struct buf *out, const struct session *session)
{
    const char *referrer = REFERRER_URLS[session->referrer];
    if (session->campaign)
        referrer = CAMPAIGN_FACTS[session->campaign].referrer;
    if (referrer[0])
        json_add_field(out, "referrer", slice_from(referrer));
    if (!session->campaign)
        return;
    json_add_field(out, "utm_source", slice_from(CAMPAIGN_FACTS[session->campaign].source));
    json_add_field(out, "utm_medium", slice_from(CAMPAIGN_FACTS[session->campaign].medium));
    json_add_field(out, "utm_campaign", slice_from(CAMPAIGN_FACTS[session->campaign].name));
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
        if (session->steps == 0)
            add_origin(out, session);
        if (session->page == PAGE_SEARCH)
            json_add_field(out, "query", slice_from(SEARCHES[synth_below(synth, COUNT_OF(SEARCHES))]));
        break;
    case ACT_CLICK:
        buf_add_format(out, ",\"element\":\"%s\"", synth_below(synth, 3) ? "gallery" : "reviews");
        break;
    case ACT_ADD:
    case ACT_PURCHASE:
    case ACT_ABANDON:
        buf_add_format(
            out,
            ",\"product_id\":\"%s-%03u\",\"category\":\"%s\",\"quantity\":%u,\"amount\":%u.%02u,\"amount_cents\":%u,"
            "\"currency\":\"EUR\"",
            category, session->product, category, session->in_cart, cents * session->in_cart / 100,
            cents * session->in_cart % 100, cents * session->in_cart);
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

void synth_write(struct synth *synth, struct buf *out, const struct session *session)
{
    static const char *const TYPES[] = { "page_view", "click", "add_to_cart", "login", "purchase", "cart_abandon" };
    uint64_t who = synth_mix(session->visitor ^ synth->options.seed << 32);
    size_t where = who % COUNT_OF(LOCALES), agent = (who >> 8) % COUNT_OF(AGENTS);
    buf_add_text(out, "{");
    if (synth->options.customer_id[0])
        json_add_field(out, "customer_id", slice_from(synth->options.customer_id));
    json_add_key(out, "event_id");
    buf_add_char(out, '"');
    add_id(out, session->next_ms, synth_random(synth), synth_random(synth));
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
