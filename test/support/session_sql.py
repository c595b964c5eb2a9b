"""Sessions by sort and cut, in SQL over events_raw, beside those that windows show: a new one begins where the pause before an event is longer than the gap."""

WINDOWS = [{"window": "visits", "gap": 1800000, "key": "visitor_id", "name": "visitor_id"},
           {"window": "type_busy", "gap": 600000, "key": "event_type", "name": "type"}]


def sessions_differ(join, events="", sessions=""):
    """How many differ, of one of WINDOWS that is filled in by %. join: FULL, or LEFT when others may be shown. events, sessions: which of them, as SQL."""
    return """
SELECT count() FROM
  (SELECT k, min(timestamp) AS start, max(timestamp) AS end, count() AS n FROM
     (SELECT k, timestamp, sum(begins) OVER (PARTITION BY k ORDER BY timestamp, event_id) AS number FROM
        (SELECT %(key)s AS k, timestamp, event_id, dateDiff('millisecond', lagInFrame(timestamp, 1, toDateTime64(0, 3, 'UTC')) OVER
           (PARTITION BY %(key)s ORDER BY timestamp, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), timestamp) > %(gap)d AS begins
         FROM events_raw """ + events + """))
   GROUP BY k, number """ + sessions + """) AS events
""" + join + """ JOIN
  (SELECT window_start AS start, window_end AS end, JSONExtractString(key, '%(name)s') AS k, event_count AS n FROM windows WHERE window = '%(window)s') AS results
ON events.start = results.start AND events.k = results.k WHERE events.n != results.n OR events.end != results.end"""
