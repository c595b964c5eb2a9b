/* The engine writes "this block is part P" to TABLE/deduplication_logs/deduplication_log_N.txt and only then renames
 * the finished part to P. Killed between the two, it believes in a part that does not exist, and drops the repeat of
 * the insert as a duplicate: the rows of that partition are lost (seen in one of eight kills in mid-insert over 330
 * months). At its next start it even gives P's number to another block. So, before it starts, every record whose part
 * is neither there nor merged into one that is there is taken back, by the record that the engine itself uses for that.
 *
 * A record is a line: operation (1 add, 2 drop) TAB part TAB block. A part's name is
 * PARTITION_FIRST_LAST_LEVEL[_MUTATION], without '_' in PARTITION; it covers the blocks FIRST … LAST. Parts removed on
 * purpose (TTL, DROP PARTITION) have been dropped from the log by the engine; should one remain, forgetting it is
 * harmless. Only the end of the two newest files is looked at: a start repairs what the run before it left.
 */
#include "olap/olap_repair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

#define LOG_BYTES_MAX (64u << 20)
#define RECORDS_LOOKED_AT 4096
#define PARTS_BYTES_MAX (256u << 20)

struct part {
    char partition[40]; /* a date, "all", or 32 hexadecimal digits */
    uint64_t first, last;
};

struct record {
    bool add;
    struct slice part, block;
};

static bool part_parse(struct slice name, struct part *out)
{
    const char *split = memchr(name.p, '_', name.n);
    if (!split || split == name.p || (size_t)(split - name.p) >= sizeof out->partition)
        return false;
    memset(out->partition, 0, sizeof out->partition);
    memcpy(out->partition, name.p, (size_t)(split - name.p));
    uint64_t numbers[4];
    size_t count = 0;
    struct slice rest = slice_after(name, (size_t)(split - name.p) + 1);
    while (count < COUNT_OF(numbers)) {
        const char *end = rest.n ? memchr(rest.p, '_', rest.n) : NULL;
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        if (!slice_to_u64(slice_of(rest.p, n), &numbers[count++]))
            return false;
        if (!end)
            break;
        rest = slice_after(rest, n + 1);
    }
    if (count < 3)
        return false;
    out->first = numbers[0];
    out->last = numbers[1];
    return true;
}

static int part_compare(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    int by_partition = memcmp(x->partition, y->partition, sizeof x->partition);
    return by_partition ? by_partition : (x->first > y->first) - (x->first < y->first);
}

static enum status parts_list(const char *table_dir, struct buf *out, struct error *err)
{
    DIR *dir = opendir(table_dir);
    if (!dir)
        return error_errno(err, status_from_errno(errno), errno, "open %s", table_dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct part part;
        if (part_parse(slice_from(entry->d_name), &part))
            buf_add(out, &part, sizeof part);
    }
    closedir(dir);
    if (out->full)
        return error_set(err, ERR_FULL, "%s has too many parts to look through", table_dir);
    if (out->n)
        qsort(out->p, out->n / sizeof(struct part), sizeof(struct part), part_compare);
    return OK;
}

static bool parts_cover(const struct buf *parts, const struct part *wanted)
{
    const struct part *all = (const void *)parts->p;
    size_t low = 0, high = parts->n / sizeof *all;
    while (low < high) { /* the first part behind the wanted block */
        size_t middle = (low + high) / 2;
        if (part_compare(&all[middle], wanted) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    /* A merged part and the ones it replaced lie side by side for a while, hence more than one to look at. */
    for (; low > 0 && memcmp(all[low - 1].partition, wanted->partition, sizeof wanted->partition) == 0; low--)
        if (all[low - 1].last >= wanted->first)
            return true;
    return false;
}

static enum status log_newest(const char *logs_dir, uint64_t *out_number, struct error *err)
{
    DIR *dir = opendir(logs_dir);
    if (!dir)
        return error_errno(err, status_from_errno(errno), errno, "open %s", logs_dir);
    uint64_t newest = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct slice name = slice_from(entry->d_name);
        struct slice prefix = SLICE("deduplication_log_");
        uint64_t number;
        if (slice_starts(name, prefix) && name.n > prefix.n + 4 &&
            slice_to_u64(slice_of(name.p + prefix.n, name.n - prefix.n - 4), &number) && number > newest)
            newest = number;
    }
    closedir(dir);
    *out_number = newest;
    return newest ? OK : ERR_NOT_FOUND;
}

static enum status file_read(const char *path, struct buf *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, status_from_errno(errno), errno, "open %s", path);
    ssize_t n = 0;
    for (char *to; (to = buf_reserve(out, 65536)) && (n = read(fd, to, 65536)) > 0;)
        out->n += (size_t)n;
    int reason = errno;
    close(fd);
    if (n < 0)
        return error_errno(err, ERR_IO, reason, "read %s", path);
    return out->full ? error_set(err, ERR_FULL, "%s is too long", path) : OK;
}

/* Splits the line that ends at `end`; *start gets its first byte. */
static bool record_before(const char *begin, const char *end, const char **start, struct record *out)
{
    const char *p = end;
    while (p > begin && p[-1] != '\n')
        p--;
    *start = p;
    struct slice line = slice_of(p, (size_t)(end - p));
    if (line.n < 4 || (line.p[0] != '1' && line.p[0] != '2') || line.p[1] != '\t')
        return false;
    const char *tab = memchr(line.p + 2, '\t', line.n - 2);
    if (!tab)
        return false;
    out->add = line.p[0] == '1';
    out->part = slice_of(line.p + 2, (size_t)(tab - line.p) - 2);
    out->block = slice_of(tab + 1, (size_t)(end - tab) - 1);
    return true;
}

/* Newest first. A block's newest record says what the engine believes of it; older ones are history. */
static uint32_t records_judge(const struct buf *log, const struct buf *parts, struct buf *out_lines)
{
    static struct slice seen[RECORDS_LOOKED_AT]; /* dropped blocks: few */
    size_t seen_count = 0;
    uint32_t untrue = 0;
    const char *end = log->p + log->n;
    while (end > log->p && end[-1] == '\n')
        end--;
    for (size_t looked = 0; end > log->p && looked < RECORDS_LOOKED_AT; looked++) {
        struct record record;
        struct part part;
        const char *start;
        if (record_before(log->p, end, &start, &record) && part_parse(record.part, &part)) {
            bool settled = false;
            for (size_t i = 0; i < seen_count && !settled; i++)
                settled = slice_equal(seen[i], record.block);
            if (!record.add)
                seen[seen_count++] = record.block;
            else if (!settled && !parts_cover(parts, &part)) {
                buf_add_format(out_lines, "2\t%.*s\t%.*s\n", SLICE_ARG(record.part), SLICE_ARG(record.block));
                untrue++;
            }
        }
        end = start > log->p ? start - 1 : start;
    }
    return untrue;
}

static enum status log_append(const char *path, const struct buf *log, struct slice lines, struct error *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, status_from_errno(errno), errno, "open %s", path);
    bool torn = log->n && log->p[log->n - 1] != '\n';
    bool written = (!torn || write(fd, "\n", 1) == 1) && write(fd, lines.p, lines.n) == (ssize_t)lines.n;
    int reason = errno;
    close(fd);
    return written ? OK : error_errno(err, status_from_errno(reason), reason, "write %s", path);
}

enum status olap_repair_table(const char *table_dir, uint32_t *out_records, struct error *err)
{
    char path[1400];
    uint64_t newest = 0;
    *out_records = 0;
    snprintf(path, sizeof path, "%s/deduplication_logs", table_dir);
    if (access(path, F_OK) != 0)
        return OK; /* a table that does not look for repeats */
    enum status s = log_newest(path, &newest, err);
    if (s != OK)
        return s == ERR_NOT_FOUND ? OK : s;
    AUTO(buf) struct buf log, parts, lines;
    buf_init(&log, LOG_BYTES_MAX);
    buf_init(&parts, PARTS_BYTES_MAX);
    buf_init(&lines, LOG_BYTES_MAX);
    for (uint64_t number = newest > 1 ? newest - 1 : newest; s == OK && number <= newest; number++) {
        snprintf(path, sizeof path, "%s/deduplication_logs/deduplication_log_%llu.txt", table_dir,
                 (unsigned long long)number);
        s = file_read(path, &log, err);
        if (s == ERR_NOT_FOUND && number < newest)
            s = OK; /* the engine has removed it: nothing in it is remembered */
    }
    if (s == OK)
        s = parts_list(table_dir, &parts, err);
    if (s != OK || log.n == 0)
        return s;
    uint32_t untrue = records_judge(&log, &parts, &lines);
    if (untrue)
        s = log_append(path, &log, buf_slice(&lines), err);
    if (s == OK)
        *out_records = untrue;
    return s;
}

/* store/abc/abcdef01-…/ is a table. */
enum status olap_repair(const char *engine_dir, uint32_t *out_records, struct error *err)
{
    char path[1200];
    *out_records = 0;
    snprintf(path, sizeof path, "%s/store", engine_dir);
    DIR *outer = opendir(path);
    if (!outer)
        return errno == ENOENT ? OK : error_errno(err, ERR_IO, errno, "open %s", path);
    enum status s = OK;
    for (struct dirent *entry; s == OK && (entry = readdir(outer));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/store/%s", engine_dir, entry->d_name);
        DIR *inner = opendir(path);
        if (!inner)
            continue;
        for (struct dirent *table; s == OK && (table = readdir(inner));) {
            char table_dir[1300];
            uint32_t records = 0;
            if (table->d_name[0] == '.')
                continue;
            snprintf(table_dir, sizeof table_dir, "%s/%s", path, table->d_name);
            s = olap_repair_table(table_dir, &records, err);
            *out_records += records;
        }
        closedir(inner);
    }
    closedir(outer);
    return s;
}
