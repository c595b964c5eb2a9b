#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/generate_output.h"

struct file_output {
    struct generate_output output;
    int fd;
    const char *path; /* NULL: standard output */
    int failed_errno;
};

static bool write_lines(struct generate_output *output, struct buf *lines)
{
    struct file_output *file = (struct file_output *)(void *)output;
    size_t done = 0;
    while (done < lines->n) {
        ssize_t n = write(file->fd, lines->p + done, lines->n - done);
        if (n < 0 && errno != EINTR) {
            file->failed_errno = errno;
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    buf_reset(lines);
    return true;
}

static enum status close_file(struct generate_output *output, struct error *err)
{
    struct file_output *file = (struct file_output *)(void *)output;
    enum status s = OK;
    int why = file->failed_errno;
    if (file->path && close(file->fd) != 0 && !why)
        why = errno;
    if (why && !(why == EPIPE && !file->path))
        s = error_errno(err, status_from_errno(why), why, "write %s", file->path ? file->path : "standard output");
    free(file);
    return s;
}

enum status generate_output_file(const char *path, struct generate_output **out, struct error *err)
{
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : STDOUT_FILENO;
    if (fd < 0)
        return error_errno(err, status_from_errno(errno), errno, "open %s", path);
    struct file_output *file = calloc(1, sizeof *file);
    if (!file)
        abort();
    *file = (struct file_output){ { write_lines, close_file }, fd, path, 0 };
    *out = &file->output;
    return OK;
}
