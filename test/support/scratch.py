"""Where a test's files go, and what it may leave: nothing. What it and the programs that it starts make in the directory for temporary files is in one
of its own that goes with it, whatever happens; of a failed test the logs stay. A process that it leaves is a failure of the test, and is ended."""
import contextlib, fcntl, os, pathlib, shutil, signal, tempfile, time

PREFIX = "weir-scratch-"
SECONDS_TO_END = 5  # of an engine whose weir was killed, of a browser's helpers


@contextlib.contextmanager
def scratch():
    directory, keep = tempfile.mkdtemp(prefix=PREFIX), False
    os.chmod(directory, 0o755)  # the engine, as a user of its own, reads below it
    before = use(directory, directory)
    try:
        yield
        await_none(directory)
    except Exception as e:
        for pid in running(directory):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        keep = type(e).__name__ != "Skip" and keep_logs(directory)
        if keep:
            e.add_note("logs: %s" % directory)
        raise
    finally:
        use(*before)
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)


def use(ours, theirs):
    """For temporary files, of this process and of those that it starts; returns what was used. None: the default."""
    before = tempfile.tempdir, os.environ.pop("TMPDIR", None)
    tempfile.tempdir = ours
    if theirs:
        os.environ["TMPDIR"] = theirs
    return before


def running(directory):
    """What uses it for temporary files, or has something below it in its command line: command lines by process id."""
    commands = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(OSError):  # ended meanwhile, or somebody else's
            words, environment = (pathlib.Path("/proc/%d/%s" % (pid, what)).read_text(errors="replace").split("\0") for what in ("cmdline", "environ"))
            if pid != os.getpid() and ("TMPDIR=" + directory in environment or any(directory + "/" in word for word in words)):
                commands[pid] = " ".join(words)
    return commands


@contextlib.contextmanager
def once(directory):
    """Of several processes that install something into it one does, and the others find it done."""
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    with open(directory + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def end_all(directory):
    """Ends what still uses it, and removes it but for the logs of tests that failed in it."""
    for pid in running(directory):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    for entry in list(os.scandir(directory)):
        if not entry.name.startswith(PREFIX):
            shutil.rmtree(entry.path, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(directory)


def await_none(directory):
    end = time.time() + SECONDS_TO_END
    while left := running(directory):
        assert time.time() < end, "it left running: %s" % "; ".join(left.values())
        time.sleep(0.05)


def keep_logs(directory):
    """Removes all else; false when there are none."""
    found = False
    for entry in list(os.scandir(directory)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name.endswith(".log"):
            found = True
        else:
            os.remove(entry.path)
    return found
