#include "cli/completion.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "cli/command.h"

static void test_every_visible_command_hands_over_its_options(void **state)
{
    (void)state;
    AUTO(buf) struct buf bash, zsh;
    buf_init(&bash, 1 << 20);
    buf_init(&zsh, 1 << 20);
    completion_write_bash(&bash);
    completion_write_zsh(&zsh);
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)); i++) {
        if (command->hidden || strcmp(command->name, "help") == 0 || strcmp(command->name, "version") == 0)
            continue;
        char row[80];
        snprintf(row, sizeof row, "        '%s') words='--help", command->name);
        if (!strstr(buf_text(&bash), row))
            print_message("%s does not begin with args_parse or args_dispatch\n", command->name);
        assert_non_null(strstr(buf_text(&bash), row));
        snprintf(row, sizeof row, "\n_weir_%s() {", command->name);
        for (char *p = row; *p; p++)
            if (*p == '-')
                *p = '_';
        assert_non_null(strstr(buf_text(&zsh), row));
    }
    assert_false(bash.full);
    assert_false(zsh.full);
}

static void test_bash_accepts_the_script(void **state)
{
    (void)state;
    AUTO(buf) struct buf bash;
    buf_init(&bash, 1 << 20);
    completion_write_bash(&bash);
    FILE *shell = popen("bash -n", "w");
    assert_non_null(shell);
    fwrite(bash.p, 1, bash.n, shell);
    assert_int_equal(pclose(shell), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_visible_command_hands_over_its_options),
        cmocka_unit_test(test_bash_accepts_the_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
