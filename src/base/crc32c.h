/* CRC32C (Castagnoli), the checksum of everything that we write to disk. */
#pragma once
#include "base/compiler.h"

/* seed: 0, or the checksum of the bytes before, to go on. */
uint32_t crc32c(uint32_t seed, const void *bytes, size_t n);
