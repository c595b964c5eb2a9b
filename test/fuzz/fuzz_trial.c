/* Any bytes as a file of cases: problems that name the file, or cases whose events are JSON; no crash, no hang, no
 * leak. Nothing is run. */
#include <stdlib.h>

#include "base/json_scan.h"
#include "trial/trial_file.h"
#include "trial/trial_json.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct domain_set domains;
    struct problems problems;
    struct buf json;
    problems_init(&problems, false);
    buf_init(&json, 16 << 20);
    struct yaml_file file = { .name = "fuzz.yaml", .text = slice_of(data, size), .problems = &problems };
    struct fy_document *document = yaml_parse(&file);
    struct fy_node *top = document ? yaml_follow(fy_document_root(document)) : NULL;
    if (top)
        trial_check(&file, top, &domains);
    expect((file.count > 0) == (problems.count > 0));
    if (!file.count)
        trial_add_json(top, &json);
    expect(json.full || file.count || json_is_whole(buf_slice(&json)));
    fy_document_destroy(document);
    buf_done(&json);
    problems_done(&problems);
    return 0;
}
