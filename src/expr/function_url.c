/* Parts of a URL, as a person reads them: scheme://user@host:port/path?query#fragment. No normalising beyond small
 * letters in the host; a text without :// is a path. */
#include "base/encode.h"
#include "expr/functions.h"

static size_t find_any(struct slice s, const char *set)
{
    size_t n = 0;
    while (n < s.n && !strchr(set, s.p[n] ? s.p[n] : ' '))
        n++;
    return n;
}

/* Cuts "scheme://authority" off the front of *rest; false when there is none. */
static bool take_authority(struct slice *rest, struct slice *out)
{
    size_t slash = find_any(*rest, "/?#");
    if (slash > 0 && (rest->p[slash - 1] != ':' || slash == 1))
        return false;
    if (rest->n < slash + 2 || rest->p[slash] != '/' || rest->p[slash + 1] != '/')
        return false;
    *rest = slice_after(*rest, slash + 2);
    size_t n = find_any(*rest, "/?#");
    *out = slice_of(rest->p, n);
    *rest = slice_after(*rest, n);
    return true;
}

static struct slice host_of(struct slice authority)
{
    const char *at = authority.n ? memrchr(authority.p, '@', authority.n) : NULL;
    if (at)
        authority = slice_after(authority, (size_t)(at + 1 - authority.p));
    if (authority.n && authority.p[0] == '[') { /* IPv6, with its brackets */
        const char *close = memchr(authority.p, ']', authority.n);
        return close ? slice_of(authority.p, (size_t)(close + 1 - authority.p)) : authority;
    }
    return slice_of(authority.p, find_any(authority, ":"));
}

FUNCTION(host)
{
    (void)count;
    struct slice rest = slice_trim(value_slice(a[0])), authority;
    if (!take_authority(&rest, &authority))
        return value_null(REASON_UNREADABLE);
    struct value host = value_text(host_of(authority));
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] >= 'A' && host.p[i] <= 'Z')
            return function_lower(&host, 1, arena);
    return host.n ? host : value_null(REASON_UNREADABLE);
}

FUNCTION(path)
{
    (void)count;
    (void)arena;
    struct slice rest = slice_trim(value_slice(a[0])), authority;
    bool absolute = take_authority(&rest, &authority);
    rest.n = find_any(rest, "?#");
    return absolute && rest.n == 0 ? value_text(SLICE("/")) : value_text(rest);
}

static struct value decoded(struct slice s, struct arena *arena)
{
    if (!memchr(s.p, '%', s.n) && !memchr(s.p, '+', s.n))
        return value_text(s);
    if (s.n > VALUE_TEXT_MAX)
        return value_null(REASON_TOO_LONG);
    char *room = arena_take(arena, s.n);
    size_t n;
    if (!room)
        return value_null(REASON_TOO_LONG);
    return percent_decode(s, true, room, &n) ? value_text(slice_of(room, n)) : value_text(s);
}

FUNCTION(query)
{
    (void)count;
    struct slice rest = value_slice(a[0]), wanted = value_slice(a[1]);
    rest = slice_after(rest, find_any(rest, "?#"));
    if (!rest.n || rest.p[0] != '?')
        return value_null(REASON_MISSING);
    rest = slice_after(rest, 1);
    rest.n = find_any(rest, "#");
    while (rest.n) {
        struct slice pair = slice_of(rest.p, find_any(rest, "&"));
        rest = slice_after(rest, pair.n < rest.n ? pair.n + 1 : pair.n);
        size_t equals = find_any(pair, "=");
        if (slice_equal(slice_of(pair.p, equals), wanted))
            return decoded(slice_after(pair, equals < pair.n ? equals + 1 : equals), arena);
    }
    return value_null(REASON_MISSING);
}
