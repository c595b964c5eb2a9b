/* Plain loops: nothing here is on the path of every event. */
#include "base/encode.h"

void hex_encode(struct slice bytes, char *to)
{
    static const char DIGITS[16] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.n; i++) {
        to[2 * i] = DIGITS[(unsigned char)bytes.p[i] >> 4];
        to[2 * i + 1] = DIGITS[(unsigned char)bytes.p[i] & 15];
    }
}

/* 0 to 15, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct slice text, void *to)
{
    unsigned char *out = to;
    if (text.n % 2)
        return false;
    for (size_t i = 0; i < text.n; i += 2) {
        int high = hex_value(text.p[i]), low = hex_value(text.p[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (unsigned char)(high << 4 | low);
    }
    return true;
}

void base64_encode(struct slice bytes, char *to)
{
    static const char ALPHABET[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.n; i += 3, to += 4) {
        size_t left = bytes.n - i;
        uint32_t bits = (uint32_t)(unsigned char)bytes.p[i] << 16;
        if (left > 1)
            bits |= (uint32_t)(unsigned char)bytes.p[i + 1] << 8;
        if (left > 2)
            bits |= (unsigned char)bytes.p[i + 2];
        to[0] = ALPHABET[bits >> 18];
        to[1] = ALPHABET[bits >> 12 & 63];
        to[2] = left > 1 ? ALPHABET[bits >> 6 & 63] : '=';
        to[3] = left > 2 ? ALPHABET[bits & 63] : '=';
    }
}

/* 0 to 63, or -1. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool base64_decode(struct slice text, void *to, size_t *out_n)
{
    if (text.n && text.n % 4 == 0 && text.p[text.n - 1] == '=')
        text.n -= text.p[text.n - 2] == '=' ? 2 : 1;
    unsigned char *out = to;
    uint32_t bits = 0, have = 0;
    for (size_t i = 0; i < text.n; i++) {
        int value = base64_value(text.p[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *out++ = (unsigned char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    if (have >= 6 || bits)
        return false;
    *out_n = (size_t)(out - (unsigned char *)to);
    return true;
}

bool percent_decode(struct slice text, bool plus_is_space, char *to, size_t *out_n)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = text.n - i > 2 ? hex_value(text.p[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        to[n++] = c;
    }
    *out_n = n;
    return true;
}
