/* Memory for tables that are read at random: zeroed, aligned to a cache line, on huge pages where the kernel has them,
 * since otherwise most look-ups would miss the TLB as well as the cache. */
#pragma once
#include "base/compiler.h"

/* NULL when out of memory. */
void *pages_new(size_t bytes);
void pages_free(void *pages, size_t bytes);
