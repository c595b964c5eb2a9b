// src/transport.test.ts
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

// src/fakes.ts
var FakeStorage = class {
  #limit = Infinity;
  get length() {
    return Object.keys(this).length;
  }
  key(index) {
    return Object.keys(this)[index] ?? null;
  }
  getItem(name) {
    return this[name] ?? null;
  }
  setItem(name, value) {
    if (this.length >= this.#limit) throw new Error("QuotaExceededError");
    this[name] = value;
  }
  removeItem(name) {
    delete this[name];
  }
  clear() {
    for (const name of Object.keys(this)) delete this[name];
  }
  limitTo(names) {
    this.#limit = names;
  }
};
function define(name, value) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
function freshStorage() {
  const storage = new FakeStorage();
  define("localStorage", storage);
  return storage;
}

// src/queue.ts
var NAME = "q.";
function openQueue(store, eventsMax) {
  let size = -1;
  const names = () => {
    const found = store.names(NAME);
    size = found.length;
    return found;
  };
  const read = (name) => {
    const text = store.get(name);
    try {
      const event = JSON.parse(text);
      if (NAME + event.event_id === name) return [{ text, event }];
    } catch {
    }
    store.remove(name);
    return [];
  };
  const remove = (events2) => {
    for (const { event_id } of events2) store.remove(NAME + event_id);
    size -= events2.length;
  };
  return {
    add(event, text) {
      const full = size < 0 || size >= eventsMax;
      const gone = full ? names().slice(0, Math.max(0, size + 1 - eventsMax)).flatMap(read).map((one) => one.event) : [];
      remove(gone);
      store.set(NAME + event.event_id, text);
      size++;
      return gone;
    },
    all: () => names().flatMap(read),
    remove,
    size: () => names().length
  };
}

// src/storage.ts
function openStore(prefix) {
  const memory = /* @__PURE__ */ new Map();
  let disk;
  try {
    disk = localStorage;
    disk.setItem(prefix + "?", "1");
    disk.removeItem(prefix + "?");
  } catch {
    disk = void 0;
  }
  return {
    get(name) {
      try {
        return memory.get(name) ?? disk?.getItem(prefix + name) ?? null;
      } catch {
        return null;
      }
    },
    set(name, value) {
      try {
        disk.setItem(prefix + name, value);
        memory.delete(name);
        return true;
      } catch {
        memory.set(name, value);
        return false;
      }
    },
    remove(name) {
      memory.delete(name);
      try {
        disk?.removeItem(prefix + name);
      } catch {
      }
    },
    names(start) {
      const found = new Set([...memory.keys()].filter((name) => name.startsWith(start)));
      try {
        for (const key of Object.keys(disk ?? {}))
          if (key.startsWith(prefix + start)) found.add(key.slice(prefix.length));
      } catch {
      }
      return [...found].sort();
    }
  };
}

// src/transport.ts
var PAUSE_MS = 1e3;
var PAUSE_MAX_MS = 3e5;
var ANSWER_MAX_MS = 2e4;
var KEEPALIVE_BYTES = 6e4;
var events = (batch) => batch.map(({ event }) => event);
function retryAfterMs(header, nowMs) {
  const ms = header ? /^\d+$/.test(header) ? +header * 1e3 : Date.parse(header) - nowMs : 0;
  return ms > 0 ? Math.min(ms, 36e5) : 0;
}
var pauseMs = (failures, random) => Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** Math.min(failures - 1, 20)) * (0.5 + random / 2);
function takeBatch(waiting, eventsMax, bytesMax) {
  let bytes = 0;
  let n = 0;
  while (n < waiting.length && n < eventsMax && (bytes += waiting[n].text.length + 1) <= bytesMax) n++;
  return waiting.slice(0, n || 1);
}
function openTransport(queue2, options, context, observe) {
  const url = (options.endpoint ?? "").replace(/\/+$/, "") + (options.path ?? "/e");
  const bytesMax = options.batchBytes ?? 48e3;
  const eventsMax = options.batchEvents ?? 50;
  const beaconed = /* @__PURE__ */ new Set();
  let limit = eventsMax;
  let failures = 0;
  let waitingBytes = 0;
  let waitingEvents = 0;
  let timer;
  let dueMs = Infinity;
  let running;
  const body = (batch) => `{"writeKey":${JSON.stringify(options.key)},"sentAt":"${(/* @__PURE__ */ new Date()).toISOString()}","context":${JSON.stringify(context())},"batch":[${batch.map(({ text }) => text).join()}]}`;
  const calm = () => {
    clearTimeout(timer);
    timer = void 0;
    dueMs = Infinity;
  };
  const at = (ms) => {
    const due = Date.now() + ms;
    if (timer && due >= dueMs) return;
    clearTimeout(timer);
    dueMs = due;
    timer = setTimeout(() => void run(), ms);
  };
  const fail = (batch, reason, atLeastMs) => {
    const retryInMs = Math.round(atLeastMs + pauseMs(++failures, Math.random()));
    observe("failed", events(batch), { reason, retryInMs });
    at(retryInMs);
    return false;
  };
  const accept = async (batch, answer, tookMs) => {
    const results = (await answer.json().catch(() => ({}))).results ?? [];
    const refused = new Set(results.map(({ index }) => index));
    queue2.remove(events(batch));
    failures = 0;
    limit = Math.min(eventsMax, limit * 2);
    observe("acknowledged", events(batch).filter((_, i) => !refused.has(i)), { tookMs });
    observe("rejected", events(batch).filter((_, i) => refused.has(i)), { results });
    return true;
  };
  const send = async () => {
    const batch = takeBatch(queue2.all(), limit, bytesMax);
    if (!batch[0]) return false;
    const text = body(batch);
    const broken = new AbortController();
    const giveUp = setTimeout(() => broken.abort(), ANSWER_MAX_MS);
    const began = Date.now();
    observe("sent", events(batch));
    try {
      const answer = await fetch(url, {
        method: "POST",
        body: text,
        credentials: "omit",
        signal: broken.signal,
        keepalive: text.length < KEEPALIVE_BYTES / 4
      });
      if (answer.ok) return await accept(batch, answer, Date.now() - began);
      if (![400, 413, 422].includes(answer.status))
        return fail(batch, `status ${answer.status}`, retryAfterMs(answer.headers.get("Retry-After"), Date.now()));
      if (batch.length > 1) {
        limit = batch.length >> 1;
      } else {
        queue2.remove(events(batch));
        observe("dropped", events(batch), { reason: `status ${answer.status}` });
      }
      return true;
    } catch (error) {
      return fail(batch, String(error), 0);
    } finally {
      clearTimeout(giveUp);
    }
  };
  const sendAll = async () => {
    waitingBytes = waitingEvents = 0;
    while (await send()) ;
  };
  const run = () => {
    if (running) return running;
    calm();
    const locks = navigator.locks;
    running = (locks ? locks.request(`weir:${url}:${options.key}`, sendAll).catch(sendAll) : sendAll()).catch(() => void 0).then(() => {
      running = void 0;
    });
    return running;
  };
  return {
    wake(bytes) {
      waitingBytes += bytes;
      waitingEvents++;
      if (failures) return;
      at(waitingBytes >= bytesMax || waitingEvents >= eventsMax ? 0 : options.flushIntervalMs ?? 2e3);
    },
    flush() {
      failures = 0;
      return run();
    },
    leave() {
      let rest = queue2.all().filter(({ event }) => !beaconed.has(event.event_id));
      for (let requests = 0; rest.length && requests < 4; requests++) {
        const batch = takeBatch(rest, eventsMax, Math.min(bytesMax, KEEPALIVE_BYTES));
        const text = body(batch);
        rest = rest.slice(batch.length);
        try {
          if (!navigator.sendBeacon(url, text))
            void fetch(url, { method: "POST", body: text, keepalive: true, credentials: "omit" }).catch(() => void 0);
        } catch {
        }
        for (const { event } of batch) beaconed.add(event.event_id);
        observe("beaconed", events(batch));
      }
    },
    stop() {
      calm();
      failures = 0;
    }
  };
}

// src/transport.test.ts
var answers;
var bodies;
var beacons;
var steps;
var queue;
var made = 0;
var ok = () => Response.json({ accepted: 1, rejected: 0, results: [] });
var status = (code, headers = {}) => () => new Response("{}", { status: code, headers });
var offline = () => {
  throw new TypeError("Failed to fetch");
};
function open(options = {}) {
  queue = openQueue(openStore("w."), 1e3);
  return openTransport(queue, { key: "wk", endpoint: "http://collect.test/", ...options }, () => ({}), (step, events2, detail = {}) => {
    if (events2.length) steps.push([step, events2.length, detail]);
  });
}
function put(transport, n = 1) {
  for (let i = 0; i < n; i++) {
    const event = {
      event_id: `id-${String(++made).padStart(6, "0")}`,
      event_type: "t",
      event_name: "t",
      visitor_id: "v",
      session_id: "s",
      timestamp: "",
      properties: {},
      context: {}
    };
    const text = JSON.stringify(event);
    queue.add(event, text);
    transport.wake(text.length);
  }
}
async function pass(ms) {
  mock.timers.tick(ms);
  for (let i = 0; i < 200; i++) await Promise.resolve();
  await new Promise((done) => setImmediate(done));
}
beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 176e10 });
  freshStorage();
  answers = [];
  bodies = [];
  beacons = [];
  steps = [];
  define("fetch", async (url, init) => {
    assert.equal(url, "http://collect.test/e");
    bodies.push(JSON.parse(init.body));
    return (answers.shift() ?? ok)();
  });
  define("navigator", { sendBeacon: (_, text) => beacons.push(JSON.parse(text)) > 0 });
});
test("events wait for company, then leave in one request with key and clock", async () => {
  const transport = open();
  put(transport, 3);
  await pass(1999);
  assert.equal(bodies.length, 0);
  await pass(1);
  assert.equal(bodies.length, 1);
  assert.equal(bodies[0].batch.length, 3);
  assert.equal(bodies[0].writeKey, "wk");
  assert.equal(bodies[0].sentAt, (/* @__PURE__ */ new Date(1760000002e3)).toISOString());
  assert.equal(queue.size(), 0);
  assert.deepEqual(steps.map(([step]) => step), ["sent", "acknowledged"]);
});
test("a full batch leaves at once, the rest behind it", async () => {
  const transport = open({ batchEvents: 10 });
  put(transport, 25);
  await pass(0);
  assert.deepEqual(bodies.map((b) => b.batch.length), [10, 10, 5]);
});
test("without an answer the same events come again, later each time, and count once", async () => {
  const transport = open();
  answers = [offline, offline, status(503), ok];
  put(transport, 2);
  await pass(2e3);
  assert.equal(bodies.length, 1);
  await pass(1e3);
  await pass(2e3);
  await pass(4e3);
  assert.equal(bodies.length, 4);
  assert.equal(new Set(bodies.flatMap((b) => b.batch.map((e) => e.event_id))).size, 2);
  assert.equal(queue.size(), 0);
  assert.equal(steps.filter(([step]) => step === "failed").length, 3);
});
test("Retry-After is waited for", async () => {
  const transport = open();
  answers = [status(429, { "Retry-After": "30" }), ok];
  put(transport);
  await pass(2e3);
  await pass(29999);
  assert.equal(bodies.length, 1);
  await pass(1001);
  assert.equal(bodies.length, 2);
});
test("during a pause new events do not hurry, and leave with the old ones", async () => {
  const transport = open({ batchEvents: 5 });
  answers = [status(429, { "Retry-After": "10" })];
  put(transport);
  await pass(2e3);
  put(transport, 4);
  await pass(5e3);
  assert.equal(bodies.length, 1);
  await pass(6e3);
  assert.equal(bodies[1].batch.length, 5);
});
test("an event that the server cannot take is found, dropped and told; its neighbours arrive", async () => {
  const transport = open();
  const poison = `id-${String(made + 3).padStart(6, "0")}`;
  define("fetch", async (_, init) => {
    const body = JSON.parse(init.body);
    if (body.batch.some((e) => e.event_id === poison)) return status(400)();
    bodies.push(body);
    return ok();
  });
  put(transport, 8);
  await pass(2e3);
  await pass(0);
  assert.equal(bodies.flatMap((b) => b.batch).length, 7);
  assert.deepEqual(steps.filter(([step]) => step === "dropped").map(([, n]) => n), [1]);
  assert.equal(queue.size(), 0);
});
test("verdicts are told: refused events are not sent again", async () => {
  const transport = open();
  answers = [() => Response.json({ accepted: 1, rejected: 1, results: [{ index: 1, code: "bad_timestamp", message: "m" }] })];
  put(transport, 2);
  await pass(2e3);
  assert.deepEqual(steps.slice(1).map(([step, n]) => [step, n]), [["acknowledged", 1], ["rejected", 1]]);
  assert.equal(steps[2][2].results[0].code, "bad_timestamp");
  assert.equal(queue.size(), 0);
});
test("a beacon takes what waits, once, and it stays until somebody answers for it", async () => {
  const transport = open();
  put(transport, 3);
  transport.leave();
  transport.leave();
  assert.deepEqual(beacons.map((b) => b.batch.length), [3]);
  assert.equal(queue.size(), 3);
  await pass(2e3);
  assert.equal(queue.size(), 0);
});
test("beacons stay below what browsers take", () => {
  const transport = open();
  put(transport, 900);
  transport.leave();
  assert.ok(beacons.length <= 4);
  for (const body of beacons) assert.ok(JSON.stringify(body).length < 65536);
});
test("tabs with Web Locks send one after the other, and each event once", async () => {
  let line = Promise.resolve();
  const locks = { request: (_, run) => line = line.then(run) };
  define("navigator", { locks });
  const one = open();
  const two = openTransport(openQueue(openStore("w."), 1e3), { key: "wk", endpoint: "http://collect.test" }, () => ({}), () => void 0);
  put(one, 3);
  void one.flush();
  void two.flush();
  await pass(0);
  assert.deepEqual(bodies.map((b) => b.batch.length), [3]);
});
