/* Who may do what.
 *
 * Readers: a tenant's read key. Tenants and keys are looked up in a directory that is read again when the catalog's
 * version moved: at once when a key is not found, so that a tenant made a moment ago is never refused, otherwise at
 * most ten times a second, so that creating thousands of tenants does not read thousands of directories.
 *
 * Administration: the token in DATA/admin.token. In the dev environment a request from this machine needs none, unless
 * a web page may have sent it: browsers add Origin to what a page posts elsewhere, and a page that had its own name
 * resolve to 127.0.0.1 (DNS rebinding) is betrayed by the Host header. So: a loopback address, a Host that names
 * loopback, no Origin, and no Sec-Fetch-Site but "none". */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "serve/inside.h"
#include "world/disk.h"

#define REFRESH_INTERVAL_US 100000

void access_refresh(struct serve *serve, bool at_once)
{
    uint64_t version = serve->catalog->backend->version(serve->catalog);
    int64_t now = world_mono_us(serve->world);
    if (serve->directory &&
        (version == serve->directory_version || (!at_once && now - serve->directory_checked_us < REFRESH_INTERVAL_US)))
        return;
    struct directory *fresh;
    struct error err;
    serve->directory_checked_us = now;
    if (serve->catalog->backend->directory(serve->catalog, &fresh, &err) != OK) {
        log_error("api.catalog_unreadable", "%s", err.text);
        return;
    }
    directory_free(serve->directory);
    serve->directory = fresh;
    serve->directory_version = version;
}

static const struct tenant *find_by_key(struct serve *serve, enum key_kind kind, struct slice key)
{
    access_refresh(serve, false);
    const struct tenant *tenant = serve->directory ? directory_authenticate(serve->directory, kind, key) : NULL;
    if (tenant)
        return tenant;
    access_refresh(serve, true);
    return serve->directory ? directory_authenticate(serve->directory, kind, key) : NULL;
}

bool access_query_value(struct slice query, const char *name, char *to, size_t size)
{
    struct slice wanted = slice_from(name);
    while (query.n) {
        const char *amp = memchr(query.p, '&', query.n);
        struct slice pair = slice_of(query.p, amp ? (size_t)(amp - query.p) : query.n);
        query = slice_after(query, pair.n + (amp ? 1 : 0));
        if (!slice_starts(pair, wanted) || pair.n <= wanted.n || pair.p[wanted.n] != '=')
            continue;
        struct slice value = slice_after(pair, wanted.n + 1);
        size_t n;
        if (value.n >= size || !percent_decode(value, true, to, &n) || memchr(to, '\0', n))
            return false;
        to[n] = '\0';
        return true;
    }
    return false;
}

/* The credential in the Authorization header: a Bearer token, or the user of Basic. Into `to`, terminated. */
static bool header_credential(const struct http_exchange *exchange, char *to, size_t size)
{
    struct slice header = slice_trim(http_header(exchange, "authorization"));
    struct slice bearer = SLICE("Bearer "), basic = SLICE("Basic ");
    size_t n = 0;
    if (header.n > bearer.n && slice_equal_nocase(slice_of(header.p, bearer.n), bearer)) {
        struct slice token = slice_trim(slice_after(header, bearer.n));
        n = token.n;
        if (n >= size)
            return false;
        memcpy(to, token.p, n);
    } else if (header.n > basic.n && slice_equal_nocase(slice_of(header.p, basic.n), basic)) {
        struct slice text = slice_trim(slice_after(header, basic.n));
        if (BASE64_DECODED_BYTES_MAX(text.n) >= size || !base64_decode(text, to, &n))
            return false;
        const char *colon = memchr(to, ':', n);
        n = colon ? (size_t)(colon - to) : n;
    }
    to[n] = '\0';
    return n > 0;
}

bool access_key_of(const struct http_exchange *exchange, bool allow_query_key, char *to, size_t size)
{
    return header_credential(exchange, to, size) ||
           (allow_query_key && access_query_value(http_query(exchange), "key", to, size));
}

const struct tenant *access_reader(struct serve *serve, struct http_exchange *exchange, bool allow_query_key)
{
    static const struct answer_extra ASK = { .cors = true, .headers = "WWW-Authenticate: Bearer realm=\"weir\"\r\n" };
    char key[512];
    if (!access_key_of(exchange, allow_query_key, key, sizeof key)) {
        answer_error(serve, exchange, 401, "key_missing",
                     "send the tenant's read key: Authorization: Bearer READ_KEY (in the dev environment: demo_read)",
                     &ASK);
        return NULL;
    }
    const struct tenant *tenant = find_by_key(serve, KEY_READ, slice_from(key));
    if (!tenant && find_by_key(serve, KEY_WRITE, slice_from(key)))
        answer_error(serve, exchange, 403, "wrong_key", "this is a write key; questions need the tenant's read key",
                     &ANSWER_CORS);
    else if (!tenant)
        answer_error(serve, exchange, 401, "key_unknown", "this read key belongs to no tenant", &ASK);
    sodium_memzero(key, sizeof key);
    return tenant;
}

const struct tenant *access_writer(struct serve *serve, struct http_exchange *exchange)
{
    char key[512];
    const bool given = access_key_of(exchange, false, key, sizeof key);
    const struct tenant *tenant = given ? find_by_key(serve, KEY_WRITE, slice_from(key)) : NULL;
    if (!given)
        answer_error(serve, exchange, 401, "key_missing",
                     "send the tenant's write key or the administration token: Authorization: Bearer KEY",
                     &ANSWER_PRIVATE);
    else if (!tenant && find_by_key(serve, KEY_READ, slice_from(key)))
        answer_error(serve, exchange, 403, "wrong_key",
                     "this is a read key; what changes results needs the tenant's write key", &ANSWER_PRIVATE);
    else if (!tenant)
        answer_error(serve, exchange, 401, "key_unknown", "this write key belongs to no tenant", &ANSWER_PRIVATE);
    sodium_memzero(key, sizeof key);
    return tenant;
}

/* "localhost", "127.0.0.1", "[::1]", each with or without a port. */
static bool is_loopback_host(struct slice host)
{
    if (host.n && host.p[0] == '[') {
        const char *close = memchr(host.p, ']', host.n);
        return close && slice_equal(slice_of(host.p, (size_t)(close - host.p) + 1), SLICE("[::1]"));
    }
    const char *colon = memchr(host.p ? host.p : "", ':', host.n);
    struct slice name = slice_of(host.p, colon ? (size_t)(colon - host.p) : host.n);
    return slice_equal_nocase(name, SLICE("localhost")) || slice_equal(name, SLICE("127.0.0.1"));
}

static bool may_come_from_a_page(const struct http_exchange *exchange)
{
    struct slice site = http_header(exchange, "sec-fetch-site");
    return http_header(exchange, "origin").p || (site.p && !slice_equal(site, SLICE("none"))) ||
           !is_loopback_host(slice_trim(http_header(exchange, "host")));
}

/* A page of our own: what it asks for has its own address as Origin, or none. */
static bool is_own_origin(const struct http_exchange *exchange)
{
    struct slice origin = http_header(exchange, "origin"), host = slice_trim(http_header(exchange, "host"));
    struct slice site = http_header(exchange, "sec-fetch-site");
    if (site.p && !slice_equal(site, SLICE("none")) && !slice_equal(site, SLICE("same-origin")))
        return false;
    if (!origin.p)
        return true;
    struct slice http = SLICE("http://"), https = SLICE("https://");
    struct slice scheme = slice_starts(origin, https) ? https : http;
    return slice_starts(origin, scheme) && slice_equal(slice_after(origin, scheme.n), host);
}

bool access_is_at_home(const struct http_exchange *exchange)
{
    return http_is_loopback(exchange) && is_loopback_host(slice_trim(http_header(exchange, "host"))) &&
           is_own_origin(exchange);
}

bool access_is_admin(struct serve *serve, const struct http_exchange *exchange, const char **out_actor)
{
    char token[512];
    if (serve->has_token && header_credential(exchange, token, sizeof token)) {
        unsigned char hash[32];
        crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
        sodium_memzero(token, sizeof token);
        *out_actor = "api:admin";
        return sodium_memcmp(hash, serve->token_hash, sizeof hash) == 0;
    }
    *out_actor = "api:loopback";
    return serve->options.dev && http_is_loopback(exchange) && !may_come_from_a_page(exchange);
}

bool access_admin(struct serve *serve, struct http_exchange *exchange, const char **out_actor)
{
    if (access_is_admin(serve, exchange, out_actor))
        return true;
    bool tried = http_header(exchange, "authorization").p != NULL;
    answer_error(serve, exchange, tried ? 403 : 401, tried ? "not_admin" : "token_missing",
                 tried
                     ? "this is not the administration token: it is in the file admin.token of the data directory"
                     : "send Authorization: Bearer TOKEN, with the token in the file admin.token of the data directory",
                 &ANSWER_PRIVATE);
    return false;
}

static void make_token(struct world *world, char text[44])
{
    unsigned char bytes[20];
    world->random(world, bytes, sizeof bytes);
    memcpy(text, "at_", 3);
    hex_encode(slice_of(bytes, sizeof bytes), text + 3);
    text[43] = '\0';
}

enum status access_open_token(struct serve *serve, struct error *err)
{
    const char *path = serve->options.admin_token_path;
    char *bytes = NULL, made[44];
    size_t n;
    enum status s = disk_read_whole(serve->world->disk, path, 4096, &bytes, &n, err);
    if (s == ERR_NOT_FOUND) {
        make_token(serve->world, made);
        s = disk_replace(serve->world->disk, path, made, strlen(made), err);
        bytes = strdup(made);
        n = strlen(made);
    }
    if (s != OK || !bytes) {
        free(bytes);
        return error_wrap(err, s == OK ? ERR_FULL : s, "the administration token");
    }
    struct slice token = slice_trim(slice_of(bytes, n));
    if (token.n < 20)
        s = error_set(err, ERR_INVALID,
                      "%s holds no token of at least 20 characters: remove the file, a new one is made", path);
    else
        crypto_hash_sha256(serve->token_hash, (const unsigned char *)token.p, token.n);
    serve->has_token = s == OK;
    free(bytes);
    return s;
}
