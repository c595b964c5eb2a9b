/* libpq takes the string apart, so that what is checked is what will be used. What it says about a string that it
 * cannot read may quote a piece of a password, so it is told only where it names a parameter of a URL. */
#include "config/catalog_check.h"

#include <libpq-fe.h>
#include <stdio.h>

#define URL "catalog.url"

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val ? options->val : "";
    return "";
}

static bool is_here(struct slice host)
{
    return !host.n || host.p[0] == '/' || host.p[0] == '@' || slice_equal(host, SLICE("localhost")) ||
           slice_equal(host, SLICE("::1")) ||
           (slice_starts(host, SLICE("127.")) && strspn(host.p, "0123456789.") >= host.n);
}

/* Of "a,b,c". */
static bool are_all_here(const char *hosts)
{
    struct slice rest = slice_from(hosts);
    for (;;) {
        const char *comma = memchr(rest.p, ',', rest.n);
        struct slice host = slice_of(rest.p, comma ? (size_t)(comma - rest.p) : rest.n);
        if (!is_here(host))
            return false;
        if (!comma)
            return true;
        rest = slice_after(rest, host.n + 1);
    }
}

/* Without a word about it libpq asks for TLS and goes on without when the answer is no. */
static bool may_be_plain_unseen(const PQconninfoOption *options)
{
    const char *mode = value_of(options, "sslmode"), *address = value_of(options, "hostaddr");
    return (!mode[0] || strcmp(mode, "prefer") == 0 || strcmp(mode, "allow") == 0) &&
           !value_of(options, "service")[0] && !are_all_here(address[0] ? address : value_of(options, "host"));
}

static void look(const struct config *config, const PQconninfoOption *options, struct problems *problems)
{
    if (value_of(options, "password")[0])
        config_tell(config, URL, URL " has a password in it: that is catalog.password, as ${secret:NAME}", problems);
    else if (may_be_plain_unseen(options))
        config_tell(config, URL,
                    URL " names another machine and does not say that TLS must be: add sslmode=verify-full (with "
                        "sslrootcert=FILE where the authority is your own), or sslmode=disable where the network is "
                        "yours alone",
                    problems);
}

static void tell_unreadable(const struct config *config, const char *why, struct problems *problems)
{
    char message[ERROR_TEXT_MAX];
    bool harmless = why && strncmp(why, "invalid URI query parameter", 27) == 0;
    snprintf(message, sizeof message,
             URL " is no connection string such as postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full%s%.*s",
             harmless ? ": " : "", harmless ? (int)strcspn(why, "\n") : 0, why ? why : "");
    config_tell(config, URL, message, problems);
}

void catalog_check(const struct config *config, struct problems *problems)
{
    const struct settings *settings = &config->settings;
    char *why = NULL;
    if (strcmp(settings->catalog_backend, "postgres") != 0)
        return;
    if (!settings->catalog_url[0]) {
        config_tell(config, "catalog.backend", "catalog.backend is postgres, and catalog.url does not say where",
                    problems);
        return;
    }
    PQconninfoOption *options = PQconninfoParse(settings->catalog_url, &why);
    if (options)
        look(config, options, problems);
    else
        tell_unreadable(config, why, problems);
    PQfreemem(why);
    PQconninfoFree(options);
}
