/* `weir catalog`: what is deployed, and who changed what. It reads the catalog's file, or asks its server where the
 * settings name one, also while a weir runs on it: what is there is whole at every moment, and nothing is
 * changed here. */
#include <stdio.h>
#include <sysexits.h>

#include "catalog/catalog.h"
#include "cli/args.h"
#include "cli/catalog_print.h"
#include "cli/catalog_there.h"
#include "cli/commands.h"
#include "world/world.h"

struct show_options {
    const char *data, *config, *env, *of;
    int64_t limit;
    bool json, all;
    struct args_rest what;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct show_options, data, "data", 'd', "DIR", NULL,
             "the data directory of weir up or weir serve; default: data, or the server that catalog.url names"),
    ARG_TEXT(struct show_options, env, "env", 'e', "NAME", NULL,
             "the environment whose catalog it is; unless said dev, where that is there"),
    ARG_TEXT(struct show_options, config, "config", 'c', "DIR", "config", "directory with platform.yaml"),
    ARG_FLAG(struct show_options, all, "all", 'a', "also what is out of use"),
    ARG_TEXT(struct show_options, of, "of", 0, "WHAT", NULL,
             "audit: only of a kind (event_type, rule, source, tenant), or of one of these: event_type/purchase"),
    ARG_INTEGER(struct show_options, limit, "limit", 'n', "LINES", "50", 1, 100000, "audit: how many, newest first"),
    ARG_FLAG(struct show_options, json, "json", 'j', "one JSON object instead of a table"),
    ARG_REST(struct show_options, what, "types|rules|sources|audit", 1, 1, "what to show"),
};

static const struct args_command CATALOG = {
    .name = "catalog",
    .summary = "what is deployed, and who changed what",
    .description =
        "types: the event types that are in force, each with its version. rules: validation, windows and "
        "transforms.\n"
        "sources: where events come from. audit: every change with the value before and after.\n"
        "Reads the data directory of weir up or weir serve on this machine, or the PostgreSQL server that the "
        "settings name, also while weir runs.",
    .examples =
        "  weir catalog types\n  weir catalog types --env prod\n  weir catalog audit --of event_type/purchase --json\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

static void on_item(void *self, const struct catalog_item *item)
{
    struct catalog_listing *listing = self;
    if (item->active || listing->all)
        catalog_listing_add(listing, item);
}

static void on_line(void *self, const struct audit_line *line)
{
    catalog_listing_add_audit(self, line);
}

static struct audit_query query_of(const struct show_options *options)
{
    const char *slash = options->of ? strchr(options->of, '/') : NULL;
    struct slice of = slice_from(options->of);
    return (struct audit_query){ .entity_type = slash ? slice_of(of.p, (size_t)(slash - of.p)) : of,
                                 .entity_id = slash ? slice_from(slash + 1) : SLICE(""),
                                 .lines_max = (size_t)options->limit };
}

static enum status list(const struct show_options *options, struct catalog *catalog, struct catalog_listing *listing,
                        struct error *err)
{
    if (listing->what == CATALOG_LIST_AUDIT) {
        const struct audit_query query = query_of(options);
        return catalog->backend->audit_read(catalog, &query, on_line, listing, err);
    }
    return catalog->backend->items(catalog, catalog_listing_kind(listing), on_item, listing, err);
}

static int exit_code_of(enum status s)
{
    return s == OK              ? EX_OK
           : s == ERR_NOT_FOUND ? EX_NOINPUT
           : s == ERR_RETRY     ? EX_UNAVAILABLE
           : s == ERR_INVALID   ? EX_CONFIG
                                : EX_IOERR;
}

static int show(const struct show_options *options, const struct catalog_there *there, struct catalog_listing *listing)
{
    struct catalog *catalog = NULL;
    struct error err;
    enum status s = there->backend->open(&there->options, world_real(), &catalog, &err);
    if (s == OK)
        s = list(options, catalog, listing, &err);
    if (s == OK && !catalog_listing_print(listing))
        s = error_set(&err, ERR_IO, "not all of it was written: ask for less with --limit or --of");
    if (s != OK)
        fprintf(stderr, "weir catalog: %s%s\n", err.text,
                s == ERR_NOT_FOUND && there->options.path
                    ? ": is --data the directory of weir up or weir serve, and did that run once?"
                    : "");
    if (catalog)
        catalog->backend->close(catalog);
    return exit_code_of(s);
}

int command_catalog(int argc, char **argv)
{
    static struct catalog_there there;
    struct show_options options;
    struct catalog_listing listing;
    int exit_code;
    if (!args_parse(&CATALOG, argc, argv, &options, &exit_code))
        return exit_code;
    if (!catalog_listing_init(&listing, options.what.items[0])) {
        fprintf(stderr, "weir catalog: %s is none of types, rules, sources, audit\n", options.what.items[0]);
        catalog_listing_done(&listing);
        return EX_USAGE;
    }
    listing.all = options.all;
    listing.json = options.json;
    listing.whole = listing.what == CATALOG_LIST_AUDIT && options.of && strchr(options.of, '/');
    const struct catalog_request request = {
        .command = "catalog", .config = options.config, .env = options.env, .data = options.data, .usual_data = "data"
    };
    exit_code = catalog_there(&request, &there);
    there.options.read_only = true;
    if (exit_code == EX_OK)
        exit_code = show(&options, &there, &listing);
    catalog_listing_done(&listing);
    return exit_code;
}
