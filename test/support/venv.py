"""Python packages that tests need, each set pinned in a file beside this one, in an environment of its own under .deps/."""
import contextlib, os, subprocess, sys

from scratch import once
from weir import ROOT

HERE = os.path.dirname(os.path.abspath(__file__))


def venv(name):
    """The directory of an environment with what requirements_NAME.txt says, made or brought up to date."""
    directory, source = os.path.join(ROOT, ".deps", "venv-" + name), os.path.join(HERE, "requirements_%s.txt" % name)
    wanted, note = open(source).read(), os.path.join(directory, "installed-from")
    with once(directory):
        with contextlib.suppress(OSError):
            if open(note).read() == wanted:
                return directory
        install(directory, source)
        with open(note, "w") as f:
            f.write(wanted)
        return directory


def install(directory, source):
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    done = subprocess.run([os.path.join(directory, "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", source],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
