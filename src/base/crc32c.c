/* Hardware instruction, three streams interleaved to hide its latency of 3 cycles, joined by a carry-less
 * multiplication done as table look-ups. Blocks of 3 × 1024 bytes; the rest goes one word at a time. On other machines,
 * a table. */
#include "base/crc32c.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78u

static uint32_t table[256];
static uint32_t shift_1k[4][256]; /* crc after 1024 zero bytes, by byte of the crc before */

static uint32_t step_zero_bytes(uint32_t crc, size_t n)
{
    while (n--)
        crc = table[crc & 255] ^ (crc >> 8);
    return crc;
}

__attribute__((constructor)) static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
        table[i] = crc;
    }
    for (uint32_t byte = 0; byte < 4; byte++)
        for (uint32_t i = 0; i < 256; i++)
            shift_1k[byte][i] = step_zero_bytes(i << (8 * byte), 1024);
}

static uint32_t crc_portable(uint32_t crc, const unsigned char *p, size_t n)
{
    while (n--)
        crc = table[(crc ^ *p++) & 255] ^ (crc >> 8);
    return crc;
}

#ifdef __x86_64__
static uint32_t after_1k(uint32_t crc)
{
    return shift_1k[0][crc & 255] ^ shift_1k[1][crc >> 8 & 255] ^ shift_1k[2][crc >> 16 & 255] ^ shift_1k[3][crc >> 24];
}

static uint64_t word_at(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const unsigned char *p, size_t n)
{
    while (n >= 3072) {
        uint64_t a = crc, b = 0, c = 0;
        for (size_t i = 0; i < 1024; i += 8) {
            a = __builtin_ia32_crc32di(a, word_at(p + i));
            b = __builtin_ia32_crc32di(b, word_at(p + 1024 + i));
            c = __builtin_ia32_crc32di(c, word_at(p + 2048 + i));
        }
        crc = after_1k(after_1k((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
        p += 3072;
        n -= 3072;
    }
    uint64_t rest = crc;
    for (; n >= 8; p += 8, n -= 8)
        rest = __builtin_ia32_crc32di(rest, word_at(p));
    crc = (uint32_t)rest;
    while (n--)
        crc = __builtin_ia32_crc32qi(crc, *p++);
    return crc;
}
#endif

uint32_t crc32c(uint32_t seed, const void *bytes, size_t n)
{
    uint32_t crc = ~seed;
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_hardware(crc, bytes, n);
#endif
    return ~crc_portable(crc, bytes, n);
}
