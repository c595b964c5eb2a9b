#include "config/engine_check.h"

#include <stdio.h>

static void tell(const struct config *config, struct problems *problems, const char *why)
{
    char message[ERROR_TEXT_MAX];
    snprintf(message, sizeof message, "engine.url is %.200s: %s", config->settings.engine_url, why);
    config_tell(config, "engine.url", message, problems);
}

/* Of "host:port/": "host". Without an end of its own: "[::1". */
static struct slice host_of(struct slice place)
{
    bool bracket = slice_starts(place, SLICE("["));
    size_t n = 0;
    while (n < place.n && place.p[n] != '/' && place.p[n] != (bracket ? ']' : ':'))
        n++;
    return slice_of(place.p, n);
}

static bool is_loopback(struct slice host)
{
    return slice_equal(host, SLICE("localhost")) || slice_equal(host, SLICE("[::1")) ||
           (slice_starts(host, SLICE("127.")) && strspn(host.p, "0123456789.") >= host.n);
}

void engine_check(const struct config *config, struct problems *problems)
{
    struct slice url = slice_from(config->settings.engine_url);
    bool plain = slice_starts(url, SLICE("http://"));
    if (!url.n)
        return;
    if (!plain && !slice_starts(url, SLICE("https://"))) {
        tell(config, problems, "it must begin with http:// or https://");
        return;
    }
    struct slice place = slice_after(url, plain ? 7 : 8), host = host_of(place);
    const char *slash = memchr(place.p, '/', place.n);
    if (!host.n || memchr(place.p, '@', place.n) || (slash && slash != place.p + place.n - 1))
        tell(config, problems, "it must name HOST:PORT and nothing else; the password is engine.password");
    else if (plain && !is_loopback(host) && !config->settings.engine_allow_plain_http)
        tell(config, problems,
             "http to another machine shows events and passwords to everybody on the way: use https, or set "
             "engine.allow_plain_http: true where the network is yours alone");
}
