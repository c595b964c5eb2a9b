/* Where clients put their key (the table in README.md). What cannot be decoded is taken as it stands: it is nobody's
 * key, and the answer says "unknown" instead of "missing". */
#include "base/encode.h"
#include "ingest/request.h"

/* The part behind `scheme` and blanks; false when the header has another scheme. */
static bool has_scheme(struct slice header, struct slice scheme, struct slice *out_rest)
{
    if (header.n <= scheme.n || !slice_equal_nocase((struct slice){ header.p, scheme.n }, scheme) ||
        header.p[scheme.n] != ' ')
        return false;
    *out_rest = slice_trim(slice_after(header, scheme.n));
    return true;
}

/* user:password in base64; the user is the key, the password is not looked at. */
static struct slice basic_user(struct slice text, char space[CREDENTIAL_MAX])
{
    size_t n = 0;
    if (BASE64_DECODED_BYTES_MAX(text.n) > CREDENTIAL_MAX || !base64_decode(text, space, &n))
        return text;
    const char *colon = n ? memchr(space, ':', n) : NULL;
    return slice_of(space, colon ? (size_t)(colon - space) : n);
}

struct slice credential_of_headers(const struct ingest_request *request, char space[CREDENTIAL_MAX])
{
    struct slice rest, found = { 0 };
    if (has_scheme(request->authorization, SLICE("Basic"), &rest))
        found = basic_user(rest, space);
    else if (has_scheme(request->authorization, SLICE("Bearer"), &rest))
        found = rest;
    return found.n ? found : slice_trim(request->write_key);
}

struct slice credential_of_query(struct slice query, char space[CREDENTIAL_MAX])
{
    const struct slice names[] = { SLICE("key="), SLICE("writeKey=") };
    while (query.n) {
        const char *end = memchr(query.p, '&', query.n);
        struct slice part = { query.p, end ? (size_t)(end - query.p) : query.n };
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            if (!slice_starts(part, names[i]))
                continue;
            struct slice value = slice_after(part, names[i].n);
            size_t n;
            return value.n <= CREDENTIAL_MAX && percent_decode(value, true, space, &n) ? slice_of(space, n) : value;
        }
        query = slice_after(query, end ? part.n + 1 : part.n);
    }
    return (struct slice){ 0 };
}
