"""Random tests that can be repeated: WEIR_SEED=N, which a run says, also one that fails."""
import functools, os, random


def by_seed(test):
    @functools.wraps(test)
    def run(*words):
        seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
        random.seed(seed)
        try:
            return "seed %d: %s" % (seed, test(*words))
        except Exception as e:
            e.add_note("again: WEIR_SEED=%d" % seed)
            raise
    return run
