"""Random windows and random streams for differential_test.py: each window beside the SQL that says the same, all from one dice."""
import collections, json

S, M, H, D = 1000, 60000, 3600000, 86400000
COUNTRIES, TYPES = ["DE", "AT", "FR", "Côte d'Ivoire"], ["page_view", "page_view", "page_view", "purchase", "signup", "click"]
# What events have, as columns; null where it is missing, null, or of another type.
COLUMNS = """event_id, event_type, event_name, visitor_id, toUnixTimestamp64Milli(timestamp) AS ms, timestamp AS at,
 JSONExtract(properties, 'page', 'Nullable(String)') AS page, JSONExtract(properties, 'campaign', 'Nullable(Int64)') AS campaign,
 JSONExtract(properties, 'quantity', 'Nullable(Int64)') AS quantity, JSONExtract(properties, 'score', 'Nullable(Float64)') AS score,
 JSONExtract(properties, 'weight', 'Nullable(Float64)') AS weight, JSONExtract(properties, 'flag', 'Nullable(Bool)') AS flag,
 JSONExtractRaw(properties, 'price') AS price_raw, JSONExtractRaw(properties, 'mixed') AS mixed_raw,
 if(price_raw IN ('', 'null'), NULL, toInt64(toDecimal64(trim(BOTH '"' FROM price_raw), 2) * 100)) AS cents,
 multiIf(mixed_raw IN ('', 'null'), NULL, mixed_raw IN ('true', 'false'), toJSONString(mixed_raw), mixed_raw) AS mixed, JSONExtract(context, 'country', 'Nullable(String)') AS country"""
FILTERS = [
    ("event_type == 'purchase'", "event_type = 'purchase'"),
    ("event_type in ('page_view', 'click') and properties.campaign >= 2", "event_type IN ('page_view', 'click') AND campaign >= 2"),
    ("event_type not in ('page_view', 'click')", "event_type NOT IN ('page_view', 'click')"),
    ("properties.page is not null", "page IS NOT NULL"),
    ("properties.campaign is null", "campaign IS NULL"),
    ("not (properties.score > 0)", "NOT (score > 0)"),
    ("properties.flag == true or event_type == 'signup'", "flag = true OR event_type = 'signup'"),
    ("context.country != 'DE'", "country != 'DE'"),
    ("starts_with(properties.page, '/p1')", "startsWith(page, '/p1')"),
    ("event_name matches 'Name 1*'", "event_name LIKE 'Name 1%'"),
    ("properties.quantity % 2 == 0", "quantity % 2 = 0"),
    ("cents(properties.price) > 1000", "cents > 1000"),
    ("hour(timestamp) < 12", "toHour(at) < 12"),
    ("length(visitor_id) > 100", "lengthUTF8(visitor_id) > 100"),
]
KEYS = [  # name, expression, SQL that gives its JSON
    ("visitor_id", "visitor_id", "toJSONString(visitor_id)"),
    ("page", "properties.page", "ifNull(toJSONString(page), 'null')"),
    ("campaign", "properties.campaign", "ifNull(toString(campaign), 'null')"),
    ("flag", "properties.flag", "ifNull(toString(flag), 'null')"),
    ("country", "context.country", "ifNull(toJSONString(country), 'null')"),
    ("type", "event_type", "toJSONString(event_type)"),
    ("weight", "properties.weight", "ifNull(toString(weight), 'null')"),
    ("big", "\"if(properties.quantity > 5, 'big', 'small')\"", "if(quantity > 5, '\"big\"', '\"small\"')"),
    ("hour", "hour(timestamp)", "toString(toHour(at))"),
]
AT_RANK = "arrayElement(arraySort(groupArray(%(x)s)), toUInt64(floor(%(q)s * (count(%(x)s) - 1))) + 1)"
EARLIEST = "if(count(%(x)s) = 0, 'null', arg%(end)sIf(ifNull(%(x)s, ''), (ms, xxh3(event_id)), %(x)s IS NOT NULL))"


def measure(dice):
    """(measure, SQL, how the two are compared)"""
    number = dice.choice([("properties.quantity", "quantity"), ("properties.score", "score"), ("properties.weight", "weight"),
                          ("cents(properties.price)", "cents"), ("properties.campaign * 3 - 1", "campaign * 3 - 1")])
    whole = dice.choice([("cents(properties.price)", "cents"), ("properties.quantity", "quantity"), ("properties.weight", "weight")])
    thing = dice.choice([("visitor_id", "toJSONString(visitor_id)"), ("properties.page", "toJSONString(page)"), ("properties.campaign", "toString(campaign)"),
                         ("properties.mixed", "mixed"), ("properties.quantity", "toString(quantity)"), ("event_id", "toJSONString(event_id)")])
    q, k = dice.choice([0.01, 0.25, 0.5, 0.9, 0.95, 0.99]), dice.choice([1, 3, 10])
    return dice.choice([
        ("count()", "count()", same), ("sum(if(properties.flag, 1, 0))", "sum(if(flag, 1, 0))", same),
        ("sum(%s)" % whole[0], "if(count(%s) = 0, NULL, sum(%s))" % (whole[1], whole[1]), same),
        ("sum(properties.score)", "sum(score)", close),
        ("min(%s)" % number[0], "min(%s)" % number[1], same), ("max(%s)" % number[0], "max(%s)" % number[1], same),
        ("mean(%s)" % number[0], "avg(%s)" % number[1], close), ("variance(%s)" % number[0], "varPopStable(%s)" % number[1], close),
        ("distinct(%s)" % thing[0], "uniqExact(%s)" % thing[1], about),
        ("quantile(%s, %s)" % (number[0], q), "if(count(%s) = 0, NULL, %s)" % (number[1], AT_RANK % {"x": number[1], "q": q}), near),
        ("top(%s, %d)" % (thing[0], k), "groupArray(%s)" % thing[1], lambda got, want: top_is_true(got, want, k)),
        ("first(%s)" % thing[0], EARLIEST % {"x": thing[1], "end": "Min"}, is_json),
        ("last(%s)" % thing[0], EARLIEST % {"x": thing[1], "end": "Max"}, is_json),
    ])


# ---- how a result and SQL's are compared: exactly, or within what src/process/aggregate/README.md promises ----


def same(got, want):
    return got == want


def close(got, want):
    return got == want or (got is not None and want is not None and abs(got - want) <= 1e-9 * max(abs(want), 1))


def near(got, want):
    """Quantiles: 1 % of the value at the rank."""
    return got == want or (got is not None and want is not None and abs(got - want) <= 0.01 * abs(want) + 1e-9)


def about(got, want):
    """Distinct: exact up to 1,536 values, then 0.81 % standard error, of which six are allowed."""
    return got == want if want <= 1500 else abs(got - want) <= 6 * 0.0081 * want


def is_json(got, want):
    return got == json.loads(want)


def top_is_true(got, want, k):
    counts = collections.Counter(json.dumps(json.loads(w)) for w in want)
    if len(counts) > max(64, 8 * k):
        slack = 2 * len(want) / max(64, 8 * k)
        return all(abs(t["count"] - counts[json.dumps(t["value"])]) <= slack for t in got)
    return [t["count"] for t in got] == sorted(counts.values(), reverse=True)[:k] and all(counts[json.dumps(t["value"])] == t["count"] for t in got)


# ---- windows ----


class Window:
    def __init__(self, dice, number, tenants):
        self.name, self.kind = "w%d" % number, dice.choice(["tumbling", "tumbling", "sliding", "sliding", "session", "session", "clock"])
        self.size, self.slide, self.gap = dice.choice([S, 10 * S, M, 5 * M, H, 6 * H]), 0, 0
        if self.kind == "sliding":
            self.slide = self.size // dice.choice([2, 5, 10])
            if self.slide < S:
                self.size, self.slide = 10 * S, 2 * S
        if self.kind == "session":
            self.gap = dice.choice([S, 10 * S, M, 10 * M, 30 * M, H])
        if self.kind == "clock":
            self.size = dice.choice([S, 2 * S, 5 * S])
        self.lateness = 0 if self.kind == "clock" else dice.choice([0, 0, 10 * S, 5 * M, H, 30 * D])
        self.emit = dice.choice(["update", "close", "both", None])
        self.where, self.sql_where = dice.choice(FILTERS) if dice.random() < 0.4 else (None, "true")
        self.keys = dice.sample(KEYS, dice.choice([0, 1, 1, 1, 2, 3]))
        if dice.random() < 0.25:
            self.keys = [KEYS[0]] + [k for k in self.keys if k is not KEYS[0]]
        self.is_local = any(k is KEYS[0] for k in self.keys)
        self.measures = [measure(dice) for _ in range(dice.randint(1, 5))]
        if self.kind == "clock":
            self.measures = [("count()", "count()", same), ("sum(cents(properties.price))", "ifNull(sum(cents), 0)", same)]
        self.tenants = dice.sample(tenants, 1) if dice.random() < 0.1 else tenants
        self.only = self.tenants is not tenants

    def yaml(self):
        lines = ["  - name: " + self.name, "    kind: " + ("tumbling" if self.kind == "clock" else self.kind)]
        lines += ["    gap: %ds" % (self.gap // S)] if self.gap else ["    size: %ds" % (self.size // S)]
        lines += ["    slide: %ds" % (self.slide // S)] if self.slide else []
        lines += ["    where: " + json.dumps(self.where, ensure_ascii=False)] if self.where else []
        lines += ["    by: [%s]" % ", ".join("{%s: %s}" % k[:2] for k in self.keys)] if self.keys else []
        lines += ["    measures:"] + ["      m%d: %s" % (i, json.dumps(m[0], ensure_ascii=False)) for i, m in enumerate(self.measures)]
        lines += ["    lateness: %ds" % (self.lateness // S)] if self.lateness else []
        lines += ["    emit: " + self.emit] if self.emit else []
        lines += ["    time: processing"] if self.kind == "clock" else []
        lines += ["    tenants: [%s]" % ", ".join(self.tenants)] if self.only else []
        return "\n".join(lines)

    def step(self):
        return self.gap or self.slide or self.size

    def missed_end(self, ms, watermark):
        """The end of the last window of an event that was over for good, and whether it was the event's last."""
        if self.kind == "session":
            return (ms + self.gap, True) if ms + self.gap + self.lateness <= watermark else (0, False)
        first, last = ms // self.step() * self.step() + self.step(), ms // self.step() * self.step() + self.size
        ends = [e for e in range(first, last + 1, self.step()) if e + self.lateness <= watermark]
        return (ends[-1], ends[-1] == last) if ends else (0, False)

    def wanted_sql(self):
        return "SELECT event_id FROM (SELECT %s FROM events_raw) WHERE %s ORDER BY event_id" % (COLUMNS, self.sql_where)

    def sql(self):
        """Rows (start, end, keys' JSON, events, measures…) from the events that were not told late."""
        key = "[%s]" % ", ".join("ifNull(%s, 'null')" % k[2] for k in self.keys) if self.keys else "emptyArrayString()"
        results = ", ".join(["count()"] + [m[1] for m in self.measures])
        events = ("(SELECT *, %s AS key FROM (SELECT %s FROM events_raw) AS e LEFT JOIN (SELECT event_id, max(toUnixTimestamp64Milli(window_end)) AS missed FROM late_events"
                  " WHERE window = '%s' AND event_id != '' GROUP BY event_id) AS l USING (event_id) WHERE %s)" % (key, COLUMNS, self.name, self.sql_where))
        if self.kind == "clock":
            return "SELECT 0, 0, key, %s FROM %s GROUP BY key ORDER BY key" % (results, events)
        if self.kind == "session":
            return ("SELECT min(ms), max(ms), key, %s FROM (SELECT *, sum(begins) OVER (PARTITION BY key ORDER BY ms, event_id) AS number FROM (SELECT *,"
                    " ms - lagInFrame(ms, 1, 0) OVER (PARTITION BY key ORDER BY ms, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) > %d AS begins"
                    " FROM %s WHERE missed = 0)) GROUP BY key, number ORDER BY key, number" % (results, self.gap, events))
        return ("SELECT end - %d, end, key, %s FROM (SELECT *, intDiv(ms, %d) * %d + arrayJoin(range(1, %d)) * %d AS end FROM %s) WHERE missed < end"
                " GROUP BY end, key ORDER BY end, key" % (self.size, results, self.step(), self.step(), self.size // self.step() + 1, self.step(), events))


# ---- streams ----


class Stream:
    """The events of a tenant in the order in which they are sent."""

    def __init__(self, dice, name, now, disorder):
        self.name, self.is_live = name, dice.random() < 0.4
        self.count = dice.choice([20, 200, 500, 1000, 2000, 5000])
        self.visitors, self.skew = dice.choice([1, 5, 40, 400]), dice.choice([0, 1, 2])
        self.pages, self.scatter = dice.choice([2, 20, 200]), dice.choice([0, 0.02, 0.2])
        span = dice.choice([M, H, 12 * H] + ([] if self.is_live else [D, 10 * D, 400 * D]))
        begin = now - span if self.is_live else dice.randrange(915148800000, 1600000000000)
        jitter = dice.choice([0, disorder, 3 * disorder])
        times, at = [], begin
        for _ in range(self.count):
            at += dice.expovariate(self.count / span)
            back = jitter * dice.random() if dice.random() < 0.3 else 0
            back = dice.random() * (at - begin) if dice.random() < self.scatter else back
            times.append(min(int(at - back), now))
        if dice.random() < 0.2:
            dice.shuffle(times)
        if dice.random() < 0.3:
            times = [t // S * S for t in times]
        self.events = [self.event(dice, n, t) for n, t in enumerate(times)]
        self.end = now + 20 * H if self.is_live else max(times) + disorder + 8 * H + 2

    def skewed(self, dice, n):
        return min(n - 1, int(n * dice.random() ** (1 + 2 * self.skew)))

    def event(self, dice, n, ms):
        properties = {"n": n, "page": "/p%d ä\"\\" % self.skewed(dice, self.pages), "campaign": self.skewed(dice, 6), "quantity": dice.choice([1, 2, 3, 7, 10**12, -4]),
                      "score": dice.gauss(0, 100), "weight": dice.randrange(-40, 40) / 8, "flag": dice.random() < 0.5,
                      "price": dice.choice(["%.2f", "%.2f", "%.1f"]) % (dice.randrange(-500, 10**6) / 100), "mixed": dice.choice([7, "7", "seven", True, 7.5, None])}
        if dice.random() < 0.5:
            properties["price"] = float(properties["price"])
        for name in ("page", "campaign", "quantity", "score", "weight", "flag", "price"):
            if dice.random() < 0.05:
                properties[name] = None
            elif dice.random() < 0.05:
                del properties[name]
        event = {"event_id": "%s-%d" % (self.name, n), "visitor_id": "v%d" % self.skewed(dice, self.visitors), "event_type": dice.choice(TYPES),
                 "event_name": "Name %d" % dice.randrange(20), "timestamp": ms, "properties": properties}
        if dice.random() < 0.8:
            event["context"] = {"country": dice.choice(COUNTRIES)}
        if self.is_live and dice.random() < 0.1:
            del event["timestamp"]  # the time at which it comes
        return event

    def last_words(self):
        """Events that bring every partition's clock past all the others."""
        return [{"event_id": "%s-end-%d" % (self.name, i), "visitor_id": "end%d" % i, "event_type": "end", "event_name": "end", "timestamp": self.end,
                 "properties": {"n": self.count + i}} for i in range(64)]

    def shares(self, connections):
        """A visitor's events stay with one connection, so that their order is known."""
        shares = [[] for _ in range(connections)]
        for event in self.events:
            shares[hash_of(event["visitor_id"]) % connections].append(event)
        return shares


def hash_of(text):
    return sum((i + 1) * b for i, b in enumerate(text.encode()))
