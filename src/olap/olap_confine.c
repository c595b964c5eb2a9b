/* Four layers, each enough for something the others miss:
 *   user       started by root: becomes HOUSE_UID (olap_house.h), no groups, no capabilities, no way to gain any
 *   landlock   files: its own directory, its configuration to read, the system's libraries and facts about the machine;
 *              TCP: listens on its port only, connects nowhere (ABI 4 and up)
 *   seccomp    no connect, no sockets but TCP, no new program or process, no mounting, tracing or kernel interfaces
 *   limits     no core dumps (they would hold events), first to go when memory runs out
 * The engine opens no connection of its own; url(), remote(), s3(), executable() are refused by its grants first, so
 * that these layers are what is left when the grants fail. Raw system calls, because no library for them is packaged
 * everywhere.
 */
#include "olap/olap_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_BIND_TCP (1ULL << 0)
#define NET_CONNECT_TCP (1ULL << 1)
#define RULE_NET_PORT 2
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

/* As in the newest kernel headers; older kernels take a shorter struct, so the size passed depends on the ABI. */
struct ruleset {
    uint64_t fs, net, scoped;
};
struct net_port {
    uint64_t allowed, port;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_LIBRARY (FS_READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define FS_ALL_V1 ((1ULL << 13) - 1)

static const struct {
    const char *path;
    uint64_t access;
} READABLE[] = {
    { "/lib", FS_LIBRARY },
    { "/lib64", FS_LIBRARY },
    { "/usr/lib", FS_LIBRARY },
    { "/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE },
    { "/etc/localtime", LANDLOCK_ACCESS_FS_READ_FILE },
    { "/usr/share/zoneinfo", FS_READ },
    { "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE },
    { "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE },
    { "/proc/self", FS_READ }, /* the directory of this process: the link is followed here, once */
    { "/proc/meminfo", LANDLOCK_ACCESS_FS_READ_FILE },
    { "/proc/cpuinfo", LANDLOCK_ACCESS_FS_READ_FILE },
    { "/proc/stat", LANDLOCK_ACCESS_FS_READ_FILE },
    { "/proc/loadavg", LANDLOCK_ACCESS_FS_READ_FILE },
    { "/proc/uptime", LANDLOCK_ACCESS_FS_READ_FILE },
    { "/proc/pressure", FS_READ },
    { "/proc/sys/vm", FS_READ },
    { "/proc/sys/fs/file-nr", LANDLOCK_ACCESS_FS_READ_FILE },
    { "/sys/fs/cgroup", FS_READ },
    { "/sys/devices/system", FS_READ },
};

static int landlock_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static bool landlock_allow_fd(int ruleset, int fd, uint64_t access)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool landlock_allow(int ruleset, const char *path, uint64_t access)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return true; /* not there: nothing to allow */
    bool allowed = landlock_allow_fd(ruleset, fd, access);
    close(fd);
    return allowed;
}

static enum status landlock_enter(const struct confine_options *options, struct buf *told, struct error *err)
{
    int abi = landlock_abi();
    if (abi < 1) {
        buf_add_text(told, " landlock=missing(files: only what user and grants refuse)");
        return OK;
    }
    uint64_t own = FS_ALL_V1;
    if (abi >= 2)
        own |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        own |= LANDLOCK_ACCESS_FS_TRUNCATE;
    struct ruleset attr = { .fs = own | (abi >= 5 ? FS_IOCTL_DEV : 0) };
    size_t size = sizeof attr.fs;
    if (abi >= 4) {
        attr.net = NET_BIND_TCP | NET_CONNECT_TCP;
        size = sizeof attr.fs + sizeof attr.net;
    }
    if (abi >= 6) {
        attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
        size = sizeof attr;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return error_errno(err, ERR_IO, errno, "landlock ruleset");
    uint64_t engine_access =
        own & ~(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO);
    bool done =
        landlock_allow_fd(ruleset, options->engine_fd, engine_access) &&
        landlock_allow_fd(ruleset, options->run_fd, FS_READ) &&
        (options->library_fd < 0 ||
         landlock_allow_fd(ruleset, options->library_fd, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE));
    for (size_t i = 0; done && i < COUNT_OF(READABLE); i++)
        done = landlock_allow(ruleset, READABLE[i].path, READABLE[i].access);
    if (done && abi >= 4) {
        struct net_port port = { NET_BIND_TCP, options->port };
        done = syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &port, 0) == 0;
    }
    done = done && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    int reason = errno;
    close(ruleset);
    if (!done)
        return error_errno(err, ERR_IO, reason, "landlock rules");
    buf_add_format(told, " landlock=abi%d(%s)", abi, abi >= 4 ? "files,tcp" : "files");
    return OK;
}

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define REFUSE(reason) ANSWER(SECCOMP_RET_ERRNO | (reason))
/* Low 32 bits of an argument, little-endian. */
#define LOAD_ARG(i) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[i]))
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define IF_ANY_BIT(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (value), (yes), (no))
/* The call number is in the accumulator; each of these is two instructions and leaves it there. */
#define REFUSE_CALL(number, reason) IF_EQUAL(number, 0, 1), REFUSE(reason)

static const struct sock_filter FILTER[] = {
#ifdef THIS_ARCH
    LOAD(arch),
    IF_EQUAL(THIS_ARCH, 1, 0),
    ANSWER(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
#ifdef __x86_64__
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* the x32 numbers would pass the tests below */
    REFUSE(ENOSYS),
#endif
    REFUSE_CALL(__NR_connect, EACCES),
    REFUSE_CALL(__NR_execve, EACCES),
    REFUSE_CALL(__NR_execveat, EACCES),
    REFUSE_CALL(__NR_ptrace, EPERM),
    REFUSE_CALL(__NR_process_vm_readv, EPERM),
    REFUSE_CALL(__NR_process_vm_writev, EPERM),
    REFUSE_CALL(__NR_pidfd_getfd, EPERM),
    REFUSE_CALL(__NR_mount, EPERM),
    REFUSE_CALL(__NR_umount2, EPERM),
    REFUSE_CALL(__NR_move_mount, EPERM),
    REFUSE_CALL(__NR_open_tree, EPERM),
    REFUSE_CALL(__NR_fsopen, EPERM),
    REFUSE_CALL(__NR_pivot_root, EPERM),
    REFUSE_CALL(__NR_chroot, EPERM),
    REFUSE_CALL(__NR_unshare, EPERM),
    REFUSE_CALL(__NR_setns, EPERM),
    REFUSE_CALL(__NR_bpf, EPERM),
    REFUSE_CALL(__NR_perf_event_open, EPERM),
    REFUSE_CALL(__NR_userfaultfd, EPERM),
    REFUSE_CALL(__NR_keyctl, EPERM),
    REFUSE_CALL(__NR_add_key, EPERM),
    REFUSE_CALL(__NR_request_key, EPERM),
    REFUSE_CALL(__NR_open_by_handle_at, EPERM),
    REFUSE_CALL(__NR_init_module, EPERM),
    REFUSE_CALL(__NR_finit_module, EPERM),
    REFUSE_CALL(__NR_kexec_load, EPERM),
    REFUSE_CALL(__NR_io_uring_setup, ENOSYS), /* it would connect without the calls tested here */
    REFUSE_CALL(__NR_clone3, ENOSYS),         /* its flags cannot be read from here: libc falls back to clone */
#ifdef __x86_64__
    REFUSE_CALL(__NR_fork, EPERM),
    REFUSE_CALL(__NR_vfork, EPERM),
#endif
    /* clone: threads only. */
    IF_EQUAL(__NR_clone, 0, 4),
    LOAD_ARG(0),
    IF_ANY_BIT(CLONE_THREAD, 0, 1),
    ANSWER(SECCOMP_RET_ALLOW),
    REFUSE(EPERM),
    /* socket: TCP only, so no datagrams, no name server. The type carries flags above its low four bits. */
    IF_EQUAL(__NR_socket, 0, 8),
    LOAD_ARG(0),
    IF_EQUAL(AF_INET, 1, 0),
    IF_EQUAL(AF_INET6, 0, 4),
    LOAD_ARG(1),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf),
    IF_EQUAL(SOCK_STREAM, 0, 1),
    ANSWER(SECCOMP_RET_ALLOW),
    REFUSE(EACCES),
    /* sendto and sendmsg with MSG_FASTOPEN connect. */
    IF_EQUAL(__NR_sendto, 0, 4),
    LOAD_ARG(3),
    IF_ANY_BIT(MSG_FASTOPEN, 1, 0),
    ANSWER(SECCOMP_RET_ALLOW),
    REFUSE(EACCES),
    IF_EQUAL(__NR_sendmsg, 0, 4),
    LOAD_ARG(2),
    IF_ANY_BIT(MSG_FASTOPEN, 1, 0),
    ANSWER(SECCOMP_RET_ALLOW),
    REFUSE(EACCES),
    IF_EQUAL(__NR_sendmmsg, 0, 1),
    REFUSE(EACCES),
#endif
    ANSWER(SECCOMP_RET_ALLOW),
};

static enum status seccomp_enter(struct buf *told, struct error *err)
{
    struct sock_fprog program = { COUNT_OF(FILTER), (struct sock_filter *)FILTER };
    if (COUNT_OF(FILTER) > 1 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) {
        buf_add_text(told, " seccomp=on(no connect, no exec)");
        return OK;
    }
    if (COUNT_OF(FILTER) > 1 && errno != EINVAL && errno != ENOSYS)
        return error_errno(err, ERR_IO, errno, "seccomp");
    buf_add_text(told, " seccomp=missing");
    return OK;
}

static enum status user_leave(uint32_t uid, struct buf *told, struct error *err)
{
    if (geteuid() != 0) {
        buf_add_format(told, " user=%u(as started)", (unsigned)geteuid());
        return OK;
    }
    if (uid == 0) {
        buf_add_text(told, " user=0(no way to another one here)");
        return OK;
    }
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* refused in some containers; the set below is emptied all the same */
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        return error_errno(err, ERR_IO, errno, "become user %u", uid);
    assert(geteuid() == uid && setuid(0) != 0);
    buf_add_format(told, " user=%u", uid);
    return OK;
}

static enum status capabilities_drop(struct buf *told, struct error *err)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { { 0 } };
    if (syscall(SYS_capset, &header, none) != 0)
        return error_errno(err, ERR_IO, errno, "drop capabilities");
    buf_add_text(told, " capabilities=none");
    return OK;
}

static void limits_set(void)
{
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    /* Taking events in goes before storing them: the journal is the buffer, a client's time-out is not. */
    (void)setpriority(PRIO_PROCESS, 0, 10);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "500", 3) < 0)
            errno = 0; /* not allowed everywhere, and nothing depends on it */
        close(fd);
    }
}

enum status olap_confine(const struct confine_options *options, struct buf *told, struct error *err)
{
    limits_set();
    enum status s = user_leave(options->uid, told, err);
    if (s == OK)
        s = capabilities_drop(told, err);
    if (s == OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        s = error_errno(err, ERR_IO, errno, "no new privileges");
    if (s == OK)
        s = landlock_enter(options, told, err);
    if (s == OK)
        s = seccomp_enter(told, err);
    return s;
}
