#!/usr/bin/env python3
"""Free ports for servers that a test starts: below those from which the kernel takes one for each outgoing connection, so that none of these can take it
between now and the server's start, or while a server is down that will be started again. Of two runs on one machine each gets others: a port is
locked by a name in the kernel (an abstract socket), which goes with the process that asked.
usage: ports.py N     prints so many, for scripts; they are checked, and not locked"""
import collections, contextlib, random, socket, sys

FIRST = 15000
LOCKS_MAX = 300  # then the oldest is given back: its server has long been started, or has ended
_locks, _dice = collections.deque(), random.SystemRandom()


def _last():
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            return max(int(f.read().split()[0]), FIRST + 2000)
    return 32768


def _lock(port):
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind("\0weir-test-port-%d" % port)
        return lock
    except OSError:  # another test's
        lock.close()
        return None


def _is_free(port):
    with contextlib.suppress(OSError), socket.socket() as s:
        s.bind(("", port))
        return True
    return False


def free_port():
    for _ in range(1000):
        port = _dice.randrange(FIRST, _last())
        lock = _lock(port)
        if lock and _is_free(port):
            _locks.append(lock)
            if len(_locks) > LOCKS_MAX:
                _locks.popleft().close()
            return port
        if lock:
            lock.close()
    raise AssertionError("no free port in a thousand from %d on" % FIRST)


if __name__ == "__main__":
    print(*[free_port() for _ in range(int(sys.argv[1]))])
