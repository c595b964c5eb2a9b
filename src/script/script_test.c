#include "script/script.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"

static struct arena arena;
static struct event event;
static struct error err;

static struct script *make(const char *text)
{
    struct script *script = NULL;
    memset(&err, 0, sizeof err);
    if (script_new(slice_from(text), SLICE("t.yaml"), 10, &script, &err) != OK)
        return NULL;
    return script;
}

static enum status run_on(const char *text, const char *properties)
{
    struct script *script = make(text);
    if (!script)
        fail_msg("%s", err.text);
    event = (struct event){ .customer_id = SLICE("acme"),
                            .visitor_id = SLICE("v1"),
                            .event_id = SLICE("e1"),
                            .event_type = SLICE("purchase"),
                            .event_name = SLICE("Bought"),
                            .properties = slice_from(properties),
                            .context = SLICE("{\"ip\":\"10.0.0.1\"}"),
                            .timestamp_ms = 1737455400123 };
    arena_reset(&arena);
    enum status s = script_run(script, &event, &arena, &err);
    script_free(script);
    return s;
}

/* The body of transform; what it makes of the properties. */
static void expect(const char *body, const char *properties, const char *wanted)
{
    char text[4096];
    snprintf(text, sizeof text, "function transform(event)\nlocal p = event.properties;\n%s\nreturn event\nend", body);
    if (run_on(text, properties) != OK)
        fail_msg("%s\n%s", body, err.text);
    if (!slice_equal(event.properties, slice_from(wanted)))
        fail_msg("%s\n  gives  %.*s\n  wanted %s", body, SLICE_ARG(event.properties), wanted);
}

static void expect_failure(const char *body, enum status wanted, const char *part)
{
    char text[4096];
    snprintf(text, sizeof text, "function transform(event)\nlocal p = event.properties;\n%s\nreturn event\nend", body);
    enum status s = run_on(text, "{\"a\":1}");
    if (s != wanted || !strstr(err.text, part))
        fail_msg("%s\n  gives  %s: %s\n  wanted %s", body, status_name(s), s == OK ? "" : err.text, part);
    assert_true(slice_equal(event.properties, SLICE("{\"a\":1}")));
}

static void test_what_a_script_does_not_touch_keeps_its_bytes(void **state)
{
    (void)state;
    static const char *const JSON = "{\"z\":19.90,\"a\":12345678901234567890,\"n\":null,\"e\":[],\"o\":{},\"u\":"
                                    "\"\\u00e9\",\"l\":[1.0,2,{\"x\":1e2}],\"t\":true}";
    expect("", JSON, JSON);
    expect("p.new = 1", "{\"b\":1.50,\"a\":2}", "{\"b\":1.50,\"a\":2,\"new\":1}");
    expect("p.l[2] = 'x'; p.o.k = {1, 2}", "{\"l\":[1.0,2.0,3.0],\"o\":{\"j\":1.0}}",
           "{\"l\":[1.0,\"x\",3.0],\"o\":{\"j\":1.0,\"k\":[1,2]}}");
    expect("p.a = nil; p.n = nil", "{\"a\":1,\"b\":2.0,\"n\":null}", "{\"b\":2.0}");
    expect("p.n = null; if p.m == null then p.m = 1 end", "{\"m\":null}", "{\"m\":1,\"n\":null}");
    expect("p.z = 1; p.b = 2; p.y = 3", "{}", "{\"b\":2,\"y\":3,\"z\":1}");
    expect("p.x = 0.1 + 0.2; p.y = 2^53; p.q = 'a\\nb'", "{}",
           "{\"q\":\"a\\nb\",\"x\":0.30000000000000004,\"y\":9007199254740992}");
    expect("p.d = p.d", "{\"d\":1,\"d\":2}", "{\"d\":1}");
}

static void test_an_event_that_is_not_changed_is_the_same_memory(void **state)
{
    (void)state;
    assert_int_equal(run_on("function transform(event) return event end", "{\"a\":1}"), OK);
    assert_int_equal(event.properties.n, 7);
    const char *before = event.properties.p;
    assert_string_equal(before, "{\"a\":1}");
}

static void test_the_library_does_what_it_says(void **state)
{
    (void)state;
    expect("p.cents = weir.cents(p.price)", "{\"price\":19.99}", "{\"price\":19.99,\"cents\":1999}");
    expect("p.h = weir.host('https://A.example/x'); p.q = weir.query('/?a=b%20c', 'a'); p.m = weir.matches('/a/b', "
           "'/a/*')",
           "{}", "{\"h\":\"a.example\",\"m\":true,\"q\":\"b c\"}");
    expect("p.u = ('aXb'):upper(); p.s = ('abc'):sub(2); p.n = #'abc'; p.r = ('ab'):rep(3)", "{}",
           "{\"n\":3,\"r\":\"ababab\",\"s\":\"bc\",\"u\":\"AXB\"}");
    expect("p.f = string.format('%05.1f|%s|%d', 3.14159, 'x', 7)", "{}", "{\"f\":\"003.1|x|7\"}");
    expect("p.x = ('a.b.c'):replace('.', '-'); local i, j = ('hello'):find('l', 1); p.i = i", "{}",
           "{\"i\":3,\"x\":\"a-b-c\"}");
    expect("local t = {3, 1, 2}; table.sort(t); table.insert(t, 1, 0); table.remove(t, 2); p.t = t; p.c = "
           "table.concat(t, '+')",
           "{}", "{\"c\":\"0+2+3\",\"t\":[0,2,3]}");
    expect("local s = ''; for k, v in pairs({b = 1, a = 2, [1] = 3}) do s = s .. tostring(k) end; p.s = s", "{}",
           "{\"s\":\"1ab\"}");
    expect("p.t = tostring({}); p.f = tostring(pairs); p.n = tostring(1.5)", "{}",
           "{\"f\":\"function\",\"n\":\"1.5\",\"t\":\"table\"}");
    expect("p.x = math.max(1, 2) + math.floor(2.7)", "{}", "{\"x\":4}");
    expect("event.event_name = 'other'; event.context.ip = nil", "{}", "{}");
    assert_true(slice_equal(event.event_name, SLICE("other")));
    assert_true(slice_equal(event.context, SLICE("{}")));
}

/* Every way out that people have found in such sandboxes, as far as we know. Each must be an error, not a success. */
static void test_there_is_no_way_out(void **state)
{
    (void)state;
    static const char *const ESCAPES[] = {
        "os.execute('true')",
        "io.open('/etc/passwd')",
        "require('ffi')",
        "ffi.cdef('int x;')",
        "package.loadlib('x', 'y')",
        "debug.getinfo(1)",
        "jit.on()",
        "load('return 1')()",
        "loadstring('return 1')()",
        "dofile('/etc/passwd')",
        "loadfile('/etc/passwd')",
        "string.dump(transform)",
        "('x').dump(transform)",
        "getfenv(0)",
        "setfenv(1, {})",
        "getmetatable('').__index = nil",
        "setmetatable({}, {})",
        "rawset(string, 'x', 1)",
        "rawget(string, 'dump')()",
        "collectgarbage()",
        "coroutine.wrap(function() end)()",
        "pcall(function() end)",
        "xpcall(function() end, error)",
        "newproxy(true)",
        "module('x')",
        "print('x')",
        "next({})",
        "_G.os.exit()",
        "gcinfo()",
        "string.upper = nil",
        "string.new = 1",
        "table.x = 1",
        "weir.cents = 1",
        "math.pi = 3",
        "math.random()",
        "('x').y.z = 1",
        "string.format('%p', {})",
        "string.format('%s', {})",
        "string.format('%d', transform)",
        "('x'):gsub('.*', 'y')",
        "('x'):match('.*')",
        "('x'):gmatch('.')",
        "string.gsub('x', 'x', os)",
        "error({os = 1})",
        "(function() return transform end)()(1)",
    };
    for (size_t i = 0; i < COUNT_OF(ESCAPES); i++)
        expect_failure(ESCAPES[i], ERR_INVALID, "t.yaml:");
}

static void test_nothing_is_remembered_from_event_to_event(void **state)
{
    (void)state;
    struct script *script =
        make("count = 0\nlocal hidden = 0\nlocal t = {}\n"
             "function transform(event)\n"
             "count = (count or 0) + 1; hidden = hidden + 1; t[#t + 1] = 1; later = (later or 0) + 1\n"
             "event.properties.n = count + hidden + #t + later\nreturn event\nend");
    assert_non_null(script);
    for (int i = 0; i < 3; i++) {
        event = (struct event){
            .event_type = SLICE("t"), .event_name = SLICE("t"), .properties = SLICE("{}"), .context = SLICE("{}")
        };
        assert_int_equal(script_run(script, &event, &arena, &err), OK);
        assert_true(slice_equal(event.properties, SLICE("{\"n\":4}")));
    }
    script_free(script);
}

/* Loops of every kind, also such as machine code would run without looking up; and calls that are one step but long. */
static void test_what_does_not_end_is_ended(void **state)
{
    (void)state;
    static const char *const LOOPS[] = {
        "while true do end",
        "repeat until false",
        "for i = 1, 1e300 do end",
        "local i = 0; while true do i = i + 1; p.x = i end",
        "::a:: goto a",
        "local function f() return f() end f()",
        "for i = 1, 1e9 do local s = ('x'):rep(100000) end",
        "for i = 1, 1e9 do local s = ('x'):rep(100000):upper() end",
        "local t = {}; for i = 1, 20000 do t[i] = i end; for i = 1, 1e9 do table.insert(t, 1, 0); table.remove(t, 1) "
        "end",
        "local t = {}; for i = 1, 10000 do t[i] = i % 7 end; for i = 1, 1e9 do table.sort(t) end",
        "local t = {}; for i = 1, 10000 do t[i] = 'x' end; for i = 1, 1e9 do table.concat(t) end",
        "local s = ('a'):rep(500000); for i = 1, 1e9 do local x = s:find('b') end",
        "local s = ('a'):rep(500000); for i = 1, 1e9 do local x = weir.matches(s, '*a*a*a*b') end",
        "local t = {}; for i = 1, 1000 do t['k' .. i] = i end; for i = 1, 1e9 do for k in pairs(t) do end end",
        "table.sort({3, 2, 1}, function(a, b) while true do end end)",
    };
    for (size_t i = 0; i < COUNT_OF(LOOPS); i++)
        expect_failure(LOOPS[i], ERR_FULL, "t.yaml:12: the script does not come to an end");
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    static const char *const BOMBS[] = {
        "local s = 'x'; while true do s = s .. s end",
        "local t = {}; local s = ('x'):rep(1000); for i = 1, 1e9 do t[i] = s .. i end",
        "local t = {}; for i = 1, 40 do t = {t, t, ('x'):rep(1000000) .. i} end",
    };
    for (size_t i = 0; i < COUNT_OF(BOMBS); i++)
        expect_failure(BOMBS[i], ERR_FULL, "t.yaml: the script needs more than 4 MiB for one event");
    expect_failure("('x'):rep(1e12)", ERR_INVALID, "t.yaml:12: rep makes at most 1 MiB");
    expect_failure("local function f() return 1 + f() end f()", ERR_INVALID, "stack overflow");
    expect_failure("p.self = p", ERR_INVALID, "32 objects deep (or contains itself)");
    expect_failure("local t = {}; for i = 1, 30 do t = {t, t} end; p.t = t", ERR_FULL, "does not come to an end");
    expect_failure("p.x = ('x'):rep(1000000); p.y = ('y'):rep(1000000)", ERR_INVALID, "larger than 1 MiB");
}

static void test_a_script_goes_on_after_it_failed(void **state)
{
    (void)state;
    struct script *script = make("function transform(event)\n"
                                 "if event.properties.bad == 1 then while true do end end\n"
                                 "if event.properties.bad == 2 then local s = 'x'; while true do s = s .. s end end\n"
                                 "event.properties.fine = true\nreturn event\nend");
    for (int i = 0; i < 30; i++) {
        char properties[32];
        snprintf(properties, sizeof properties, "{\"bad\":%d}", i % 3);
        event = (struct event){ .event_type = SLICE("t"),
                                .event_name = SLICE("t"),
                                .properties = slice_from(properties),
                                .context = SLICE("{}") };
        assert_int_equal(script_run(script, &event, &arena, &err), i % 3 ? ERR_FULL : OK);
    }
    script_free(script);
}

static void test_what_is_no_event_is_refused_with_the_line(void **state)
{
    (void)state;
    expect_failure("p.x = 1 / 0", ERR_INVALID, "t.yaml: a number is infinite");
    expect_failure("p.f = pairs", ERR_INVALID, "t.yaml: an event cannot hold a function");
    expect_failure("p[true] = 1", ERR_INVALID, "a name in a table is a text or a number, not a boolean");
    expect_failure("event.visitor_id = 'x'", ERR_INVALID, "event.visitor_id cannot be changed");
    expect_failure("event.timestamp = 1", ERR_INVALID, "event.timestamp cannot be changed");
    expect_failure("event.event_type = ''", ERR_INVALID, "event.event_type must have 1 to 1024 bytes");
    expect_failure("event.event_type = 5", ERR_INVALID, "event.event_type must be text, not a number");
    expect_failure("event.properties = 'x'", ERR_INVALID, "event.properties must be a table, not a string");
    expect_failure("event.properties = {1, 2}", ERR_INVALID, "event.properties must have names");
    expect_failure("p.a.b = 1", ERR_INVALID, "t.yaml:12: attempt to index field 'a' (a number value)");
    expect_failure("do return nil end", ERR_INVALID, "transform returned a nil; it ends with `return event`");
    expect_failure("error('not this one')", ERR_INVALID, "t.yaml:12: not this one");
}

static void expect_refused(const char *text, const char *wanted)
{
    assert_null(make(text));
    assert_string_equal(err.text, wanted);
}

static void test_mistakes_are_found_at_the_start_with_the_line_of_the_file(void **state)
{
    (void)state;
    expect_refused("function transform(event)\nreturn event",
                   "t.yaml:11: 'end' expected (to close 'function' at line 10) near '<eof>'");
    expect_refused("x = 1", "t.yaml: the script has no function transform(event)");
    expect_refused("\nlocal x = nil + 1", "t.yaml:11: attempt to perform arithmetic on a nil value");
    expect_refused("while true do end",
                   "t.yaml:10: the script does not come to an end: more than 100000 steps for one event");
    assert_null(make("\x1bLJ\x02"));
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_script_does_not_touch_keeps_its_bytes),
        cmocka_unit_test(test_an_event_that_is_not_changed_is_the_same_memory),
        cmocka_unit_test(test_the_library_does_what_it_says),
        cmocka_unit_test(test_there_is_no_way_out),
        cmocka_unit_test(test_nothing_is_remembered_from_event_to_event),
        cmocka_unit_test(test_what_does_not_end_is_ended),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_a_script_goes_on_after_it_failed),
        cmocka_unit_test(test_what_is_no_event_is_refused_with_the_line),
        cmocka_unit_test(test_mistakes_are_found_at_the_start_with_the_line_of_the_file),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
