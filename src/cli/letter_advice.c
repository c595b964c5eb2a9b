/* One row a reason. The unit test asks that every verdict of ingestion has one. */
#include "cli/letter_advice.h"

#include "base/compiler.h"

#define MEND "replay it with --set FIELD=VALUE, or with --filter and a command that mends it"

static const struct advice {
    const char *reason, *text;
} ADVICE[] = {
    { "missing_field", "the field is required: correct the sender, then " MEND },
    { "bad_type", "the field has the wrong kind of value: correct the sender, then " MEND },
    { "bad_id", "ids have at most 256 bytes (event_type 128) and no control characters: " MEND },
    { "bad_timestamp", "write times as 2025-01-21T10:30:00.000Z or Unix (milli)seconds: " MEND },
    { "too_far_in_future", "the sender's clock is ahead: replay once that time has come, or " MEND },
    { "older_than_retention",
      "raise the tenant's retention (`weir tenant update NAME --retention DAYS`), then replay" },
    { "tenant_mismatch", "it was sent with another tenant's key: replay with --key of the tenant that it names" },
    { "unauthorized", "this tenant wants a key: replay with --key, its write key" },
    { "event_too_large", "split it, or leave large values out (--filter): an event has at most 64 KiB as sent" },
    { "too_deep", "flatten it (--filter): at most 32 levels of objects and arrays" },
    { "too_many_fields", "an object has at most 1,000 keys, an event 10,000 values: make a list of them (--filter)" },
    { "bad_json", "it is not JSON: correct the sender; --filter with a command that mends the bytes can replay it" },
    { "bad_utf8", "it is not UTF-8: `--filter 'iconv -f latin1 -t utf-8'` mends text of Western Europe" },
    { "duplicate_field", "a field is there twice: a --filter that reads and writes JSON (jq -c .) keeps the last" },
    { "too_many_events", "the request had more than 10,000 events: send the rest again in smaller requests" },
    { "bad_record",
      "a record of a foreign topic could not be read (see the message): mend its sender or its schema, and send "
      "it again" },
    { "bad_format", "the text does not look as its domain says: correct the sender, then " MEND },
    { "not_allowed",
      "the domain has a list of values for this field: correct the sender, or add it there, then " MEND },
    { "unknown_field", "the domain does not declare this field: declare it, or replay it with --set FIELD=" },
    { "out_of_range", "the value is beyond the domain's bounds: correct the sender, or the bounds, then " MEND },
    { "rule_failed", "it breaks a rule of its domain (the field is the rule's name): correct the sender, then " MEND },
    { "corrupt_record", "the journal holds bytes that are no event: nothing to replay; check the disk" },
    { "unreadable_record", "the journal holds bytes that are no event: nothing to replay; check the disk" },
    { "refused_by_store",
      "the engine refused the row (see the message); sessions and windows have counted it already" },
    { "script_limit", "the transform's script took too long or too much memory: mend it in the domain, then replay" },
    { "script_failed", "the transform's script failed: mend it in the domain, then replay" },
    { "no_room", "its batch was too large at that moment: replay it as it is" },
    { "too_long", "a transform made a text of more than 64 KiB: mend it in the domain, then replay" },
};

const char *letter_advice(struct slice stage, struct slice reason)
{
    if (slice_equal(stage, SLICE("transform")) &&
        (slice_equal(reason, SLICE("bad_type")) || slice_equal(reason, SLICE("event_too_large"))))
        return "a transform made something that no event may have: mend it in the domain, then replay";
    if (slice_equal(stage, SLICE("quarantine")))
        return "look at it: `weir dead-letters replay ID` releases it as it is; with --set FIELD=VALUE it is mended "
               "first";
    for (size_t i = 0; i < COUNT_OF(ADVICE); i++)
        if (slice_equal(reason, slice_from(ADVICE[i].reason)))
            return ADVICE[i].text;
    return "correct what the message names, then replay it";
}
