#include "config/problems.h"

#include "base/json_text.h"
#include "base/slice.h"

#define BYTES_MAX (1u << 20)
#define SOURCE_BYTES_MAX 200 /* longer lines are not shown */
#define STRONG "\033[1m"
#define RED "\033[31m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

void problems_init(struct problems *problems, bool colours)
{
    *problems = (struct problems){ .colours = colours };
    buf_init(&problems->text, BYTES_MAX);
    buf_init(&problems->json, BYTES_MAX);
}

void problems_done(struct problems *problems)
{
    buf_done(&problems->text);
    buf_done(&problems->json);
}

static const char *style(const struct problems *problems, const char *sequence)
{
    return problems->colours ? sequence : "";
}

static bool is_first_byte(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Other people's bytes: a terminal must not take them for commands. */
static void add_harmless(struct buf *to, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_add_char(to, (c < ' ' && c != '\t') || c == 127 ? '?' : (char)c);
    }
}

static void show_source(struct problems *problems, const struct problem *problem)
{
    struct slice line = problem->source;
    struct buf *to = &problems->text;
    if (!line.n || line.n > SOURCE_BYTES_MAX)
        return;
    size_t at = problem->at < line.n ? problem->at : line.n;
    size_t end = problem->width < line.n - at ? at + problem->width : line.n;
    buf_add_format(to, "%s%6d |%s ", style(problems, DIM), problem->line, style(problems, PLAIN));
    add_harmless(to, line);
    buf_add_format(to, "\n%s       |%s ", style(problems, DIM), style(problems, PLAIN));
    for (size_t i = 0; i < at; i++)
        if (is_first_byte(line.p[i]))
            buf_add_char(to, line.p[i] == '\t' ? '\t' : ' ');
    buf_add_format(to, "%s^", style(problems, RED));
    for (size_t i = at + 1; i < end; i++)
        if (is_first_byte(line.p[i]))
            buf_add_char(to, '~');
    buf_add_format(to, "%s\n", style(problems, PLAIN));
}

static void add_json(struct problems *problems, const struct problem *problem)
{
    struct buf *to = &problems->json;
    buf_add_text(to, to->n ? ",{" : "{");
    json_add_field(to, "file", slice_from(problem->file));
    json_add_field_u64(to, "line", (uint64_t)problem->line);
    json_add_field_u64(to, "column", (uint64_t)problem->column);
    json_add_field(to, "message", slice_from(problem->message));
    json_add_field(to, "source", problem->source);
    buf_add_text(to, "}");
}

bool problems_count_only(struct problems *problems)
{
    if (problems->count < PROBLEMS_MAX)
        return false;
    problems->count++;
    return true;
}

void problems_add(struct problems *problems, const struct problem *problem)
{
    if (problems_count_only(problems))
        return;
    problems->count++;
    buf_add_format(&problems->text, "%s%s:%d:%d:%s %s", style(problems, STRONG), problem->file, problem->line,
                   problem->column, style(problems, PLAIN), style(problems, RED));
    add_harmless(&problems->text, slice_from(problem->message));
    buf_add_format(&problems->text, "%s\n", style(problems, PLAIN));
    show_source(problems, problem);
    add_json(problems, problem);
}

const char *problems_text(struct problems *problems)
{
    if (problems->count > PROBLEMS_MAX)
        buf_add_format(&problems->text, "… and %zu more mistakes\n", problems->count - PROBLEMS_MAX);
    return buf_text(&problems->text);
}
