/* Any bytes as a domain file: a set, or problems that name the file; no crash, no hang, no leak. */
#include <stdlib.h>

#include "config/domain_reader.h"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct field_plan fields, scratch;
    static struct domain domains[DOMAINS_MAX];
    static struct window windows[WINDOWS_MAX];
    static struct transform transforms[TRANSFORMS_MAX];
    static struct dimension_table tables[DIMENSION_TABLES_MAX];
    static struct lookup_table lookups[DIMENSION_TABLES_MAX];
    struct arena arena;
    struct problems problems;
    problems_init(&problems, false);
    arena_init(&arena, DOMAIN_SET_BYTES_MAX);
    field_plan_init(&fields, &arena);
    struct domain_build build = { .arena = &arena,
                                  .fields = &fields,
                                  .scratch = &scratch,
                                  .domains = domains,
                                  .windows = windows,
                                  .transforms = transforms,
                                  .tables = tables,
                                  .lookups = lookups,
                                  .tables_arena = &arena };
    domains[0] = (struct domain){ .file = SLICE("fuzz.yaml") };
    build.domain_count = 1;
    struct domain_reader reader = {
        .file = { .name = "fuzz.yaml", .text = slice_of(data, size), .problems = &problems },
        .build = &build,
        .directory = "/nowhere",
        .world = world_real(),
        .domain = &domains[0]
    };
    domain_read_file(&reader);
    expect((reader.file.count > 0) == (problems.count > 0));
    if (reader.file.count)
        expect(memcmp(problems.text.p, "fuzz.yaml:", 10) == 0);
    else
        expect(domains[0].name.n > 0);
    for (size_t i = 0; i < build.window_count && !reader.file.count; i++)
        expect(windows[i].id && windows[i].measure_count && windows[i].name.n);
    arena_done(&arena);
    problems_done(&problems);
    return 0;
}
