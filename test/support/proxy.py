"""A network that behaves badly between a client of Kafka and a broker: slow, silent, cut, also at a chosen request of Kafka's protocol."""
import contextlib, random, socket, struct, threading, time

# Numbers of Kafka's requests, as its protocol has them.
PRODUCE, FETCH, ADD_PARTITIONS, ADD_OFFSETS, END_TRANSACTION, OFFSET_COMMIT = 0, 1, 24, 25, 26, 28


class Proxy:
    def __init__(self, seed=1):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port, self.target = self.listener.getsockname()[1], None
        self.delay_s, self.dice, self.pairs, self.lock = (0, 0), random.Random(seed), set(), threading.Lock()
        self.flowing = threading.Event()
        self.flowing.set()
        self.at_request, self.closed, self.cuts = None, False, 0

    def forward_to(self, address):
        host, port = address.split(":")
        self.target = (host, int(port))
        threading.Thread(target=self._accept, daemon=True).start()

    def delay(self, least_s, most_s):
        """Each piece that passes waits so long, either way."""
        self.delay_s = (least_s, most_s)

    def stall(self):
        """Nothing passes, nothing is closed: as when all packets are lost."""
        self.flowing.clear()

    def flow(self):
        self.flowing.set()

    def cut(self):
        """All connections end now; what was under way is lost."""
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self._end(pair)
        self.cuts += len(pairs)

    def on_request(self, what):
        """what(number) → None, "before" (cut instead of passing it on) or "after" (cut behind it: the answer is lost)."""
        self.at_request = what

    def close(self):
        self.closed = True
        self.flowing.set()
        self.listener.close()
        self.cut()

    def _accept(self):
        while not self.closed:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, timeout=2)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            pair = (near, far)
            with self.lock:
                self.pairs.add(pair)
            threading.Thread(target=self._requests, args=(pair,), daemon=True).start()
            threading.Thread(target=self._answers, args=(pair,), daemon=True).start()

    def _end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _pass(self, end, piece):
        if self.delay_s[1]:
            time.sleep(self.dice.uniform(*self.delay_s))
        self.flowing.wait()
        end.sendall(piece)

    def _answers(self, pair):
        with contextlib.suppress(OSError):
            while piece := pair[1].recv(1 << 18):
                self._pass(pair[0], piece)
        self._end(pair)

    def _requests(self, pair):
        near, far = pair
        with contextlib.suppress(OSError, EOFError):
            while True:
                head = self._read(near, 6)
                size, number = struct.unpack(">ih", head)
                body = self._read(near, size - 2)
                verdict = self.at_request and self.at_request(number)
                if verdict == "before":
                    break
                self._pass(far, head + body)
                if verdict == "after":
                    break
        self._end(pair)

    @staticmethod
    def _read(end, n):
        pieces = []
        while n:
            piece = end.recv(min(n, 1 << 18))
            if not piece:
                raise EOFError
            pieces.append(piece)
            n -= len(piece)
        return b"".join(pieces)
