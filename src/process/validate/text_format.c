#include "process/validate/text_format.h"

#include <arpa/inet.h>

#include "base/timestamp.h"
#include "base/uuid.h"

#define EMAIL_BYTES_MAX 254 /* RFC 5321, 4.5.3.1 */
#define EMAIL_LOCAL_MAX 64

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Blanks, controls, and what stands around an address in a text. */
static bool is_bare(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"' || c == ',' || c == ';')
            return false;
    }
    return text.n > 0;
}

/* Labels between dots, none of them empty; letters beyond ASCII are those of internationalized names. */
static bool is_host(struct slice text)
{
    char before = '.';
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '.' ? before == '.' : !(is_letter(c) || is_digit(c) || c == '-' || (unsigned char)c >= 0x80))
            return false;
        before = c;
    }
    return text.n > 0 && text.n <= 253 && before != '.';
}

static bool is_email(struct slice text)
{
    const char *at = text.n ? memrchr(text.p, '@', text.n) : NULL;
    if (!at || text.n > EMAIL_BYTES_MAX)
        return false;
    struct slice local = slice_of(text.p, (size_t)(at - text.p)), host = slice_after(text, local.n + 1);
    return is_bare(local) && local.n <= EMAIL_LOCAL_MAX && !memchr(local.p, '@', local.n) && is_host(host) &&
           memchr(host.p, '.', host.n) != NULL;
}

/* SCHEME://HOST… */
static bool is_url(struct slice text)
{
    size_t n = 0;
    while (n < text.n && (is_letter(text.p[n]) ||
                          (n && (is_digit(text.p[n]) || text.p[n] == '+' || text.p[n] == '-' || text.p[n] == '.'))))
        n++;
    if (n == 0 || !slice_starts(slice_after(text, n), SLICE("://")))
        return false;
    struct slice rest = slice_after(text, n + 3);
    return is_bare(rest) && rest.p[0] != '/' && rest.p[0] != '?' && rest.p[0] != '#';
}

static bool is_date(struct slice text)
{
    int64_t ms;
    return text.n == sizeof "2026-01-31" - 1 && timestamp_parse(text, &ms);
}

static bool is_capitals(struct slice text, size_t n)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 'A' || text.p[i] > 'Z')
            return false;
    return text.n == n;
}

static bool is_ip(struct slice text)
{
    char room[INET6_ADDRSTRLEN];
    uint8_t address[16];
    if (!text.n || text.n >= sizeof room || memchr(text.p, '\0', text.n))
        return false;
    memcpy(room, text.p, text.n);
    room[text.n] = '\0';
    return inet_pton(AF_INET, room, address) == 1 || inet_pton(AF_INET6, room, address) == 1;
}

bool text_has_format(enum event_format format, struct slice text)
{
    uint8_t uuid[UUID_BYTES];
    switch (format) {
    case EVENT_ANY_FORMAT:
    case EVENT_FORMATS:
        return true;
    case EVENT_EMAIL:
        return is_email(text);
    case EVENT_URL:
        return is_url(text);
    case EVENT_UUID:
        return uuid_parse(text, uuid);
    case EVENT_DATE:
        return is_date(text);
    case EVENT_COUNTRY:
        return is_capitals(text, 2);
    case EVENT_CURRENCY:
        return is_capitals(text, 3);
    case EVENT_IP:
        return is_ip(text);
    }
    return true;
}
