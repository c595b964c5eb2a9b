/* The key under which IP addresses are hashed: changes at midnight UTC, so that an address cannot be followed from day
 * to day, and is the same in every process that has the secret. Whoever destroys the secret makes all the hashes
 * meaningless. One owner, one thread. */
#pragma once
#include "base/compiler.h"
#include "event/event_parse.h"

struct ip_salt {
    uint8_t secret[32];
    int64_t day; /* days since 1970 of `salt` */
    uint8_t salt[EVENT_IP_SALT_BYTES];
};

/* secret: of the installation, 32 random bytes that are kept as a file of their own, or made at each start. */
void ip_salt_init(struct ip_salt *salt, const uint8_t secret[32]);
/* For event_request.ip_salt; valid until the next call. */
const uint8_t *ip_salt_at(struct ip_salt *salt, int64_t now_ms);
