/* `weir olap`: the process that hosts the ClickHouse engine.
 *
 * DIR/lock      held for life: one engine a directory
 * DIR/secret    passwords come from it; the engine cannot read it
 * DIR/run/      config.xml and users.xml, written anew at each start; the engine may only read them
 * DIR/engine/   the engine's own; the only place where it may write
 *
 * Order matters: everything that needs the starter's rights (lock, files, ownership, opening the library) is done
 * first, then the process shuts itself in, and only then code from the library runs. After that the directories above
 * may be closed to this user (a home of mode 0700), so they are reached through the working directory and open
 * descriptors: /proc/self/cwd, /proc/self/fd/N. The engine calls its tables' paths the same wherever DIR is, so DIR can
 * be moved.
 *
 * The library's entry for clickhouse-local is given a query that starts the HTTP listener and then sleeps for 300
 * years. When that ends, so does the process, and the parent starts the next.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "olap/olap.h"
#include "olap/olap_confine.h"
#include "olap/olap_flags.h"
#include "olap/olap_house.h"
#include "olap/olap_repair.h"
#include "olap/olap_users.h"
#include "world/world.h"

/* From the library's interface, which comes without a header. */
struct engine_result {
    char *text;
    size_t size;
    void *owner;
    double elapsed;
    uint64_t rows, bytes;
    char *error;
};
typedef struct engine_result *engine_entry(int argc, char **argv);

#define SERVE                                                                                                          \
    "SYSTEM START LISTEN HTTP; SELECT sleepEachRow(1) FROM numbers(10000000000) FORMAT Null "                          \
    "SETTINGS max_block_size=1, function_sleep_max_microseconds_per_block=0, max_execution_time=0"
#define WAIT_FOR_PREDECESSOR_MS 5000
#define XML_BYTES_MAX (64u << 20)

struct child {
    const char *data_dir;
    char library[OLAP_PATH_MAX];
    uint32_t port, memory_mb, slots;
    int parent_fd; /* readable at its end when the parent is gone; -1: started by hand */
    bool confine, verbose;
    int lock_fd, engine_fd, run_fd, library_fd;
    uint32_t uid; /* who it will be */
    struct olap_paths paths;
};

static const char HELP[] =
    "usage: weir olap --data DIR --port PORT [--library FILE] [--memory-mb N] [--slots N] [--no-confine]\n"
    "                 [--verbose]\n\n"
    "Hosts the ClickHouse engine on 127.0.0.1:PORT. `weir up` starts it; by hand it is for looking into a stopped "
    "data\n"
    "directory (DATA/olap). --verbose shows the engine's own log, with queries and values.\n"
    "Exit codes: 64 usage, 69 no library or the port is taken, 70 the engine gave up, 73 directory, 75 another engine "
    "uses the directory.\n";

static bool number(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
    uint64_t value;
    if (!slice_to_u64(slice_from(text), &value) || value < least || value > most)
        return false;
    *out = (uint32_t)value;
    return true;
}

static int options_read(int argc, char **argv, struct child *child, const char **library)
{
    static const struct option OPTIONS[] = {
        { "data", 1, NULL, 'd' },      { "port", 1, NULL, 'p' },       { "library", 1, NULL, 'l' },
        { "memory-mb", 1, NULL, 'm' }, { "slots", 1, NULL, 's' },      { "parent-fd", 1, NULL, 'f' },
        { "verbose", 0, NULL, 'v' },   { "no-confine", 0, NULL, 'n' }, { "help", 0, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    bool good = true;
    uint32_t fd;
    optind = 1;
    for (int c; good && (c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (c == 'd')
            child->data_dir = optarg;
        else if (c == 'p')
            good = number(optarg, 1, 65535, &child->port);
        else if (c == 'l')
            *library = optarg;
        else if (c == 'm')
            good = number(optarg, 256, 1u << 24, &child->memory_mb);
        else if (c == 's')
            good = number(optarg, 1, 100000, &child->slots);
        else if (c == 'f') {
            good = number(optarg, 3, 1023, &fd);
            child->parent_fd = good ? (int)fd : -1;
        } else if (c == 'v')
            child->verbose = true;
        else if (c == 'n')
            child->confine = false;
        else if (c == 'h') {
            fputs(HELP, stdout);
            return -1;
        } else
            good = false;
    }
    if (good && child->data_dir && child->port && optind == argc)
        return EX_OK;
    fputs(HELP, stderr);
    return EX_USAGE;
}

/* Calls try until it succeeds or the time is over: whoever holds what we need may be about to die. */
static bool wait_for(bool (*try)(struct child *), struct child *child)
{
    for (int waited_ms = 0;; waited_ms += 20) {
        if (try(child))
            return true;
        if (waited_ms >= WAIT_FOR_PREDECESSOR_MS)
            return false;
        poll(NULL, 0, 20);
    }
}

static bool lock_try(struct child *child)
{
    return flock(child->lock_fd, LOCK_EX | LOCK_NB) == 0;
}

static bool port_try(struct child *child)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)child->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool is_free = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
    close(fd);
    return is_free;
}

static int directory_open(const char *path, mode_t mode, struct error *err)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        error_errno(err, status_from_errno(errno), errno, "make %s", path);
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        error_errno(err, status_from_errno(errno), errno, "open %s", path);
    return fd;
}

static enum status directories_open(struct child *child, struct error *err)
{
    char run[1200], engine[1200];
    struct stat about;
    snprintf(run, sizeof run, "%s/run", child->data_dir);
    snprintf(engine, sizeof engine, "%s/engine", child->data_dir);
    child->run_fd = directory_open(run, 0700, err);
    child->engine_fd = child->run_fd < 0 ? -1 : directory_open(engine, 0700, err);
    if (child->engine_fd < 0)
        return err->status;
    if (fstat(child->engine_fd, &about) != 0)
        return error_errno(err, ERR_IO, errno, "look at %s", engine);
    if (geteuid() != 0 && about.st_uid != geteuid())
        return error_set(err, ERR_IO, "%s belongs to user %u: start weir as root or as that user, or run chown -R",
                         engine, (unsigned)about.st_uid);
    child->uid = geteuid();
    if (geteuid() == 0 && child->confine)
        return olap_house(run, engine, &child->uid, &child->paths, err);
    snprintf(child->paths.run, sizeof child->paths.run, "%s", run);
    snprintf(child->paths.engine, sizeof child->paths.engine, "%s", engine);
    return OK;
}

static enum status run_file_write(const struct child *child, const char *name, const struct buf *text,
                                  struct error *err)
{
    unlinkat(child->run_fd, name, 0);
    int fd = openat(child->run_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, status_from_errno(errno), errno, "make %s/run/%s", child->data_dir, name);
    bool done = write(fd, text->p, text->n) == (ssize_t)text->n;
    if (geteuid() != child->uid && done)
        done = fchown(fd, child->uid, child->uid) == 0;
    int reason = errno;
    close(fd);
    return done ? OK : error_errno(err, status_from_errno(reason), reason, "write %s/run/%s", child->data_dir, name);
}

static enum status files_write(const struct child *child, struct error *err)
{
    char users_path[1300], temporary_path[1300];
    struct olap_secret secret;
    AUTO(buf) struct buf text;
    buf_init(&text, XML_BYTES_MAX);
    enum status s = olap_secret_open(child->data_dir, world_real(), &secret, err);
    if (s == OK)
        s = olap_users_xml(&secret, child->slots, &text, err);
    sodium_memzero(&secret, sizeof secret);
    if (s == OK)
        s = run_file_write(child, "users.xml", &text, err);
    if (s != OK)
        return s;
    buf_reset(&text);
    snprintf(users_path, sizeof users_path, "%s/users.xml", child->paths.run);
    snprintf(temporary_path, sizeof temporary_path, "%s/tmp/", child->paths.engine);
    struct olap_config config = { users_path, temporary_path, child->memory_mb, child->verbose };
    s = olap_config_xml(&config, &text, err);
    return s == OK ? run_file_write(child, "config.xml", &text, err) : s;
}

/* All that needs the starter's rights. */
static int prepare(struct child *child, const char *library, struct error *err)
{
    char path[1200];
    if (olap_find_library(library, child->library, err) != OK)
        return EX_UNAVAILABLE;
    child->library_fd = open(child->library, O_RDONLY | O_CLOEXEC);
    if (child->library_fd < 0)
        return error_errno(err, ERR_IO, errno, "open %s", child->library), EX_UNAVAILABLE;
    int base_fd = directory_open(child->data_dir, 0755, err);
    if (base_fd < 0)
        return EX_CANTCREAT;
    /* To be walked through, not listed: the engine's user has to, where it cannot have a namespace. */
    if (fchmod(base_fd, 0711) != 0)
        return error_errno(err, ERR_IO, errno, "open the way through %s", child->data_dir), EX_CANTCREAT;
    close(base_fd);
    snprintf(path, sizeof path, "%s/lock", child->data_dir);
    child->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (child->lock_fd < 0)
        return error_errno(err, status_from_errno(errno), errno, "open %s", path), EX_CANTCREAT;
    if (!wait_for(lock_try, child))
        return error_set(err, ERR_FULL, "another engine uses %s: stop that weir first, or give this one another --data",
                         child->data_dir),
               EX_TEMPFAIL;
    if (!wait_for(port_try, child))
        return error_set(err, ERR_FULL, "port %u on 127.0.0.1 is taken: choose another with --olap-port", child->port),
               EX_UNAVAILABLE;
    if (directories_open(child, err) != OK || files_write(child, err) != OK)
        return EX_CANTCREAT;
    uint32_t repaired = 0;
    if (olap_repair(child->paths.engine, &repaired, err) != OK)
        return EX_IOERR;
    if (repaired)
        log_warn("olap.repaired", "inserts=%u that a kill had left half done will be taken when they come again",
                 repaired);
    return EX_OK;
}

/* A thread of its own, so that it works whatever the engine is doing. */
static void *watch(void *self)
{
    struct child *child = self;
    struct pollfd parent = { .fd = child->parent_fd, .events = POLLIN };
    for (int turn = 0;; turn++) {
        /* Tables are made soon after the start, rarely later. */
        if (poll(&parent, 1, turn < 50 ? 200 : 30000) > 0)
            _exit(EX_OK); /* the parent is gone; nobody will ask any more */
        olap_flags_set(child->paths.engine);
    }
    return NULL;
}

static int serve(struct child *child, struct error *err)
{
    char library[64], config[1300], path[1300], port[32];
    snprintf(library, sizeof library, "/proc/self/fd/%d", child->library_fd);
    snprintf(config, sizeof config, "--config-file=%s/config.xml", child->paths.run);
    snprintf(path, sizeof path, "--path=%s", child->paths.engine);
    snprintf(port, sizeof port, "--http_port=%u", child->port);
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return error_set(err, ERR_IO, "load %s: %s; run `make setup` to fetch it again", child->library, dlerror()),
               EX_UNAVAILABLE;
    engine_entry *entry;
    *(void **)&entry = dlsym(handle, "query_stable_v2");
    if (!entry)
        return error_set(err, ERR_INVALID, "%s is not the engine that this weir was built for; run `make setup`",
                         child->library),
               EX_UNAVAILABLE;
    char *argv[] = { "clickhouse", config, path, "--listen_host=127.0.0.1", port, "--query=" SERVE, NULL };
    struct engine_result *result = entry((int)COUNT_OF(argv) - 1, argv);
    error_set(err, ERR_RETRY, "the engine stopped serving: %s",
              result && result->error ? result->error : "it did not say why");
    return EX_SOFTWARE;
}

static int run(struct child *child, const char *library, struct error *err)
{
    if (child->parent_fd >= 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    int code = prepare(child, library, err);
    if (code != EX_OK)
        return code;
    AUTO(buf) struct buf told;
    buf_init(&told, 1024);
    if (child->confine) {
        /* Descriptors from before the move: the rules are about the directories, whatever path leads there. */
        struct confine_options options = { child->engine_fd, child->run_fd, child->library_fd, (uint16_t)child->port,
                                           child->uid };
        if (olap_confine(&options, &told, err) != OK)
            return EX_NOPERM;
    } else {
        buf_add_text(&told, " NOT CONFINED: SQL that passes the guard can read this user's files");
    }
    log_info("olap.starting", "port=%u memory_mb=%u readers=%u%s", child->port, child->memory_mb, child->slots,
             buf_text(&told));
    /* The change of user took the order to die back. The parent may have died before either of the two. */
    if (child->parent_fd >= 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, child) != 0)
        return error_set(err, ERR_IO, "no thread to watch the parent with"), EX_OSERR;
    return serve(child, err);
}

int olap_child(int argc, char **argv)
{
    struct child child = {
        .memory_mb = OLAP_MEMORY_MB_DEFAULT, .slots = OLAP_SLOTS_DEFAULT, .parent_fd = -1, .confine = true
    };
    const char *library = NULL;
    struct error err = { .text = "" };
    int code = options_read(argc, argv, &child, &library);
    if (code != EX_OK)
        return code < 0 ? EX_OK : code;
    char absolute[4096];
    if (child.data_dir[0] != '/') {
        if (!getcwd(absolute, sizeof absolute - 1200) || strlen(child.data_dir) > 1000)
            return EX_OSERR;
        size_t used = strlen(absolute);
        snprintf(absolute + used, sizeof absolute - used, "/%s", child.data_dir);
        child.data_dir = absolute;
    }
    if (strlen(child.data_dir) > 1000) {
        log_error("olap.failed", "code=%d the path of the data directory is too long", EX_USAGE);
        return EX_USAGE;
    }
    umask(077);
    close_range(child.parent_fd >= 0 ? (unsigned)child.parent_fd + 1 : 3, ~0u, 0);
    if (sodium_init() < 0)
        return EX_OSERR;
    code = run(&child, library, &err);
    if (code != EX_OK)
        log_error("olap.failed", "code=%d %s", code, err.text);
    _exit(code); /* the engine's threads are not to be waited for */
}
