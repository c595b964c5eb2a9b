#!/usr/bin/env python3
"""The simulations of test/sim/ over many seeds, on all cores: built plainly (-O2, assertions on), because a seed costs a tenth of what it
costs under the sanitizers, which `make unit` runs a few dozens with. Says how far it is, and how to repeat a seed that failed.

usage: sim.py [--seeds N] [TEST…]     TEST: stream, process, keyed, journal
"""
import argparse, concurrent.futures, os, re, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAILURES_MAX = 5  # then it stops
# name: program, first seed, seeds, seeds a process runs
SIMULATIONS = {
    "stream": ("test_sim_stream_sim_test_c", 1, 1000, 20),
    "process": ("test_sim_process_crash_test_c", 100, 500, 50),
    "keyed": ("test_sim_keyed_crash_test_c", 100, 500, 50),
    "journal": ("test_sim_journal_crash_test_c", 1, 4000, 400),
}


def run(name, first, count):
    """(seed that failed or None, how many were run, output)"""
    program = os.path.join("build", SIMULATIONS[name][0])
    env = {k: v for k, v in os.environ.items() if k not in ("SEED", "SEEDS", "CUT", "FIRST")} | {"FIRST": str(first), "SEEDS": str(count)}
    done = subprocess.run([program], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    seeds = re.findall(r"^SEED=(\d+)$", done.stdout, re.M)
    if done.returncode == 0 and len(seeds) == count:
        return None, count, ""
    return seeds[-1] if seeds else str(first), len(seeds), done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, metavar="N", help="of each simulation (default: stream 1000, process 500, keyed 500, journal 4000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once (default: as many as cores)")
    parser.add_argument("tests", nargs="*", metavar="TEST", help=", ".join(SIMULATIONS))
    options = parser.parse_args()
    for name in options.tests:
        if name not in SIMULATIONS:
            parser.error(f"there is no simulation {name!r}: {', '.join(SIMULATIONS)}")
    shares = []
    for name in options.tests or SIMULATIONS:
        _, first, seeds, share = SIMULATIONS[name]
        end = first + (options.seeds or seeds)
        shares += [(name, at, min(share, end - at)) for at in range(first, end, share)]
    total, ran, failed, began, said = sum(s[2] for s in shares), 0, 0, time.monotonic(), 0.0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = {pool.submit(run, *share): share[0] for share in shares}
        for job in concurrent.futures.as_completed(jobs):
            if job.cancelled():
                continue
            seed, count, output = job.result()
            ran += count
            if seed is not None:
                failed += 1
                print("\n".join(output.splitlines()[-25:]))
                print(f"sim: FAILED. Again, with the log: SEED={seed} build/{SIMULATIONS[jobs[job]][0]}", flush=True)
                if failed == FAILURES_MAX:
                    for other in jobs:
                        other.cancel()
            now = time.monotonic()
            if now - said > (0.5 if sys.stdout.isatty() else 20):
                said = now
                print(f"sim: {ran} of {total} seeds, {now - began:.0f} s", end="\r" if sys.stdout.isatty() else "\n", flush=True)
    print(f"sim: {ran} seeds, {failed} failed, in {time.monotonic() - began:.0f} s")
    return 1 if failed or ran < total else 0


if __name__ == "__main__":
    sys.exit(main())
