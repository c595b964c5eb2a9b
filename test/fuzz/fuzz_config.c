/* Any bytes as a layer of settings, behind another layer, with the secrets that they name looked up: settings, or
 * problems that name the file; no crash, no hang, no leak, and a secret that is known stands in no message. */
#include <stdlib.h>

#include "config/config.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define SECRET "0123456789-never-shown"

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void put(struct world *world, const char *path, const void *bytes, size_t n)
{
    struct error err;
    expect(disk_replace(world->disk, path, bytes, n, &err) == OK);
}

/* What the settings are must be what their rows allow: each can be written down and read again. */
static void expect_settings(const struct config *config, bool told)
{
    static struct settings settings;
    static struct sink_settings sink;
    struct config_row row;
    struct error err;
    for (size_t i = 0; config_row(config, i, &row); i++) {
        char text[OPTION_TEXT_MAX + 1];
        option_format(row.option, row.values, text, sizeof text);
        expect(told || strstr(text, SECRET) == NULL || row.origin->secret);
        expect(option_set(row.option, row.sink ? (void *)&sink : &settings, slice_from(text), &err) == OK);
        config_format(&row, text, sizeof text);
        expect(told || strstr(text, SECRET) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct world_sim sim;
    struct disk_sim *disk = disk_sim_new(7, &sim);
    struct error err;
    struct problems problems;
    const struct config_request request = { .directory = "/c", .environment = "dev" };
    const char platform[] =
        "log.level: warn\nsecrets: {backend: file, directory: /c}\nkafka.sasl_user: ${secret:known}\n";
    world_sim_init(&sim, 7, disk_sim_disk(disk));
    problems_init(&problems, true);
    expect(disk_make_dirs(sim.world.disk, "/c/environments", &err) == OK);
    put(&sim.world, "/c/known", SECRET, strlen(SECRET));
    put(&sim.world, "/c/platform.yaml", platform, sizeof platform - 1);
    put(&sim.world, "/c/environments/dev.yaml", data, size);
    enum status s = config_load(&request, &sim.world, &config, &problems, &err);
    expect(s == OK || s == ERR_INVALID);
    expect((s == OK) == (problems.count == 0) || size > CONFIG_FILE_BYTES_MAX);
    expect((problems.count > 0) == (problems.text.n > 0) && (problems.count > 0) == (problems.json.n > 0));
    bool told = size && memmem(data, size, SECRET, strlen(SECRET)); /* the fuzzer finds it out, and writes it itself */
    expect(told || strstr(problems_text(&problems), SECRET) == NULL);
    expect_settings(&config, told);
    problems_done(&problems);
    disk_sim_free(disk);
    return 0;
}
