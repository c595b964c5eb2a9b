/* One pass over argv, left to right. Words that are not options are moved to the end of argv in their order (as getopt
 * does), so that the rest is a plain run of pointers and nothing is allocated.
 *
 * Defaults are text and take the same way as typed values: a default that its own parser refuses is a programmer's
 * mistake and asserted, so that it cannot hide until somebody asks for --help. */
#include "cli/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/slice.h"
#include "cli/term.h"

#define HELP_CELLS 30 /* before an option's words */

static const struct args_visitor *visitor_now;

void args_set_visitor(const struct args_visitor *visitor)
{
    visitor_now = visitor;
}

int args_usage_error(const struct args_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "weir %s: ", command->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nTry: weir %s --help\n", command->name);
    va_end(arguments);
    return EX_USAGE;
}

bool args_read_integer(const char *text, int64_t *out_value)
{
    char digits[32];
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '_' && n > 0)
            continue;
        if (n + 1 >= sizeof digits)
            return false;
        digits[n++] = *p;
    }
    digits[n] = '\0';
    if (n == 0 || (digits[0] != '-' && (digits[0] < '0' || digits[0] > '9')))
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(digits, &end, 10);
    if (errno || *end || end == digits)
        return false;
    *out_value = value;
    return true;
}

/* A number, then a unit out of the table; scaled. */
struct unit {
    const char *name;
    double factor;
};

static bool read_with_unit(const char *text, const struct unit *units, size_t count, double *out_value)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (errno || end == text || strpbrk(text, "xXpP"))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(end, units[i].name) == 0) {
            *out_value = value * units[i].factor;
            return *out_value < 9e18;
        }
    }
    return false;
}

bool args_read_bytes(const char *text, uint64_t *out_bytes)
{
    static const struct unit UNITS[] = { { "", 1 },
                                         { "b", 1 },
                                         { "k", 1024 },
                                         { "kb", 1024 },
                                         { "kib", 1024 },
                                         { "m", 1048576 },
                                         { "mb", 1048576 },
                                         { "mib", 1048576 },
                                         { "g", 1073741824.0 },
                                         { "gb", 1073741824.0 },
                                         { "gib", 1073741824.0 },
                                         { "t", 1099511627776.0 },
                                         { "tb", 1099511627776.0 },
                                         { "tib", 1099511627776.0 } };
    double value;
    if (!read_with_unit(text, UNITS, COUNT_OF(UNITS), &value))
        return false;
    *out_bytes = (uint64_t)value;
    return true;
}

bool args_read_duration(const char *text, int64_t *out_ms)
{
    static const struct unit UNITS[] = { { "", 1000 },   { "ms", 1 },      { "s", 1000 },
                                         { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    double value;
    if (!read_with_unit(text, UNITS, COUNT_OF(UNITS), &value))
        return false;
    *out_ms = (int64_t)value;
    return true;
}

static bool read_percent(const char *text, double *out_percent)
{
    static const struct unit UNITS[] = { { "", 1 }, { "%", 1 } };
    double value;
    if (!read_with_unit(text, UNITS, COUNT_OF(UNITS), &value) || value > 100)
        return false;
    *out_percent = value;
    return true;
}

/* value_name "a|b|c": is text one of them? */
static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = choices; p;) {
        const char *bar = strchr(p, '|');
        size_t length = bar ? (size_t)(bar - p) : strlen(p);
        if (length == n && memcmp(p, text, n) == 0)
            return true;
        p = bar ? bar + 1 : NULL;
    }
    return false;
}

static bool in_range(const struct arg *arg, double value)
{
    return arg->max == 0 || (value >= (double)arg->min && value <= (double)arg->max);
}

/* Stores text as the value of arg. False: not such a value; *out_wanted says what it should be. */
static bool store(const struct arg *arg, const char *text, void *values, const char **out_wanted)
{
    void *to = (char *)values + arg->offset;
    *out_wanted = arg->value_name;
    switch (arg->kind) {
    case ARG_KIND_TEXT:
        if (strchr(arg->value_name, '|') && !is_choice(arg->value_name, text))
            return false;
        *(const char **)to = text;
        return true;
    case ARG_KIND_INTEGER:
        *out_wanted = "a whole number";
        int64_t integer;
        if (!args_read_integer(text, &integer))
            return false;
        if (integer < arg->min || integer > arg->max)
            return false;
        *(int64_t *)to = integer;
        return true;
    case ARG_KIND_REAL: {
        char *end;
        *out_wanted = "a number";
        double real = strtod(text, &end);
        if (end == text || *end)
            return false;
        *(double *)to = real;
        return true;
    }
    case ARG_KIND_PERCENT:
        *out_wanted = "a percentage from 0 to 100 such as 0.1%";
        return read_percent(text, to);
    case ARG_KIND_BYTES:
        *out_wanted = "a size such as 64K, 10MB or 1GiB";
        return args_read_bytes(text, (uint64_t *)to) && in_range(arg, (double)*(uint64_t *)to);
    case ARG_KIND_DURATION:
        *out_wanted = "a duration such as 250ms, 30s, 5m, 2h or 7d";
        return args_read_duration(text, (int64_t *)to) && in_range(arg, (double)*(int64_t *)to);
    case ARG_KIND_TEXTS: {
        struct args_texts *texts = to;
        *out_wanted = "to be given 32 times at most";
        if (texts->count == ARGS_TEXTS_MAX)
            return false;
        texts->items[texts->count++] = text;
        return true;
    }
    case ARG_KIND_FLAG:
    case ARG_KIND_REST:
        break;
    }
    assert(!"a kind without a text value");
    return false;
}

static bool store_or_say(const struct args_command *command, const struct arg *arg, const char *text, const char *from,
                         void *values, int *out_exit_code)
{
    const char *wanted;
    if (store(arg, text, values, &wanted))
        return true;
    char range[96] = "";
    if (arg->kind == ARG_KIND_INTEGER)
        snprintf(range, sizeof range, " from %lld to %lld", (long long)(arg->min < 0 ? 0 : arg->min),
                 (long long)arg->max);
    *out_exit_code = args_usage_error(command, "%s wants %s%s, not '%s'", from, wanted, range, text);
    return false;
}

/* Defaults, then the environment. */
static bool store_defaults(const struct args_command *command, void *values, int *out_exit_code)
{
    for (size_t i = 0; i < command->arg_count; i++) {
        const struct arg *arg = &command->args[i];
        const char *wanted;
        if (arg->default_text && !store(arg, arg->default_text, values, &wanted))
            assert(!"a default that its own option refuses");
        const char *set = arg->environment ? getenv(arg->environment) : NULL;
        if (set && *set && !store_or_say(command, arg, set, arg->environment, values, out_exit_code))
            return false;
    }
    return true;
}

static size_t value_size(enum arg_kind kind)
{
    switch (kind) {
    case ARG_KIND_TEXT:
        return sizeof(const char *);
    case ARG_KIND_INTEGER:
    case ARG_KIND_DURATION:
        return sizeof(int64_t);
    case ARG_KIND_REAL:
    case ARG_KIND_PERCENT:
        return sizeof(double);
    case ARG_KIND_BYTES:
        return sizeof(uint64_t);
    case ARG_KIND_FLAG:
        return sizeof(bool);
    case ARG_KIND_TEXTS:
        return sizeof(struct args_texts);
    case ARG_KIND_REST:
        return sizeof(struct args_rest);
    }
    return 0;
}

static const struct arg *find_named(const struct args_command *command, const char *name, size_t n)
{
    for (size_t i = 0; i < command->arg_count; i++) {
        const struct arg *arg = &command->args[i];
        if (arg->kind != ARG_KIND_REST && strlen(arg->name) == n && memcmp(arg->name, name, n) == 0)
            return arg;
    }
    return NULL;
}

static const struct arg *find_letter(const struct args_command *command, char letter)
{
    for (size_t i = 0; i < command->arg_count; i++)
        if (command->args[i].letter == letter)
            return &command->args[i];
    return NULL;
}

/* An option with at most two typing errors, else one that shares the first letters: for "did you mean". */
static const char *closest(const struct args_command *command, const char *name, size_t n)
{
    const char *best = NULL;
    size_t best_common = 1, best_distance = n < 3 ? n : 3;
    for (size_t i = 0; i < command->arg_count; i++) {
        const struct arg *arg = &command->args[i];
        size_t d = slice_distance(slice_of(name, n), slice_from(arg->name));
        if (arg->kind != ARG_KIND_REST && d < best_distance) {
            best = arg->name;
            best_distance = d;
        }
    }
    if (best)
        return best;
    for (size_t i = 0; i < command->arg_count; i++) {
        const struct arg *arg = &command->args[i];
        size_t common = 0;
        while (arg->kind != ARG_KIND_REST && common < n && arg->name[common] == name[common])
            common++;
        if (common > best_common) {
            best_common = common;
            best = arg->name;
        }
    }
    return best;
}

/* argv[*at] is an option ("--name", "--name=value", "-n", "-nvalue"): stores it and moves *at to its last word. */
static bool parse_option(const struct args_command *command, int argc, char **argv, int *at, void *values,
                         int *out_exit_code)
{
    char *word = argv[*at];
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    size_t n = is_long ? strcspn(name, "=") : 1;
    const struct arg *arg = is_long ? find_named(command, name, n) : find_letter(command, *name);
    const char *value = name[n] == '\0' ? NULL : name + n + (is_long ? 1 : 0);
    if (!arg) {
        const char *near = is_long ? closest(command, name, n) : NULL;
        *out_exit_code = args_usage_error(command, "there is no option %.*s%s%s%s", (int)(n + (is_long ? 2 : 1)), word,
                                          near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
        return false;
    }
    if (arg->kind == ARG_KIND_FLAG) {
        if (value) {
            *out_exit_code = args_usage_error(command, "--%s takes no value", arg->name);
            return false;
        }
        *(bool *)((char *)values + arg->offset) = true;
        return true;
    }
    if (!value && *at + 1 >= argc) {
        *out_exit_code = args_usage_error(command, "--%s wants a value: %s", arg->name, arg->value_name);
        return false;
    }
    if (!value)
        value = argv[++*at];
    char from[72];
    snprintf(from, sizeof from, "--%s", arg->name);
    return store_or_say(command, arg, value, from, values, out_exit_code);
}

static bool store_rest(const struct args_command *command, char **items, int count, void *values, int *out_exit_code)
{
    const struct arg *last = command->arg_count ? &command->args[command->arg_count - 1] : NULL;
    if (!last || last->kind != ARG_KIND_REST) {
        if (count == 0)
            return true;
        *out_exit_code = args_usage_error(command, "nothing to do with '%s'", items[0]);
        return false;
    }
    if (count < last->min) {
        *out_exit_code = args_usage_error(command, "%s is missing: %s", last->name, last->help);
        return false;
    }
    if (count > last->max) {
        *out_exit_code = args_usage_error(command, "too many words: '%s' and what follows (at most %lld of %s)",
                                          items[last->max], (long long)last->max, last->name);
        return false;
    }
    *(struct args_rest *)((char *)values + last->offset) = (struct args_rest){ items, count };
    return true;
}

bool args_parse(const struct args_command *command, int argc, char **argv, void *values, int *out_exit_code)
{
    assert(argc >= 1 && values);
    *out_exit_code = EX_OK;
    if (visitor_now) {
        visitor_now->command(visitor_now->self, command);
        return false;
    }
    for (size_t i = 0; i < command->arg_count; i++)
        memset((char *)values + command->args[i].offset, 0, value_size(command->args[i].kind));
    if (!store_defaults(command, values, out_exit_code))
        return false;
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (strcmp(word, "--") == 0) {
            while (++i < argc)
                argv[kept++] = argv[i];
            break;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            args_print_help(command);
            return false;
        }
        if (word[0] != '-' || word[1] == '\0')
            argv[kept++] = word;
        else if (!parse_option(command, argc, argv, &i, values, out_exit_code))
            return false;
    }
    return store_rest(command, argv + 1, kept - 1, values, out_exit_code);
}

static void print_one_help(const struct arg *arg)
{
    char left[96];
    if (arg->kind == ARG_KIND_REST)
        snprintf(left, sizeof left, "%s", arg->name);
    else
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", arg->letter ? '-' : ' ', arg->letter ? arg->letter : ' ',
                 arg->letter ? ", " : "  ", arg->name, arg->value_name ? " " : "",
                 arg->value_name ? arg->value_name : "");
    const int cells = (int)term_width(slice_from(left));
    printf("  %s%*s %s", left, cells < HELP_CELLS ? HELP_CELLS - cells : 0, "", arg->help);
    if (arg->default_text && *arg->default_text && *arg->default_text != '-') /* a negative number: not said */
        printf(" [%s]", arg->default_text);
    if (arg->environment)
        printf(" ($%s)", arg->environment);
    putchar('\n');
}

void args_print_help(const struct args_command *command)
{
    const struct arg *last = command->arg_count ? &command->args[command->arg_count - 1] : NULL;
    bool rest = last && last->kind == ARG_KIND_REST;
    printf("weir %s: %s\n\nusage: weir %s [OPTION…]", command->name, command->summary, command->name);
    if (rest)
        printf(" %s%s%s%s", last->min ? "" : "[", last->name, last->max > 1 ? "…" : "", last->min ? "" : "]");
    putchar('\n');
    if (command->description)
        printf("\n%s%s", command->description,
               command->description[strlen(command->description) - 1] == '\n' ? "" : "\n");
    if (rest)
        putchar('\n'), print_one_help(last);
    printf("\nOptions:\n");
    for (size_t i = 0; i < command->arg_count; i++)
        if (command->args[i].kind != ARG_KIND_REST)
            print_one_help(&command->args[i]);
    printf("  %-*s %s\n", HELP_CELLS, "-h, --help", "this text");
    if (command->examples)
        printf("\nExamples:\n%s", command->examples);
}

static void print_group_help(FILE *to, const char *command, const char *summary, const struct subcommand *rows,
                             size_t count)
{
    fprintf(to, "weir %s: %s\n\nusage: weir %s COMMAND [OPTION…]\n\n", command, summary, command);
    for (size_t i = 0; i < count; i++)
        fprintf(to, "  %-14s %s\n", rows[i].name, rows[i].summary);
    fprintf(to, "\nRead on:  weir %s COMMAND --help\n", command);
}

int args_dispatch(const char *command, const char *summary, const struct subcommand *rows, size_t count, int argc,
                  char **argv)
{
    if (visitor_now) {
        visitor_now->group(visitor_now->self, command, rows, count);
        for (size_t i = 0; i < count; i++)
            rows[i].run(argc, argv);
        return EX_OK;
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_group_help(argc < 2 ? stderr : stdout, command, summary, rows, count);
        return argc < 2 ? EX_USAGE : EX_OK;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, argv[1]) == 0)
            return rows[i].run(argc - 1, argv + 1);
    const char *near = NULL;
    size_t near_distance = 3;
    for (size_t i = 0; i < count; i++) {
        size_t d = slice_distance(slice_from(argv[1]), slice_from(rows[i].name));
        if (d < near_distance) {
            near = rows[i].name;
            near_distance = d;
        }
    }
    fprintf(stderr, "weir %s: there is no '%s'%s%s%s\nTry: weir %s --help\n", command, argv[1],
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "", command);
    return EX_USAGE;
}
