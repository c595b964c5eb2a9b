/* What is read of a line by people, and by programs. */
#include "base/log.h"

#include <string.h>
#include <unistd.h>

#include "base/test.h"

/* The line that is written. */
static const char *written(bool json, const char *words)
{
    static char line[4096];
    int ends[2];
    const int before = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_true(before >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    log_set_json(json);
    log_info("test.words", "name=%s", words);
    log_set_json(false);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    const ssize_t n = read(ends[0], line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = '\0';
    close(before);
    close(ends[0]);
    close(ends[1]);
    return line;
}

static void test_words_of_others_neither_end_a_line_nor_steer_a_terminal(void **state)
{
    (void)state;
    const char *line = written(false, "a\nb\033[2Jc\td\x7f"
                                      "e\xc3\xbc");
    assert_non_null(strstr(line, " test.words name=a b [2Jc d e\xc3\xbc\n"));
    assert_ptr_equal(strchr(line, '\n') + 1, line + strlen(line));
    line = written(true, "a\n\"b\\\033");
    assert_non_null(strstr(line, "\"level\":\"info\",\"event\":\"test.words\",\"text\":\"name=a \\\"b\\\\ \"}\n"));
}

static void test_a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t before = 0; before < 3; before++) {
        char words[4000] = "";
        memset(words, 'x', before);
        for (size_t i = 0; i < 1000; i++)
            memcpy(words + before + 3 * i, "\xe2\x82\xac", 3);
        const char *line = written(true, words), *end = strstr(line, "\"}\n");
        assert_non_null(end);
        assert_memory_equal(end - 3, "\xe2\x82\xac", 3);
        assert_true(strlen(line) > 900);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_of_others_neither_end_a_line_nor_steer_a_terminal),
        cmocka_unit_test(test_a_long_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
