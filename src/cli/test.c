/* `weir test`: runs the cases of config/tests/ through the real stream in virtual time, without servers. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/json_text.h"
#include "base/log.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "config/problems.h"
#include "trial/coverage.h"
#include "trial/trial.h"
#include "world/disk.h"
#include "world/world.h"

#define FILES_MAX 1000
#define FILE_BYTES_MAX (4u << 20)
#define JUNIT_BYTES_MAX (64u << 20)
#define NEVER_BYTES_MAX (4u << 20)

struct test_options {
    const char *config, *only, *junit;
    bool json, quiet;
    struct args_rest files;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct test_options, config, "config", 'c', "DIR", "config", "directory with domains/ and tests/"),
    ARG_TEXT(struct test_options, only, "only", 'o', "TEXT", NULL, "cases alone whose name has this in it"),
    ARG_TEXT(struct test_options, junit, "junit", 0, "FILE", NULL, "write what happened there, as JUnit's XML"),
    ARG_FLAG(struct test_options, json, "json", 'j', "one JSON object a case, one a line, then the sum"),
    ARG_FLAG(struct test_options, quiet, "quiet", 'q', "failures and the sum alone"),
    ARG_REST(struct test_options, files, "FILE", 0, FILES_MAX, "files of cases; none: all of DIR/tests"),
};

static const struct args_command TEST = {
    .name = "test",
    .summary = "test the domains: given events, expect rows",
    .description =
        "Runs every case through the real stream - ingestion's parser, transforms, windows, sessions - over a "
        "simulated\n"
        "disk and in virtual time: an hour's wait takes no time, and a case may kill the process in its middle. Rows "
        "that\n"
        "differ are shown beside what was expected. Exit code 1 when a case failed, 78 when a file has mistakes.",
    .examples = "  weir test\n  weir test --only refund\n  weir test config/tests/shop.yaml --junit report.xml\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

struct run {
    const struct test_options *options;
    size_t passed, failed;
    struct buf junit;
};

/* ---- what is said ---- */

static void add_xml(struct buf *to, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '&' || c == '<' || c == '>' || c == '"')
            buf_add_format(to, "&#%d;", c);
        else
            buf_add_char(to, c >= 0x20 || c == '\n' || c == '\t' ? (char)c : '?');
    }
}

static void add_junit(struct run *run, const struct trial_result *result)
{
    buf_add_text(&run->junit, "  <testcase classname=\"");
    add_xml(&run->junit, slice_from(result->file));
    buf_add_text(&run->junit, "\" name=\"");
    add_xml(&run->junit, result->name);
    buf_add_format(&run->junit, "\" time=\"%.6f\"", (double)result->took_us / 1e6);
    if (result->passed) {
        buf_add_text(&run->junit, "/>\n");
        return;
    }
    buf_add_text(&run->junit, "><failure message=\"not as expected\">");
    add_xml(&run->junit, result->difference);
    buf_add_text(&run->junit, "</failure></testcase>\n");
}

static void say_json(const struct trial_result *result)
{
    struct buf line;
    buf_init(&line, 4u << 20);
    buf_add_char(&line, '{');
    json_add_field(&line, "file", slice_from(result->file));
    json_add_field_u64(&line, "line", (uint64_t)result->line);
    json_add_field(&line, "case", result->name);
    json_add_key(&line, "passed");
    buf_add_text(&line, result->passed ? "true" : "false");
    json_add_field_u64(&line, "took_us", (uint64_t)result->took_us);
    json_add_field(&line, "difference", result->difference);
    buf_add_char(&line, '}');
    printf("%s\n", buf_text(&line));
    buf_done(&line);
}

static void on_result(void *self, const struct trial_result *result)
{
    struct run *run = self;
    const enum term_style colour = result->passed ? TERM_GREEN : TERM_RED;
    run->passed += result->passed;
    run->failed += !result->passed;
    add_junit(run, result);
    if (run->options->json) {
        say_json(result);
        return;
    }
    if (result->passed && run->options->quiet)
        return;
    printf("%s%s%s %s:%d %.*s %s(%.1f ms)%s\n", term_style(stdout, colour), result->passed ? "ok  " : "FAIL",
           term_style(stdout, TERM_PLAIN), result->file, result->line, SLICE_ARG(result->name),
           term_style(stdout, TERM_DIM), (double)result->took_us / 1e3, term_style(stdout, TERM_PLAIN));
    printf("%.*s", SLICE_ARG(result->difference));
}

/* What no case hit, as lists of names, by kind. */
struct never {
    bool json;
    struct buf lists[COVERAGE_KINDS];
};

static void add_never(void *self, enum coverage_kind kind, struct slice name)
{
    struct never *never = self;
    struct buf *list = &never->lists[kind];
    if (list->n)
        buf_add_text(list, never->json ? "," : ", ");
    if (never->json)
        json_add_string(list, name);
    else
        buf_add_slice(list, name);
}

static void say_never(const struct never *never)
{
    static const char *const WORDS[COVERAGE_KINDS] = { "no case counts anything in", "no case has a value in",
                                                       "no case is changed by", "no case stores an event of",
                                                       "no case breaks the rule" };
    for (int kind = 0; kind < COVERAGE_KINDS; kind++)
        if (never->lists[kind].n)
            printf("%s%s: %.*s%s\n", term_style(stdout, TERM_YELLOW), WORDS[kind],
                   SLICE_ARG(buf_slice(&never->lists[kind])), term_style(stdout, TERM_PLAIN));
}

static void say_sum(const struct run *run, const struct coverage *coverage, int64_t took_us)
{
    struct never never = { .json = run->options->json };
    for (int kind = 0; kind < COVERAGE_KINDS; kind++)
        buf_init(&never.lists[kind], NEVER_BYTES_MAX);
    coverage_never(coverage, add_never, &never);
    if (never.json)
        printf(
            "{\"passed\":%zu,\"failed\":%zu,\"took_us\":%" PRId64 ",\"windows_never_counted\":[%.*s],"
            "\"columns_never_filled\":[%.*s],\"transforms_never_used\":[%.*s],"
            "\"event_types_never_stored\":[%.*s],\"rules_never_broken\":[%.*s]}\n",
            run->passed, run->failed, took_us, SLICE_ARG(buf_slice(&never.lists[COVERAGE_WINDOW])),
            SLICE_ARG(buf_slice(&never.lists[COVERAGE_COLUMN])), SLICE_ARG(buf_slice(&never.lists[COVERAGE_TRANSFORM])),
            SLICE_ARG(buf_slice(&never.lists[COVERAGE_EVENT_TYPE])), SLICE_ARG(buf_slice(&never.lists[COVERAGE_RULE])));
    else
        printf("%s%zu passed, %zu failed%s in %.2f s\n", term_style(stdout, run->failed ? TERM_RED : TERM_GREEN),
               run->passed, run->failed, term_style(stdout, TERM_PLAIN), (double)took_us / 1e6);
    if (!never.json && !run->options->only)
        say_never(&never);
    for (int kind = 0; kind < COVERAGE_KINDS; kind++)
        buf_done(&never.lists[kind]);
}

static int write_junit(struct run *run, int64_t took_us)
{
    FILE *file = fopen(run->options->junit, "w");
    bool written = file != NULL;
    if (file) {
        fprintf(file,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"weir\" tests=\"%zu\" failures=\"%zu\" "
                "time=\"%.6f\">\n",
                run->passed + run->failed, run->failed, (double)took_us / 1e6);
        fwrite(run->junit.p, 1, run->junit.n, file);
        written = fputs("</testsuite>\n", file) >= 0;
        written &= fclose(file) == 0;
    }
    if (!written)
        fprintf(stderr, "weir test: %s cannot be written\n", run->options->junit);
    return written ? EX_OK : EX_CANTCREAT;
}

/* ---- files ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_yaml(const char *name)
{
    size_t n = strlen(name);
    return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".yaml") == 0;
}

/* The paths of DIR/tests, sorted; freed by the caller. */
static size_t list_files(const char *directory, char *paths[FILES_MAX])
{
    char path[DISK_PATH_MAX];
    size_t count = 0;
    const struct dirent *entry;
    snprintf(path, sizeof path, "%s/tests", directory);
    DIR *dir = opendir(path);
    while (dir && count < FILES_MAX && (entry = readdir(dir)) != NULL) {
        if (!is_yaml(entry->d_name))
            continue;
        snprintf(path, sizeof path, "%s/tests/%s", directory, entry->d_name);
        if ((paths[count] = strdup(path)) == NULL)
            abort();
        count++;
    }
    if (dir)
        closedir(dir);
    qsort(paths, count, sizeof *paths, by_name);
    return count;
}

static int run_file(struct run *run, const struct trial_options *options, const char *path)
{
    struct problems problems;
    struct error err;
    char *text = NULL;
    size_t n = 0;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    enum status s = disk_read_whole(world_real()->disk, path, FILE_BYTES_MAX, &text, &n, &err);
    int exit_code = s == OK ? EX_OK : EX_NOINPUT;
    if (s == OK) {
        s = trial_run(options, path, slice_of(text, n), world_real(), on_result, run, &problems, &err);
        exit_code = s == OK ? EX_OK : EX_CONFIG;
    }
    fputs(problems_text(&problems), stderr);
    if (s != OK)
        fprintf(stderr, "weir test: %s\n", err.text);
    problems_done(&problems);
    free(text);
    return exit_code;
}

static struct domain_set *load_domains(const char *directory)
{
    struct domain_set *domains = NULL;
    struct problems problems;
    struct error err;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    if (domain_set_load(directory, world_real(), &domains, &problems, &err) != OK)
        fprintf(stderr, "%sweir test: %s\n", problems_text(&problems), err.text);
    problems_done(&problems);
    return domains;
}

static int run_all(struct run *run, const struct domain_set *domains)
{
    static char *paths[FILES_MAX];
    const struct test_options *options = run->options;
    const struct trial_options trial = { domains, options->only, coverage_new(domains) };
    const int64_t begun_us = world_mono_us(world_real());
    int exit_code = EX_OK;
    const size_t given = (size_t)options->files.count, found = given ? 0 : list_files(options->config, paths);
    for (size_t i = 0; i < (found ? found : given); i++) {
        int of_file = run_file(run, &trial, found ? paths[i] : options->files.items[i]);
        exit_code = of_file ? of_file : exit_code;
    }
    const int64_t took_us = world_mono_us(world_real()) - begun_us;
    if (run->passed + run->failed == 0 && exit_code == EX_OK) {
        fprintf(stderr, "weir test: no case %s in %s/tests (docs/testing.md shows how to write one)\n",
                options->only ? "of that name" : "yet", options->config);
        exit_code = EX_NOINPUT;
    } else if (run->passed + run->failed)
        say_sum(run, trial.coverage, took_us);
    if (options->junit && write_junit(run, took_us) != EX_OK)
        exit_code = exit_code ? exit_code : EX_CANTCREAT;
    for (size_t i = 0; i < found; i++)
        free(paths[i]);
    coverage_free(trial.coverage);
    return exit_code ? exit_code : run->failed ? 1 : EX_OK;
}

int command_test(int argc, char **argv)
{
    struct test_options options;
    struct run run = { .options = &options };
    int exit_code;
    if (!args_parse(&TEST, argc, argv, &options, &exit_code))
        return exit_code;
    struct domain_set *domains = load_domains(options.config);
    if (!domains)
        return EX_CONFIG;
    log_set_level(LOG_ERROR + 1); /* what the stream says of its restarts is not about the case */
    buf_init(&run.junit, JUNIT_BYTES_MAX);
    exit_code = run_all(&run, domains);
    buf_done(&run.junit);
    domain_set_free(domains);
    return exit_code;
}
