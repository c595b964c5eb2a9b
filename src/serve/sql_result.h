/* What the engine answered (format JSONCompact) as our answer: {"columns":[{"name","type"}],"rows":[[…]],…}. Values are
 * handed on byte for byte, so 64-bit integers keep every digit (as JSON numbers; a client whose numbers are doubles
 * asks for toString(x)). Any thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"

struct sql_result_options {
    uint32_t rows_max;
    bool cut;           /* the text was cut at a bound: the rows that are whole are taken */
    int64_t elapsed_us; /* put into the answer */
};

/* Adds to out. ERR_CORRUPT: not such an answer. ERR_RETRY: the engine broke off in the middle; its words are in err.
 * ERR_FULL: out is full. */
MUST_CHECK enum status sql_result_write(struct slice engine_json, const struct sql_result_options *options,
                                        struct buf *out, struct error *err);

/* The engine's error text without its decoration: "Code: 47. DB::Exception: Unknown … (UNKNOWN_IDENTIFIER) (version …)"
 * becomes "Unknown …". At most about 1,000 bytes. */
void sql_error_clean(struct slice engine_text, struct buf *out);

/* What an engine's error number means to the caller. */
struct sql_verdict {
    unsigned http_status;
    const char *code;
    bool engine_words; /* the engine's own message helps the person who asked */
};
struct sql_verdict sql_verdict_of(long exception_code, long http_status);
/* What may be done about it, to stand behind the engine's words; "" where they say enough. */
const char *sql_error_hint(long exception_code);
