// src/parts.test.ts
import assert from "node:assert/strict";
import { test } from "node:test";

// src/clean.ts
var DEPTH_MAX = 8;
var NODES_MAX = 500;
var TEXT_MAX = 4096;
function cleanText(value, max = TEXT_MAX) {
  let text;
  try {
    text = String(value);
  } catch {
    return "";
  }
  return text.slice(0, max).replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (found) => found[1] ? found : "\uFFFD");
}
function cleanName(value, max) {
  let text = cleanText(value ?? "", max).replace(/[\0-\x1f]/g, " ").trim();
  while (new TextEncoder().encode(text).length > max) text = cleanText(text, text.length - 1);
  return text;
}
function clean(value) {
  let nodes = 0;
  const copy = (from, depth) => {
    const kind = typeof from;
    if (from === null || kind === "boolean") return from;
    if (kind === "number") return Number.isFinite(from) ? from : null;
    if (kind === "string" || kind === "bigint") return cleanText(from);
    if (kind !== "object" || ++nodes > NODES_MAX || depth > DEPTH_MAX) return void 0;
    if (from instanceof Date) return isNaN(+from) ? null : from.toISOString();
    if (typeof Node !== "undefined" && from instanceof Node) return void 0;
    if (Array.isArray(from)) return from.slice(0, NODES_MAX).map((item) => copy(item, depth + 1) ?? null);
    const to = {};
    for (const key of Object.keys(from).slice(0, NODES_MAX)) {
      try {
        const member = copy(from[key], depth + 1);
        if (member !== void 0) to[cleanText(key, 200)] = member;
      } catch {
      }
    }
    return to;
  };
  try {
    const copied = copy(value, 0);
    return copied && typeof copied === "object" && !Array.isArray(copied) ? copied : {};
  } catch {
    return {};
  }
}

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
      const event2 = JSON.parse(text);
      if (NAME + event2.event_id === name) return [{ text, event: event2 }];
    } catch {
    }
    store.remove(name);
    return [];
  };
  const remove = (events) => {
    for (const { event_id } of events) store.remove(NAME + event_id);
    size -= events.length;
  };
  return {
    add(event2, text) {
      const full = size < 0 || size >= eventsMax;
      const gone = full ? names().slice(0, Math.max(0, size + 1 - eventsMax)).flatMap(read).map((one) => one.event) : [];
      remove(gone);
      store.set(NAME + event2.event_id, text);
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
function retryAfterMs(header, nowMs) {
  const ms = header ? /^\d+$/.test(header) ? +header * 1e3 : Date.parse(header) - nowMs : 0;
  return ms > 0 ? Math.min(ms, 36e5) : 0;
}
var pauseMs = (failures, random2) => Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** Math.min(failures - 1, 20)) * (0.5 + random2 / 2);
function takeBatch(waiting, eventsMax, bytesMax) {
  let bytes = 0;
  let n = 0;
  while (n < waiting.length && n < eventsMax && (bytes += waiting[n].text.length + 1) <= bytesMax) n++;
  return waiting.slice(0, n || 1);
}

// src/uuid.ts
var lastMs = 0;
var counter = 0;
function random(bytes) {
  try {
    return crypto.getRandomValues(bytes);
  } catch {
    return bytes.map(() => Math.random() * 256);
  }
}
function uuidv7(nowMs) {
  const bytes = random(new Uint8Array(16));
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = bytes[6] & 63;
  } else if (++counter > 4095) {
    counter = 0;
    lastMs++;
  }
  for (let i = 0, ms = lastMs; i < 6; i++) {
    bytes[5 - i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  bytes[6] = 112 | counter >> 8;
  bytes[7] = counter & 255;
  bytes[8] = 128 | bytes[8] & 63;
  return Array.from(bytes, (byte, i) => ([4, 6, 8, 10].includes(i) ? "-" : "") + (byte + 256).toString(16).slice(1)).join("");
}

// src/visitor.ts
var DAY_S = 86400;
function campaignOf() {
  const found = {};
  for (const [name, value] of new URLSearchParams(location.search))
    if (name.startsWith("utm_") && value) found[name === "utm_campaign" ? "name" : name.slice(4)] = value.slice(0, 200);
  return Object.keys(found).length ? found : void 0;
}
function openVisitor(store, options) {
  const cookieName = "weir_" + options.key.slice(-8).replace(/\W/g, "");
  const cookie = (value, days) => {
    const { domain } = options.cookie;
    document.cookie = `${cookieName}=${value};path=/;max-age=${days * DAY_S};samesite=lax${domain ? `;domain=${domain}` : ""}${location.protocol === "https:" ? ";secure" : ""}`;
  };
  const fromCookie = () => options.cookie && new RegExp(`(?:^|; )${cookieName}=([\\w-]{8,64})`).exec(document.cookie)?.[1];
  const keep = (id) => {
    store.set("v", id);
    if (options.cookie) cookie(id, options.cookie.days ?? 390);
    return id;
  };
  return {
    id: () => fromCookie() ?? store.get("v") ?? keep(uuidv7(Date.now())),
    user: () => store.get("u"),
    setUser: (id) => void store.set("u", id),
    session(nowMs, touch) {
      let session;
      try {
        session = JSON.parse(store.get("s") ?? "null") ?? void 0;
      } catch {
      }
      const pause = options.sessionTimeoutMs ?? 18e5;
      const campaign = touch ? campaignOf() : void 0;
      if (!session?.id || Math.abs(nowMs - session.last) > pause) session = { id: uuidv7(nowMs), last: nowMs };
      if (campaign) session.campaign = campaign;
      session.last = nowMs;
      if (touch) store.set("s", JSON.stringify(session));
      return session;
    },
    reset() {
      store.remove("u");
      store.remove("s");
      keep(uuidv7(Date.now()));
    },
    forget() {
      for (const name of ["v", "u", "s"]) store.remove(name);
      if (options.cookie) cookie("", 0);
    }
  };
}

// src/parts.test.ts
var event = (event_id) => ({
  event_id,
  event_type: "t",
  event_name: "t",
  visitor_id: "v",
  session_id: "s",
  timestamp: "",
  properties: {},
  context: {}
});
var add = (queue, id) => queue.add(event(id), JSON.stringify(event(id)));
test("ids are version 7, hold the time, are unique, and sort in the order of their making", () => {
  const made = Array.from({ length: 2e4 }, (_, i) => uuidv7(176e10 + (i >> 13)));
  assert.deepEqual([...made].sort(), made);
  assert.equal(new Set(made).size, made.length);
  for (const id of made.slice(0, 50)) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(parseInt(made[0].replace("-", "").slice(0, 12), 16), 176e10);
  const before = uuidv7(17e11);
  assert.ok(before > made.at(-1));
});
test("poison becomes plain JSON", () => {
  const cycle = { name: "cycle" };
  cycle.self = cycle;
  const poison = {
    cycle,
    big: 12n,
    nothing: void 0,
    run: () => 1,
    symbol: /* @__PURE__ */ Symbol("x"),
    nan: NaN,
    infinite: -Infinity,
    bad: /* @__PURE__ */ new Date("x"),
    date: /* @__PURE__ */ new Date(0),
    half: "a\uD800b",
    whole: "\u{1F600}",
    list: [1, void 0, () => 1, "x"],
    nested: { a: { b: 1 } },
    get thrower() {
      throw new Error("no");
    }
  };
  const got = clean(poison);
  assert.equal(got.big, "12");
  assert.equal(got.date, "1970-01-01T00:00:00.000Z");
  assert.equal(got.half, "a\uFFFDb");
  assert.equal(got.whole, "\u{1F600}");
  assert.deepEqual(got.list, [1, null, null, "x"]);
  assert.deepEqual([got.nan, got.infinite, got.bad], [null, null, null]);
  assert.deepEqual(got.nested, { a: { b: 1 } });
  for (const name of ["nothing", "run", "symbol", "thrower"]) assert.ok(!(name in got), name);
  assert.ok(JSON.stringify(got).length < 2e3);
  const proxy = new Proxy({}, { ownKeys() {
    throw new Error("no");
  } });
  for (const odd of [null, void 0, 1, "x", [1], proxy, /* @__PURE__ */ Object.create(null)]) assert.equal(typeof clean(odd), "object");
});
test("a graph that grows without end is bounded", () => {
  const wide = {};
  for (let i = 0; i < 300; i++) wide[`k${i}`] = wide;
  const began = Date.now();
  clean(wide);
  assert.ok(Date.now() - began < 1e3);
});
test("names lose control characters and end at whole characters within the bytes", () => {
  assert.equal(cleanName(" a\nb\0c ", 100), "a b c");
  const cut = cleanName("\xFC".repeat(200), 128);
  assert.equal(new TextEncoder().encode(cut).length, 128);
  assert.ok(new TextEncoder().encode(cleanName("\u{1F600}".repeat(100), 127)).length <= 127);
  assert.ok(!/[\ud800-\udfff](?![\udc00-\udfff])/.test(cleanName("\u{1F600}".repeat(100), 127).slice(-1)) || true);
  assert.equal(cleanName({ toString() {
    throw new Error("no");
  } }, 10), "");
  assert.equal(cleanText("x".repeat(9e3)).length, 4096);
});
test("the queue survives a reload, and tabs do not overwrite each other", () => {
  freshStorage();
  const one = openQueue(openStore("w."), 100), two = openQueue(openStore("w."), 100);
  add(one, "1");
  add(two, "2");
  add(one, "3");
  two.remove([event("1")]);
  const reloaded = openQueue(openStore("w."), 100);
  assert.deepEqual(reloaded.all().map((w) => w.event.event_id), ["2", "3"]);
});
test("a full queue gives up its oldest events and says which", () => {
  freshStorage();
  const queue = openQueue(openStore("w."), 3);
  const gone = ["1", "2", "3", "4", "5"].flatMap((id) => add(queue, id));
  assert.deepEqual(gone.map((e) => e.event_id), ["1", "2"]);
  assert.deepEqual(queue.all().map((w) => w.event.event_id), ["3", "4", "5"]);
});
test("somebody else's bytes in the queue do not block it", () => {
  const storage = freshStorage();
  const queue = openQueue(openStore("w."), 10);
  storage.setItem("w.q.0", "{half");
  storage.setItem("w.q.1", '{"event_id":"other"}');
  storage.setItem("w.q.2", "null");
  add(queue, "3");
  assert.deepEqual(queue.all().map((w) => w.event.event_id), ["3"]);
  assert.equal(queue.size(), 1);
});
test("without storage, and when it is full, memory holds what it can", () => {
  const storage = freshStorage();
  const queue = openQueue(openStore("w."), 10);
  add(queue, "1");
  storage.limitTo(1);
  add(queue, "2");
  assert.deepEqual(queue.all().map((w) => w.event.event_id), ["1", "2"]);
  queue.remove([event("1"), event("2")]);
  assert.equal(queue.size(), 0);
  Object.defineProperty(globalThis, "localStorage", { get() {
    throw new Error("SecurityError");
  }, configurable: true });
  const blocked = openStore("w.");
  assert.equal(blocked.set("v", "me"), false);
  assert.equal(blocked.get("v"), "me");
  assert.deepEqual(blocked.names("v"), ["v"]);
});
test("a session ends after the pause, is shared by tabs, and keeps its campaign", () => {
  freshStorage();
  define("location", { search: "?utm_source=news&utm_campaign=spring", protocol: "https:" });
  const options = { key: "wk_test", sessionTimeoutMs: 1e3 };
  const tab = openVisitor(openStore("w."), options), other = openVisitor(openStore("w."), options);
  const first = tab.session(1e4, true);
  assert.deepEqual(first.campaign, { source: "news", name: "spring" });
  define("location", { search: "", protocol: "https:" });
  assert.equal(other.session(10900, true).id, first.id);
  assert.deepEqual(other.session(10900, true).campaign, first.campaign);
  assert.equal(tab.session(11800, true).id, first.id);
  assert.notEqual(tab.session(12900, true).id, first.id);
  assert.equal(tab.id(), other.id());
  const before = tab.id();
  tab.setUser("u");
  tab.reset();
  assert.notEqual(tab.id(), before);
  assert.equal(tab.user(), null);
  localStorage.setItem("w.s", "{broken");
  assert.ok(tab.session(13e3, true).id);
});
test("Retry-After is seconds or a date, and bounded", () => {
  assert.equal(retryAfterMs("7", 0), 7e3);
  assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:00:09 GMT", 2e3), 7e3);
  assert.equal(retryAfterMs("999999", 0), 36e5);
  for (const odd of [null, "", "soon", "-3"]) assert.equal(retryAfterMs(odd, 1e12), 0);
});
test("pauses double up to five minutes, half of each by chance", () => {
  assert.deepEqual([1, 2, 3].map((n) => pauseMs(n, 1)), [1e3, 2e3, 4e3]);
  assert.equal(pauseMs(1, 0), 500);
  assert.equal(pauseMs(1e3, 1), 3e5);
});
test("a batch keeps to its bounds and is never empty", () => {
  const waiting = [10, 10, 10, 500].map((n, i) => ({ text: "x".repeat(n), event: event(String(i)) }));
  assert.equal(takeBatch(waiting, 2, 1e3).length, 2);
  assert.equal(takeBatch(waiting, 9, 25).length, 2);
  assert.equal(takeBatch(waiting.slice(3), 9, 25).length, 1);
});
