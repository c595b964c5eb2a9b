/* What people see of a tenant: one below the other, or a table of all. */
#include "cli/tenant_print.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "cli/term.h"

void tenant_add_member(struct slice json, const char *name, struct buf *out)
{
    struct slice value;
    uint64_t number;
    if (!json_find(json, name, &value))
        return;
    if (value.p[0] == '"') {
        if (!json_scan_string(value, out))
            buf_add_slice(out, value);
    } else if (json_scan_u64(value, &number) && strcmp(name, "created_ms") != 0) {
        term_add_grouped(out, number);
    } else {
        buf_add_slice(out, value);
    }
}

void tenant_print_one(struct slice json)
{
    static const char *const ROWS[][2] = { { "tenant", "tenant" },
                                           { "tier", "tier" },
                                           { "quota_per_minute", "events a minute" },
                                           { "retention_days", "days kept" },
                                           { "placement", "own storage" },
                                           { "write_key", "write key" },
                                           { "read_key", "read key" },
                                           { "olap_user", "engine user" },
                                           { "olap_password", "engine password" },
                                           { "keys_ended", "keys ended" } };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        AUTO(buf) struct buf value;
        buf_init(&value, 1024);
        tenant_add_member(json, ROWS[i][0], &value);
        if (value.n)
            printf("%s%-16s%s %s\n", term_style(stdout, TERM_DIM), ROWS[i][1], term_style(stdout, TERM_PLAIN),
                   buf_text(&value));
    }
}

void tenant_print_list(struct slice json)
{
    static const char *const NAMES[] = { "tenant", "tier", "quota_per_minute", "retention_days", "placement" };
    static const struct term_column COLUMNS[] = { { { "tenant", 6 }, false },
                                                  { { "tier", 4 }, false },
                                                  { { "events a minute", 15 }, true },
                                                  { { "days kept", 9 }, true },
                                                  { { "own storage", 11 }, false } };
    struct slice tenants, *cells = NULL;
    struct json_walk walk;
    size_t count = 0, capacity = 0;
    AUTO(buf) struct buf text, table;
    buf_init(&text, 64 << 20);
    buf_init(&table, 64 << 20);
    if (!json_find(json, "tenants", &tenants))
        return;
    char *room = buf_reserve(&text, tenants.n + 1); /* cells point into it, so it must not move */
    for (json_walk_begin(&walk, tenants); room && json_walk_next(&walk);) {
        if (count + COUNT_OF(NAMES) > capacity) {
            capacity = capacity ? capacity * 2 : 160;
            void *more = realloc(cells, capacity * sizeof *cells);
            if (!more)
                abort();
            cells = more;
        }
        for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
            size_t from = text.n;
            tenant_add_member(walk.value, NAMES[i], &text);
            cells[count++] = slice_of(text.p + from, text.n - from);
        }
    }
    term_add_table(&table, COLUMNS, COUNT_OF(COLUMNS), cells, count / COUNT_OF(NAMES), term_columns());
    fwrite(table.p, 1, table.n, stdout);
    free(cells);
}
