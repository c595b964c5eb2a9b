/* Memory for what hangs on a row. */
#pragma once
#include <stdlib.h>

#include "base/compiler.h"

/* As realloc; out of memory aborts: a sketch is bounded, and a row that forgot something must not go on. */
static inline void *heap_resize(void *block, size_t bytes)
{
    void *again = realloc(block, bytes);
    if (!again)
        abort();
    return again;
}
