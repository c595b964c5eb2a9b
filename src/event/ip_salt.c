/* salt = BLAKE2b(key: secret, text: the day's number). Nothing has to be stored or agreed on but the secret. */
#include "event/ip_salt.h"

#include <sodium.h>

#define DAY_MS 86400000

void ip_salt_init(struct ip_salt *salt, const uint8_t secret[32])
{
    *salt = (struct ip_salt){ .day = INT64_MIN };
    memcpy(salt->secret, secret, sizeof salt->secret);
}

const uint8_t *ip_salt_at(struct ip_salt *salt, int64_t now_ms)
{
    int64_t day = now_ms >= 0 ? now_ms / DAY_MS : -1;
    if (day != salt->day) {
        int failed = crypto_generichash(salt->salt, sizeof salt->salt, (const unsigned char *)&day, sizeof day,
                                        salt->secret, sizeof salt->secret);
        assert(!failed);
        salt->day = day;
    }
    return salt->salt;
}
