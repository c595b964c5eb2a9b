/* Most contexts are passed on as they came: a slice of the body. A new text is written (into the arena, once, with the
 * size known beforehand) when there is an IP to hash, a member of the batch's context to inherit, or a field of the
 * event that has no column of its own. Events without anything share one text per request.
 *
 * An IP never leaves in clear: context.ip, else the event's `ip`, else the batch's context.ip, else the address of the
 * connection, becomes "h_" and the 64 bits of SipHash-2-4 under a salt that changes daily: a keyed hash that nobody can
 * turn round without the key, at a tenth of the price of BLAKE2b. */
#include <sodium.h>

#include "base/encode.h"
#include "event/event_parser.h"
#include "event/event_writer.h"

/* The hash of an address as a JSON string. */
static struct slice hash_ip(struct event_parser *parser, struct slice ip)
{
    if (!parser->request->ip_salt)
        return SLICE("null");
    if (parser->ip_hashed.n && slice_equal(ip, parser->ip_text))
        return parser->ip_hashed;
    unsigned char hash[crypto_shorthash_BYTES];
    char text[4 + 2 * sizeof hash] = "\"h_";
    _Static_assert(crypto_shorthash_KEYBYTES == EVENT_IP_SALT_BYTES, "the salt is the key");
    (void)crypto_shorthash(hash, (const unsigned char *)ip.p, ip.n, parser->request->ip_salt); /* cannot fail */
    hex_encode(slice_of(hash, sizeof hash), text + 3);
    text[sizeof text - 1] = '"';
    struct slice hashed = arena_copy(parser->arena, slice_of(text, sizeof text));
    parser->arena_full |= !hashed.p;
    parser->ip_text = ip;
    parser->ip_hashed = hashed;
    return hashed;
}

/* The address in a value, or empty when it has none. */
static struct slice ip_of(struct event_parser *parser, uint64_t seen, uint64_t bit, const struct json_value *value)
{
    if (!(seen & bit) || value->kind == JSON_NULL)
        return SLICE("");
    if (value->kind != JSON_STRING)
        return value->raw;
    struct slice text = json_text(value, parser->arena);
    parser->arena_full |= !text.p;
    return text.p ? text : SLICE("");
}

/* Whose address is stored, hashed, as JSON; empty: nobody's. */
static struct slice event_ip(struct event_parser *parser, bool has_context)
{
    struct slice ip = SLICE("");
    if (has_context)
        ip = ip_of(parser, parser->context.seen, 1u << CONTEXT_IP, &parser->context_values[CONTEXT_IP]);
    if (!ip.n)
        ip = ip_of(parser, parser->object.seen, KEY_BIT(KEY_IP), &parser->values[KEY_IP]);
    if (!ip.n && parser->batch_context.member_count)
        ip = ip_of(parser, parser->batch_context.seen, 1u << CONTEXT_IP, &parser->batch_values[CONTEXT_IP]);
    if (!ip.n && parser->request->ip_salt)
        ip = parser->request->remote_address;
    return ip.n ? hash_ip(parser, ip) : SLICE("");
}

/* The event's own members, with the hashed address in the place of the clear one. */
static void put_own(struct event_parser *parser, struct writer *w, struct slice ip)
{
    struct slice raw = parser->context.raw;
    const char *at = raw.p + 1, *end = raw.p + raw.n - 1;
    if (parser->context.seen & 1u << CONTEXT_IP) {
        struct slice old = parser->context_values[CONTEXT_IP].raw;
        put(w, slice_of(at, (size_t)(old.p - at)));
        put(w, ip.n ? ip : SLICE("null"));
        at = old.p + old.n;
    }
    put(w, slice_of(at, (size_t)(end - at)));
    w->any = parser->context.member_count > 0;
}

static bool own_has(const struct event_parser *parser, struct slice key)
{
    for (size_t i = 0; i < parser->context.other_count; i++)
        if (slice_equal(parser->context.others[i].key, key))
            return true;
    return false;
}

/* What the batch's context has and the event's has not; addresses aside. */
static void put_inherited(struct event_parser *parser, struct writer *w, bool has_context)
{
    const struct json_object *batch = &parser->batch_context;
    uint64_t own = has_context ? parser->context.seen : 0;
    for (int i = CONTEXT_IP + 1; i < CONTEXT_COUNT; i++)
        if (batch->seen & ~own & 1u << i)
            put_named(w, CONTEXT_KEY_NAMES[i], parser->batch_values[i].raw);
    for (size_t i = 0; i < batch->other_count; i++)
        if (!has_context || !own_has(parser, batch->others[i].key))
            put_member(w, batch->others[i].key, batch->others[i].value.raw);
}

static size_t extra_bytes(const struct event_parser *parser, uint64_t left)
{
    size_t n = 0;
    for (int key = 0; key < KEY_COUNT; key++)
        if (left & KEY_BIT(key))
            n += strlen(event_key_name(parser, (enum event_key)key)) + 4 + parser->values[key].raw.n;
    for (size_t i = 0; i < parser->object.other_count; i++)
        n += parser->object.others[i].key.n + 2 + parser->object.others[i].value.raw.n;
    if (parser->sent_at_kept)
        n += sizeof "\"sentAt\":," + parser->batch_sent_at.raw.n;
    return n;
}

static void put_extra(struct event_parser *parser, struct writer *w, uint64_t left, bool name_taken)
{
    put_named(w, name_taken ? "weir_extra" : "extra", SLICE("{"));
    w->any = false;
    for (int key = 0; key < KEY_COUNT; key++)
        if (left & KEY_BIT(key))
            put_named(w, event_key_name(parser, (enum event_key)key), parser->values[key].raw);
    for (size_t i = 0; i < parser->object.other_count; i++)
        put_member(w, parser->object.others[i].key, parser->object.others[i].value.raw);
    if (parser->sent_at_kept)
        put_named(w, "sentAt", parser->batch_sent_at.raw);
    put(w, SLICE("}"));
    w->any = true;
}

static struct slice take_plain(struct event_parser *parser, struct slice made)
{
    if (made.p)
        parser->plain_context = made;
    return made;
}

struct slice event_context_make(struct event_parser *parser, bool is_group)
{
    bool has_context = parser->object.seen & KEY_BIT(KEY_CONTEXT) && parser->values[KEY_CONTEXT].kind == JSON_OBJECT;
    bool has_batch = parser->batch_context.member_count > 0;
    bool has_group = is_group && parser->object.seen & KEY_BIT(KEY_GROUP_ID_CAMEL);
    if (has_group)
        parser->used |= KEY_BIT(KEY_GROUP_ID_CAMEL);
    uint64_t left = parser->object.seen & ~parser->used;
    bool extra = left || parser->object.other_count || parser->sent_at_kept;
    bool plain = !has_context && !extra && !has_group && !(parser->object.seen & KEY_BIT(KEY_IP));
    if (plain && parser->plain_context.p)
        return parser->plain_context;

    struct slice ip = event_ip(parser, has_context);
    uint64_t own = has_context ? parser->context.seen : 0;
    if (has_context && !extra && !has_group && !has_batch && !ip.n)
        return parser->context.raw;
    size_t n = 128 + ip.n + (has_context ? parser->context.raw.n : 0) + (has_batch ? parser->batch_context.raw.n : 0);
    n += (extra ? extra_bytes(parser, left) : 0) + (has_group ? parser->values[KEY_GROUP_ID_CAMEL].raw.n : 0);
    /* Inherited keys may have been written shorter than their names with quotes are. */
    struct writer w = { .p = arena_take(parser->arena, n + (has_batch ? 16 * CONTEXT_COUNT : 0)) };
    if (!w.p) {
        parser->arena_full = true;
        return (struct slice){ 0 };
    }
    put(&w, SLICE("{"));
    if (has_context)
        put_own(parser, &w, ip);
    if (ip.n && !(own & 1u << CONTEXT_IP))
        put_named(&w, CONTEXT_KEY_NAMES[CONTEXT_IP], ip);
    if (has_batch)
        put_inherited(parser, &w, has_context);
    if (has_group && !(own & 1u << CONTEXT_GROUP_ID))
        put_named(&w, CONTEXT_KEY_NAMES[CONTEXT_GROUP_ID], parser->values[KEY_GROUP_ID_CAMEL].raw);
    if (extra)
        put_extra(parser, &w, left, own & 1u << CONTEXT_EXTRA);
    put(&w, SLICE("}"));
    struct slice made = slice_of(w.p, w.n);
    return plain ? take_plain(parser, made) : made;
}
