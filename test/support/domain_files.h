/* Domain files on a simulated disk, and what became of them. One thread; between DOMAIN_TEST's setup and teardown. */
#pragma once
#include "base/test.h"
#include "config/domain.h"
#include "config/problems.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

struct domain_files {
    struct world_sim sim;
    struct disk_sim *disk;
    struct problems problems; /* of the last load */
    struct domain_set *set;   /* NULL when there were any */
    struct error err;
};
extern struct domain_files domain_files;

void domain_files_put(const char *name, const char *text);
/* All that was put. */
enum status domain_files_load(void);
/* The text as web.yaml beside them. */
enum status domain_files_load_text(const char *text);
/* …which is right; fails the test with its problems otherwise, and returns the set. */
const struct domain_set *domain_files_expect_fine(const char *text);
/* …which is wrong, and this part is in what is said of it. */
void domain_files_expect_wrong(const char *text, const char *part);
void domain_files_expect_problem(const char *part);

int domain_files_begin(void **state);
int domain_files_end(void **state);
#define DOMAIN_TEST(name) cmocka_unit_test_setup_teardown(name, domain_files_begin, domain_files_end)
