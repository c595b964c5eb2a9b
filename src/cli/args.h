/* Options of a command, declared as a table: parsing, --help and the shell completion all come from it, so that they
 * cannot drift apart.
 *
 *     struct send_options { const char *url; int64_t rate; bool json; struct args_rest files; };
 *     static const struct arg SEND_ARGS[] = {
 *         ARG_TEXT(struct send_options, url, "url", 'u', "URL", "http://127.0.0.1:8000", "where to send"),
 *         ARG_INTEGER(struct send_options, rate, "rate", 0, "N", "0", 0, 10000000, "events a second; 0: no limit"),
 *         ARG_FLAG(struct send_options, json, "json", 0, "one JSON object instead of text"),
 *         ARG_REST(struct send_options, files, "FILE", 1, 16, "NDJSON, - for standard input"),
 *     };
 *     static const struct args_command SEND = { .name = "send", .summary = "…", .args = SEND_ARGS,
 *         .arg_count = COUNT_OF(SEND_ARGS), .examples = "  weir send events.ndjson\n" };
 *     int command_send(int argc, char **argv)
 *     {
 *         struct send_options options;
 *         int exit_code;
 *         if (!args_parse(&SEND, argc, argv, &options, &exit_code))
 *             return exit_code;
 *
 * args_parse must be the first thing that a command does (completion calls every command to learn its table). Values
 * point into argv, the environment or the table: nothing is allocated. Threads: main only. */
#pragma once
#include "base/compiler.h"

enum arg_kind {
    ARG_KIND_TEXT,     /* const char *; NULL when not given and without default */
    ARG_KIND_INTEGER,  /* int64_t within min..max; digits may be grouped: 1_000_000 */
    ARG_KIND_REAL,     /* double */
    ARG_KIND_PERCENT,  /* double from 0 to 100; 0.1% or 0.1 */
    ARG_KIND_BYTES,    /* uint64_t; 64K, 10MB, 1GiB: powers of 1024 */
    ARG_KIND_DURATION, /* int64_t milliseconds; 250ms, 30s, 5m, 2h, 7d; a bare number is seconds */
    ARG_KIND_FLAG,     /* bool */
    ARG_KIND_TEXTS,    /* struct args_texts: may be given several times */
    ARG_KIND_REST,     /* struct args_rest: what is not an option; at most one row, the last */
};

struct args_rest {
    char **items; /* inside argv, which is put in order for it */
    int64_t count;
};

#define ARGS_TEXTS_MAX 32
struct args_texts {
    const char *items[ARGS_TEXTS_MAX];
    int64_t count;
};

struct arg {
    const char *name; /* without the dashes; for REST the name of the value */
    char letter;      /* 0: none */
    enum arg_kind kind;
    size_t offset;            /* in the command's struct of values */
    const char *value_name;   /* "DIR" and "FILE" complete paths; "a|b|c" is a choice: anything else is refused */
    const char *default_text; /* goes through the same parser as what the user types; NULL: 0, NULL, false */
    const char *environment;  /* a variable that overrides the default, or NULL */
    int64_t min, max;         /* INTEGER: the value; BYTES, DURATION: when max is not 0; REST: how many */
    const char *help;
};

/* The offset of a member, refused by the compiler when its type is not the one that the kind writes. */
#define ARG_OFFSET(type, member, wanted)                                                                               \
    (offsetof(type, member) +                                                                                          \
     0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((type *)0)->member), wanted) ? 1 : -1]))

#define ARG_TEXT(type, member, long_name, short_letter, value, fallback, help_text)                                    \
    {                                                                                                                  \
        .name = long_name, .letter = short_letter, .kind = ARG_KIND_TEXT, .value_name = value,                         \
        .offset = ARG_OFFSET(type, member, const char *), .default_text = fallback, .help = help_text                  \
    }
/* As ARG_TEXT, with an environment variable behind it: for addresses and keys. */
#define ARG_TEXT_ENV(type, member, long_name, short_letter, value, fallback, variable, help_text)                      \
    {                                                                                                                  \
        .name = long_name, .letter = short_letter, .kind = ARG_KIND_TEXT, .value_name = value,                         \
        .offset = ARG_OFFSET(type, member, const char *), .default_text = fallback, .environment = variable,           \
        .help = help_text                                                                                              \
    }
#define ARG_INTEGER(type, member, long_name, short_letter, value, fallback, low, high, help_text)                      \
    {                                                                                                                  \
        .name = long_name, .letter = short_letter, .kind = ARG_KIND_INTEGER, .value_name = value,                      \
        .offset = ARG_OFFSET(type, member, int64_t), .default_text = fallback, .min = low, .max = high,                \
        .help = help_text                                                                                              \
    }
#define ARG_REAL(type, member, long_name, short_letter, value, fallback, help_text)                                    \
    {                                                                                                                  \
        .name = long_name, .letter = short_letter, .kind = ARG_KIND_REAL, .value_name = value,                         \
        .offset = ARG_OFFSET(type, member, double), .default_text = fallback, .help = help_text                        \
    }
#define ARG_PERCENT(type, member, long_name, short_letter, value, fallback, help_text)                                 \
    {                                                                                                                  \
        .name = long_name, .letter = short_letter, .kind = ARG_KIND_PERCENT, .value_name = value,                      \
        .offset = ARG_OFFSET(type, member, double), .default_text = fallback, .help = help_text                        \
    }
#define ARG_BYTES(type, member, long_name, short_letter, value, fallback, help_text)                                   \
    {                                                                                                                  \
        .name = long_name, .letter = short_letter, .kind = ARG_KIND_BYTES, .value_name = value,                        \
        .offset = ARG_OFFSET(type, member, uint64_t), .default_text = fallback, .help = help_text                      \
    }
#define ARG_DURATION(type, member, long_name, short_letter, value, fallback, help_text)                                \
    {                                                                                                                  \
        .name = long_name, .letter = short_letter, .kind = ARG_KIND_DURATION, .value_name = value,                     \
        .offset = ARG_OFFSET(type, member, int64_t), .default_text = fallback, .help = help_text                       \
    }
#define ARG_FLAG(type, member, long_name, short_letter, help_text)                                                     \
    {                                                                                                                  \
        .name = long_name, .letter = short_letter, .kind = ARG_KIND_FLAG, .offset = ARG_OFFSET(type, member, bool),    \
        .help = help_text                                                                                              \
    }
#define ARG_TEXTS(type, member, long_name, short_letter, value, help_text)                                             \
    {                                                                                                                  \
        .name = long_name, .letter = short_letter, .kind = ARG_KIND_TEXTS, .value_name = value,                        \
        .offset = ARG_OFFSET(type, member, struct args_texts), .help = help_text                                       \
    }
#define ARG_REST(type, member, value, low, high, help_text)                                                            \
    {                                                                                                                  \
        .name = value, .kind = ARG_KIND_REST, .value_name = value,                                                     \
        .offset = ARG_OFFSET(type, member, struct args_rest), .min = low, .max = high, .help = help_text               \
    }

struct args_command {
    const char *name;        /* as typed behind `weir`: "sql", "tenant create" */
    const char *summary;     /* one line */
    const char *description; /* what it does and what to know, lines wrapped at 100; or NULL */
    const char *examples;    /* lines that can be pasted, each indented by two blanks; or NULL */
    const struct arg *args;
    size_t arg_count;
};

/* Fills *values (zeroed first, then defaults, environment, command line). True: go on. False: *out_exit_code is what
 * the command returns (--help was answered, or the usage was wrong and said so on standard error). Options and other
 * words may be mixed; "--" ends the options; --name=value and --name value are the same. */
MUST_CHECK bool args_parse(const struct args_command *command, int argc, char **argv, void *values, int *out_exit_code);

/* A command of commands (`weir tenant create …`): the row whose name is argv[1] runs with argv + 1. Answers --help and
 * a missing or unknown name itself. */
struct subcommand {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};
int args_dispatch(const char *command, const char *summary, const struct subcommand *rows, size_t count, int argc,
                  char **argv);

void args_print_help(const struct args_command *command);
/* "weir NAME: message" and where to read on, to standard error; returns EX_USAGE. */
PRINTF_LIKE(2, 3) int args_usage_error(const struct args_command *command, const char *format, ...);

/* The values' grammars, for those who read them elsewhere. False: not such a value. */
MUST_CHECK bool args_read_integer(const char *text, int64_t *out_value);
MUST_CHECK bool args_read_bytes(const char *text, uint64_t *out_bytes);
MUST_CHECK bool args_read_duration(const char *text, int64_t *out_ms);

/* While visit is set, args_parse and args_dispatch hand over their tables and return (exit code 0) without doing
 * anything else: this is how `weir completion` learns every command's options. NULL ends it. */
struct args_visitor {
    void (*command)(void *self, const struct args_command *command);
    void (*group)(void *self, const char *command, const struct subcommand *rows, size_t count);
    void *self;
};
void args_set_visitor(const struct args_visitor *visitor);
