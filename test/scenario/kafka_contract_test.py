"""The contract of the journal's port with a real broker: what the unit tests run with the backends of one machine."""
import os, subprocess

from kafka import shared
from scenarios import Skip
from weir import ROOT


def keep_contract(name, build="build-debug", more={}):
    binary = os.path.join(ROOT, build, "test_contract_journal_%s_contract_test_c" % name)
    if not os.path.exists(binary):
        raise Skip("%s builds the contract tests" % ("make debug" if build == "build-debug" else "tools/tsan.sh"))
    done = subprocess.run([binary], cwd=ROOT, env={**os.environ, "WEIR_TEST_KAFKA": shared().address, **more}, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "backend kafka" in done.stdout + done.stderr


def test_committing():
    keep_contract("commit")


def test_reading():
    keep_contract("reading")


def test_sharing():
    keep_contract("sharing")
