"""What the servers that tests start have in common: `start` and `__exit__`, which ends one that has not begun, too."""
import atexit


class Server:
    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise


def lasting(server):
    """For more than one test: it ends with the process. Its files lie outside of any test's own (scratch.py)."""
    server.__enter__()
    atexit.register(server.__exit__)
    return server
