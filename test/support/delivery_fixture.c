#include "test/support/delivery_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "event/window_record.h"
#include "world/disk.h"

struct deliveries deliveries;

double delivery_metric(const char *name)
{
    double value = -1;
    assert_true(metrics_read(stand.metrics, name, "sink=\"test\"", &value));
    return value;
}

/* ---- a target that fails ---- */

static enum status failing_open(const struct target_options *options, struct world *world, struct target **out,
                                struct error *err)
{
    static struct target target;
    (void)options, (void)world, (void)err;
    target.backend = &target_failing;
    *out = &target;
    return OK;
}

static enum status failing_resume(struct target *target, char io_note[TARGET_NOTE_MAX], uint64_t *io_position,
                                  struct error *err)
{
    (void)target, (void)io_note;
    if (deliveries.away || stand_dice() % 100 < deliveries.fail_percent)
        return error_set(err, ERR_RETRY, "away");
    if (deliveries.keeps_place && deliveries.place > *io_position)
        *io_position = deliveries.place;
    return OK;
}

static void take(const struct target_batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t offset;
        assert_memory_equal(batch->records[i].id.p, "windows/0/", 10);
        assert_true(slice_to_u64(slice_after(batch->records[i].id, 10), &offset) && offset < deliveries.results);
        deliveries.seen[offset]++;
    }
    if (count == batch->count)
        deliveries.place = batch->to;
}

/* A target that answers neither yes nor no: whoever looks from outside meanwhile sees it. */
static void look_through_twenty_seconds(void)
{
    assert_true(delivery_metric("sink_up") == 1);
    stand.now_us += 20000000;
    delivery_look(deliveries.delivery);
    assert_true(delivery_metric("sink_up") == 0 && delivery_metric("sink_lag_seconds") >= 20);
}

static enum status failing_write(struct target *target, const struct target_batch *batch, char io_note[TARGET_NOTE_MAX],
                                 struct error *err)
{
    (void)target, (void)io_note;
    assert_true(batch->count > 0 && batch->to > batch->from);
    if (deliveries.hangs)
        look_through_twenty_seconds();
    if (deliveries.away)
        return error_set(err, ERR_RETRY, "away");
    if (stand_dice() % 100 >= deliveries.fail_percent) {
        take(batch, batch->count);
        return OK;
    }
    if (stand_dice() & 1)
        take(batch, deliveries.keeps_place ? batch->count : stand_dice() % (batch->count + 1));
    return error_set(err, ERR_RETRY, "it may be there or not");
}

static void failing_close(struct target *target)
{
    (void)target;
}

const struct target_backend target_failing = { TARGET_VERSION, "failing",     failing_open,
                                               failing_resume, failing_write, failing_close };

/* ---- running ---- */

void delivery_emit(uint32_t count)
{
    struct buf bytes;
    buf_init(&bytes, JOURNAL_COMMIT_BYTES_MAX);
    const struct window_record window = { .customer_id = SLICE("acme"),
                                          .window = SLICE("w"),
                                          .key = SLICE("{}"),
                                          .measures = SLICE("{\"n\":1}"),
                                          .kind = WINDOW_RECORD_TUMBLING };
    for (uint32_t i = 0; i < count; i++)
        window_record_encode(&window, stand_add_record(&bytes, window_record_size(&window)));
    stand_emit(&(struct journal_chunk){ .topic = TOPIC_WINDOWS, .records = count, .bytes = buf_slice(&bytes) });
    deliveries.results += count;
    assert_true(deliveries.results <= DELIVERY_RESULTS_MAX);
    buf_done(&bytes);
}

void delivery_start(void)
{
    struct error err;
    if (delivery_open(&deliveries.options, stand.journal, stand.metrics, &stand.world, &deliveries.delivery, &err) !=
        OK)
        fail_msg("%s", err.text);
    stand.role = delivery_role(deliveries.delivery);
}

void delivery_crash(void)
{
    if (stand_dice() & 1)
        stand_lose();
    stand_pass_on();
    delivery_close(deliveries.delivery);
    delivery_start();
}

void delivery_run(void)
{
    for (unsigned steps = 0; stand_step(); steps++)
        assert_true(steps < 1000000);
}

int delivery_begin(void **state)
{
    (void)state;
    stand_begin(1, 1 << 12);
    memset(&deliveries, 0, sizeof deliveries);
    scratch_make("deliver", deliveries.dir);
    snprintf(deliveries.path, sizeof deliveries.path, "%s/results.jsonl", deliveries.dir);
    delivery_options_default(&deliveries.options);
    deliveries.options.sink = "test";
    deliveries.options.backend = &target_failing;
    deliveries.options.selection = (struct selection){ .results = "windows", .windows = "", .tenants = "" };
    deliveries.options.target = (struct target_options){ .orders = 1, .path = deliveries.path };
    return 0;
}

int delivery_end(void **state)
{
    (void)state;
    stand_pass_on();
    delivery_close(deliveries.delivery);
    stand_end();
    return scratch_remove(deliveries.dir);
}

/* ---- what must hold ---- */

uint64_t delivery_mark(void)
{
    struct journal_mark mark;
    char note[JOURNAL_NOTE_MAX];
    stand_pass_on();
    assert_int_equal(journal_memory.mark(stand.journal, "sink.test", JOURNAL_ALL_PARTITIONS, &mark, note), OK);
    return mark.position;
}

void delivery_read_file(void)
{
    char *text, *rest = NULL;
    size_t n;
    assert_int_equal(disk_read_whole(stand.world.disk, deliveries.path, 1 << 28, &text, &n, NULL), OK);
    assert_true(n > 0 && text[n - 1] == '\n');
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *id = strstr(line, "\"id\":\"windows/0/");
        assert_true(id && line[strlen(line) - 1] == '}');
        deliveries.seen[strtoul(id + 16, NULL, 10)]++;
    }
    free(text);
}

void delivery_expect_each(uint8_t least, uint8_t most)
{
    for (uint32_t i = 0; i < deliveries.results; i++)
        if (deliveries.seen[i] < least || deliveries.seen[i] > most)
            fail_msg("result %u of %u came %u times", i, deliveries.results, deliveries.seen[i]);
}
