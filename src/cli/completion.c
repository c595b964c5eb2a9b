/* `weir completion bash|zsh`: every command is called with a visitor set, so that it hands over its table of options
 * and returns (args.h); the script is written from these. Nothing is registered, so nothing can be forgotten: the unit
 * test asks that every visible command shows up. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/completion.h"

struct writer {
    struct buf *out;
};

/* "tenant create" → "tenant_create" in names of shell variables. */
static void add_identifier(struct buf *out, const char *name)
{
    for (; *name; name++)
        buf_add_char(out, *name == ' ' || *name == '-' ? '_' : *name);
}

static void bash_command(void *self, const struct args_command *command)
{
    struct buf *out = ((struct writer *)self)->out;
    buf_add_format(out, "        '%s') words='--help", command->name);
    for (size_t i = 0; i < command->arg_count; i++)
        if (command->args[i].kind != ARG_KIND_REST)
            buf_add_format(out, " --%s", command->args[i].name);
    buf_add_text(out, "' ;;\n");
}

static void bash_group(void *self, const char *command, const struct subcommand *rows, size_t count)
{
    struct buf *out = ((struct writer *)self)->out;
    buf_add_format(out, "        '%s') words='--help", command);
    for (size_t i = 0; i < count; i++)
        buf_add_format(out, " %s", rows[i].name);
    buf_add_text(out, "' ;;\n");
}

/* The values of one option: a choice's words; paths are left to bash's own completion (words empty). */
static void bash_values(void *self, const struct args_command *command)
{
    struct buf *out = ((struct writer *)self)->out;
    for (size_t i = 0; i < command->arg_count; i++) {
        const struct arg *arg = &command->args[i];
        if (arg->kind != ARG_KIND_TEXT || !strchr(arg->value_name, '|'))
            continue;
        buf_add_format(out, "        '%s --%s') words='", command->name, arg->name);
        for (const char *p = arg->value_name; *p; p++)
            buf_add_char(out, *p == '|' ? ' ' : *p);
        buf_add_text(out, "' ;;\n");
    }
}

/* "tenant create" is one command although it is two words. */
static void bash_two_words(void *self, const struct args_command *command)
{
    struct buf *out = ((struct writer *)self)->out;
    if (strchr(command->name, ' '))
        buf_add_format(out, "        '%s') [ \"$COMP_CWORD\" -eq 2 ] || command='%s' ;;\n", command->name,
                       command->name);
}

static void no_group(void *self, const char *command, const struct subcommand *rows, size_t count)
{
    (void)self, (void)command, (void)rows, (void)count;
}

static void visit_all(const struct args_visitor *visitor)
{
    args_set_visitor(visitor);
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++) {
        /* A command without a table prints its help instead of starting something. */
        char *argv[] = { (char *)command->name, (char *)"--help", NULL };
        if (!command->hidden && strcmp(command->name, "help") != 0 && strcmp(command->name, "version") != 0)
            command->run(2, argv);
    }
    args_set_visitor(NULL);
}

static void add_command_names(struct buf *out)
{
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++)
        if (!command->hidden)
            buf_add_format(out, " %s", command->name);
}

void completion_write_bash(struct buf *out)
{
    struct writer writer = { .out = out };
    buf_add_text(out, "# weir completion for bash. Use it now:  source <(weir completion bash)\n"
                      "# For good: weir completion bash > ~/.local/share/bash-completion/completions/weir\n"
                      "_weir() {\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command words=\n"
                      "    if [ \"$COMP_CWORD\" -eq 1 ]; then words='--help --version");
    add_command_names(out);
    buf_add_text(out, "'\n"
                      "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); return; fi\n"
                      "    command=${COMP_WORDS[1]}\n"
                      "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
    visit_all(&(struct args_visitor){ bash_two_words, no_group, &writer });
    buf_add_text(out, "    esac\n    case \"$command $prev\" in\n");
    visit_all(&(struct args_visitor){ bash_values, no_group, &writer });
    buf_add_text(out, "    esac\n"
                      "    [ -n \"$words\" ] || case \"$command\" in\n");
    visit_all(&(struct args_visitor){ bash_command, bash_group, &writer });
    buf_add_text(out, "    esac\n"
                      "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                      "}\n"
                      "complete -o default -o bashdefault -F _weir weir\n");
}

/* Inside '…' and before a colon of zsh's _arguments. */
static void add_zsh_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_add_text(out, "'\\''");
        else if (strchr("[]:\\", *text))
            buf_add_format(out, "\\%c", *text);
        else
            buf_add_char(out, *text);
    }
}

static void zsh_command(void *self, const struct args_command *command)
{
    struct buf *out = ((struct writer *)self)->out;
    buf_add_text(out, "_weir_");
    add_identifier(out, command->name);
    buf_add_text(out, "() {\n    _arguments '--help[this text]'");
    for (size_t i = 0; i < command->arg_count; i++) {
        const struct arg *arg = &command->args[i];
        if (arg->kind == ARG_KIND_REST) {
            buf_add_format(out, " '*:%s:_files'", arg->name);
            continue;
        }
        buf_add_format(out, " \\\n        '--%s[", arg->name);
        add_zsh_text(out, arg->help);
        buf_add_char(out, ']');
        if (arg->kind != ARG_KIND_FLAG) {
            buf_add_format(out, ":%s:", arg->name);
            if (strcmp(arg->value_name, "DIR") == 0)
                buf_add_text(out, "_files -/");
            else if (strncmp(arg->value_name, "FILE", 4) == 0)
                buf_add_text(out, "_files");
            else if (arg->kind == ARG_KIND_TEXT && strchr(arg->value_name, '|')) {
                buf_add_char(out, '(');
                for (const char *p = arg->value_name; *p; p++)
                    buf_add_char(out, *p == '|' ? ' ' : *p);
                buf_add_char(out, ')');
            }
        }
        buf_add_char(out, '\'');
    }
    buf_add_text(out, "\n}\n");
}

static void zsh_group(void *self, const char *command, const struct subcommand *rows, size_t count)
{
    struct buf *out = ((struct writer *)self)->out;
    buf_add_text(out, "_weir_");
    add_identifier(out, command);
    buf_add_text(out, "() {\n    local -a commands=(");
    for (size_t i = 0; i < count; i++) {
        buf_add_format(out, "'%s:", rows[i].name);
        add_zsh_text(out, rows[i].summary);
        buf_add_text(out, "' ");
    }
    buf_add_text(out, ")\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
                      "    local one=$words[2]; shift words; (( CURRENT-- ))\n    (( $+functions[_weir_");
    add_identifier(out, command);
    buf_add_text(out, "_${one//-/_}] )) && _weir_");
    add_identifier(out, command);
    buf_add_text(out, "_${one//-/_}\n}\n");
}

void completion_write_zsh(struct buf *out)
{
    struct writer writer = { .out = out };
    buf_add_text(
        out, "#compdef weir\n# weir completion for zsh. Use it now (after compinit):  source <(weir completion zsh)\n"
             "# For good: weir completion zsh > DIR/_weir, DIR being one of your $fpath\n");
    visit_all(&(struct args_visitor){ zsh_command, zsh_group, &writer });
    buf_add_text(out, "_weir() {\n    local -a commands=(\n");
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++) {
        if (command->hidden)
            continue;
        buf_add_format(out, "        '%s:", command->name);
        add_zsh_text(out, command->summary);
        buf_add_text(out, "'\n");
    }
    buf_add_text(out, "    )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
                      "    local one=$words[2]; shift words; (( CURRENT-- ))\n"
                      "    (( $+functions[_weir_${one//-/_}] )) && _weir_${one//-/_}\n}\n"
                      "# Loaded from $fpath this file is the function _weir; sourced it only announces it.\n"
                      "if [[ $funcstack[1] == _weir ]]; then _weir \"$@\"; else compdef _weir weir; fi\n");
}

struct completion_options {
    struct args_rest shell;
};

static const struct arg ARGS[] = {
    ARG_REST(struct completion_options, shell, "bash|zsh", 1, 1, "which shell"),
};
static const struct args_command COMPLETION = {
    .name = "completion",
    .summary = "print the completion script for a shell",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
    .examples = "  source <(weir completion bash)\n"
                "  weir completion zsh > ~/.zsh/completions/_weir\n",
};

int command_completion(int argc, char **argv)
{
    struct completion_options options;
    int exit_code;
    if (!args_parse(&COMPLETION, argc, argv, &options, &exit_code))
        return exit_code;
    bool zsh = strcmp(options.shell.items[0], "zsh") == 0;
    if (!zsh && strcmp(options.shell.items[0], "bash") != 0)
        return args_usage_error(&COMPLETION, "there is completion for bash and zsh, not for '%s'",
                                options.shell.items[0]);
    AUTO(buf) struct buf out;
    buf_init(&out, 1 << 20);
    if (zsh)
        completion_write_zsh(&out);
    else
        completion_write_bash(&out);
    return fwrite(out.p, 1, out.n, stdout) == out.n ? EX_OK : EX_IOERR;
}
