/* Look-ups are a binary search by the whole path as it came, still percent-encoded: what is not in the table letter by
 * letter is not there. The headers of negotiation are read as RFC 9110 has them, as far as a server with two forms of a
 * file needs it. */
#include "serve/pages.h"

/* What the dashboard shows at addresses of its own; it decides by location.pathname. */
static const char *const DASHBOARD_ROUTES[] = { "/domains", "/explore", "/events", "/stream",
                                                "/quality", "/sql",     "/setup" };

static int compare(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

const struct page *page_find(const struct page_table *table, struct slice path)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(path, slice_from(table->pages[middle].path));
        if (order == 0)
            return &table->pages[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* The shop navigates by the history API below its own address; a reload there is the shop again. */
static bool is_shop_route(struct slice path)
{
    return slice_starts(path, SLICE("/shop/")) && !memchr(path.p, '.', path.n) && !memchr(path.p, '%', path.n);
}

const struct page *page_for(const struct page_table *table, struct slice path)
{
    const struct page *page = page_find(table, path);
    if (page)
        return page;
    for (size_t i = 0; i < COUNT_OF(DASHBOARD_ROUTES); i++)
        if (slice_equal(path, slice_from(DASHBOARD_ROUTES[i])))
            return page_find(table, SLICE("/"));
    return is_shop_route(path) ? page_find(table, SLICE("/shop/")) : NULL;
}

/* The next element of a comma-separated list, trimmed; false at its end. */
static bool next_element(struct slice *list, struct slice *out)
{
    if (list->n == 0)
        return false;
    const char *comma = memchr(list->p, ',', list->n);
    size_t n = comma ? (size_t)(comma - list->p) : list->n;
    *out = slice_trim(slice_of(list->p, n));
    *list = slice_after(*list, n + (comma ? 1 : 0));
    return true;
}

/* ";q=0", ";q=0.0" and the like: the coding is refused. */
static bool is_refused(struct slice parameters)
{
    const char *q = memmem(parameters.p, parameters.n, "q=", 2);
    if (!q)
        return false;
    struct slice value = slice_after(parameters, (size_t)(q - parameters.p) + 2);
    for (size_t i = 0; i < value.n && value.p[i] != ';' && value.p[i] != ' '; i++)
        if (value.p[i] != '0' && value.p[i] != '.')
            return false;
    return true;
}

bool page_accepts_gzip(struct slice accept_encoding)
{
    bool any = false;
    for (struct slice element; next_element(&accept_encoding, &element);) {
        const char *semicolon = element.n ? memchr(element.p, ';', element.n) : NULL;
        size_t n = semicolon ? (size_t)(semicolon - element.p) : element.n;
        struct slice coding = slice_trim(slice_of(element.p, n));
        bool refused = is_refused(slice_after(element, n));
        if (slice_equal_nocase(coding, SLICE("gzip")) || slice_equal_nocase(coding, SLICE("x-gzip")))
            return !refused;
        if (slice_equal(coding, SLICE("*")))
            any = !refused;
    }
    return any;
}

static struct slice strip_weak(struct slice tag)
{
    return slice_starts(tag, SLICE("W/")) ? slice_after(tag, 2) : tag;
}

bool page_etag_matches(struct slice if_none_match, struct slice etag)
{
    for (struct slice element; next_element(&if_none_match, &element);)
        if (slice_equal(element, SLICE("*")) || slice_equal(strip_weak(element), strip_weak(etag)))
            return true;
    return false;
}
