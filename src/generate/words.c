/* The lists are short on purpose: what matters is that values repeat as real ones do, not that they are many. */
#include "generate/words.h"

#include "generate/draw.h"

#define LIST(name, fields, visitor, ...)                                                                               \
    static const char *const name##_ITEMS[] = { __VA_ARGS__ };                                                         \
    const struct word_list name = { fields, name##_ITEMS, COUNT_OF(name##_ITEMS), visitor }
#define LOCAL_LIST(name, fields, visitor, ...)                                                                         \
    static const char *const name##_ITEMS[] = { __VA_ARGS__ };                                                         \
    static const struct word_list name = { fields, name##_ITEMS, COUNT_OF(name##_ITEMS), visitor }

LIST(WORDS_COUNTRY, " country country_code ", true, "US", "DE", "GB", "FR", "JP", "NL", "ES", "BR", "IN", "SE", "AT",
     "PL");
LIST(WORDS_CURRENCY, " currency currency_code ", true, "EUR", "USD", "GBP", "JPY", "SEK", "PLN");
LIST(WORDS_LOCALE, " locale ", true, "en-US", "de-DE", "en-GB", "fr-FR", "ja-JP", "nl-NL", "es-ES", "pt-BR");
LIST(WORDS_DEVICE, " device device_type device_class ", true, "mobile", "desktop", "tablet");
LOCAL_LIST(WORDS_PLATFORM, " platform ", true, "android", "ios", "web", "windows", "console");
LOCAL_LIST(WORDS_OS, " os operating_system ", true, "Android", "iOS", "Windows", "macOS", "Linux");
LOCAL_LIST(WORDS_BROWSER, " browser ", true, "Chrome", "Safari", "Firefox", "Edge");
LOCAL_LIST(WORDS_LANGUAGE, " language lang ", true, "en", "de", "fr", "ja", "es", "nl", "pt");
LOCAL_LIST(WORDS_REGION, " region ", true, "europe", "north_america", "asia", "south_america", "oceania", "africa");
LOCAL_LIST(WORDS_CITY, " city town ", true, "Exampleton", "Sampleville", "Demo City", "Port Placeholder", "Mockford");
LOCAL_LIST(WORDS_PLAN, " plan tier subscription ", true, "free", "standard", "pro", "enterprise");
LOCAL_LIST(WORDS_PAGE, " page path ", false, "/", "/products", "/search", "/cart", "/pricing", "/blog", "/account",
           "/checkout", "/help", "/about");
LOCAL_LIST(WORDS_TITLE, " title ", false, "Home", "Products", "Search", "Cart", "Pricing", "Blog", "Account");
LOCAL_LIST(WORDS_REFERRER, " referrer referer ", false, "https://search.example.com/", "https://news.example.com/",
           "https://social.example.com/", "https://blog.example.org/");
LOCAL_LIST(WORDS_SOURCE, " source utm_source ", false, "search", "newsletter", "social", "partner");
LOCAL_LIST(WORDS_CHANNEL, " channel medium utm_medium ", false, "organic", "email", "cpc", "social", "referral");
LOCAL_LIST(WORDS_CATEGORY, " category ", false, "shoes", "jackets", "bags", "tents", "lamps", "stoves", "maps",
           "ropes");
LOCAL_LIST(WORDS_QUERY, " query search search_term ", false, "rain jacket", "light tent", "trail shoes", "headlamp",
           "gas stove", "dry bag", "wool socks");
LOCAL_LIST(WORDS_METHOD, " method payment_method ", false, "card", "paypal", "transfer", "invoice", "voucher");
LOCAL_LIST(WORDS_STATUS, " status state ", false, "ok", "pending", "failed");
LOCAL_LIST(WORDS_COLOR, " color colour ", false, "black", "blue", "green", "red", "white");

static const struct word_list *const LISTS[] = {
    &WORDS_COUNTRY,  &WORDS_CURRENCY, &WORDS_LOCALE,   &WORDS_DEVICE, &WORDS_PLATFORM, &WORDS_OS,     &WORDS_BROWSER,
    &WORDS_LANGUAGE, &WORDS_REGION,   &WORDS_CITY,     &WORDS_PLAN,   &WORDS_PAGE,     &WORDS_TITLE,  &WORDS_REFERRER,
    &WORDS_SOURCE,   &WORDS_CHANNEL,  &WORDS_CATEGORY, &WORDS_QUERY,  &WORDS_METHOD,   &WORDS_STATUS, &WORDS_COLOR,
};

/* Whether the name, or what stands behind one of its underscores, is among the words of the list. */
static bool names_it(const char *words, struct slice name)
{
    for (size_t from = 0; from < name.n; from++) {
        if (from && name.p[from - 1] != '_')
            continue;
        struct slice tail = slice_after(name, from);
        const char *at = words;
        while ((at = memmem(at, strlen(at), tail.p, tail.n)) != NULL) {
            if (at[-1] == ' ' && at[tail.n] == ' ')
                return true;
            at++;
        }
    }
    return false;
}

const struct word_list *word_list_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(LISTS); i++)
        if (names_it(LISTS[i]->names, name))
            return LISTS[i];
    return NULL;
}

enum person_part person_part_find(struct slice name)
{
    static const struct {
        const char *names;
        enum person_part part;
    } PARTS[] = {
        { " first_name given_name firstname ", PERSON_FIRST_NAME },
        { " last_name family_name surname lastname ", PERSON_LAST_NAME },
        { " full_name customer_name user_name player_name real_name holder recipient ", PERSON_NAME },
        { " email mail e_mail ", PERSON_EMAIL },
        { " username nickname nick handle login ", PERSON_HANDLE },
        { " phone telephone mobile_number ", PERSON_PHONE },
        { " street address ", PERSON_STREET },
    };
    for (size_t i = 0; i < COUNT_OF(PARTS); i++)
        if (names_it(PARTS[i].names, name))
            return PARTS[i].part;
    return PERSON_NONE;
}

static const char *const FIRST_NAMES[] = { "Ada",   "Ben",  "Cleo", "Dan",  "Edda", "Finn", "Gina", "Hugo",
                                           "Ines",  "Jon",  "Kim",  "Lea",  "Max",  "Nora", "Olaf", "Pia",
                                           "Quinn", "Rosa", "Sam",  "Tara", "Udo",  "Vera", "Will", "Xenia",
                                           "Yann",  "Zoe",  "Alma", "Bo",   "Cora", "Dirk", "Emil", "Fay" };
static const char *const LAST_NAMES[] = { "Example", "Sample", "Specimen", "Placeholder",
                                          "Mock",    "Demo",   "Testing",  "Madeup" };

static void add_lower(struct buf *out, const char *word)
{
    for (; *word; word++)
        buf_add_char(out, *word >= 'A' && *word <= 'Z' ? (char)(*word + 32) : *word);
}

void person_add(struct buf *out, enum person_part part, uint64_t person)
{
    uint64_t number = draw_mix(person);
    const char *first = FIRST_NAMES[number % COUNT_OF(FIRST_NAMES)];
    const char *last = LAST_NAMES[(number >> 8) % COUNT_OF(LAST_NAMES)];
    uint64_t serial = (number >> 16) % 100000;
    switch (part) {
    case PERSON_FIRST_NAME:
        buf_add_text(out, first);
        return;
    case PERSON_LAST_NAME:
        buf_add_text(out, last);
        return;
    case PERSON_EMAIL:
    case PERSON_HANDLE:
        add_lower(out, first);
        buf_add_char(out, '.');
        add_lower(out, last);
        buf_add_char(out, '.');
        buf_add_u64(out, serial);
        if (part == PERSON_EMAIL)
            buf_add_text(out, "@example.com");
        return;
    case PERSON_PHONE:
        buf_add_text(out, "+1-555-01");
        buf_add_char(out, (char)('0' + serial / 10 % 10));
        buf_add_char(out, (char)('0' + serial % 10));
        return;
    case PERSON_STREET:
        buf_add_u64(out, serial % 200 + 1);
        buf_add_text(out, " Example Street");
        return;
    case PERSON_NONE:
    case PERSON_NAME:
    case PERSON_PARTS:
        buf_add_text(out, first);
        buf_add_char(out, ' ');
        buf_add_text(out, last);
        return;
    }
}
