#!/usr/bin/env python3
"""Refuses an include that points upwards, and calls that have a better name here. Stages do not include each other: they meet through
the ports' headers and bounded queues, and only app/ knows both ends. Exit 1 with file:line and what to use instead."""
import os, re, sys

# folder → the folders that it may include (besides itself). "port:NAME" = only that folder's port header.
ALLOWED = {
    "base": {"world"},  # role.c and retry.c: time for their waits
    "world": {"base"},
    "avro": {"base"},
    "kafka": {"base", "world"},  # what all who speak with brokers share
    "config": {"base", "world", "event", "expr", "script"},
    "event": {"base", "world"},
    "expr": {"base", "world", "event"},
    "script": {"base", "world", "event", "expr"},
    "http": {"base", "world"},
    "registry": {"base", "world", "avro", "http"},
    "journal": {"base", "world", "kafka"},
    "catalog": {"base", "world", "journal"},  # the journal carries it to other processes
    "olap": {"base", "world", "cli"},
    "ingest": {"base", "world", "event", "http", "journal", "catalog"},
    "process": {"base", "world", "config", "event", "expr", "script", "journal", "catalog"},
    "store": {"base", "world", "event", "journal"},
    "deliver": {"base", "world", "avro", "event", "journal", "kafka", "registry"},
    "replay": {"base", "world", "config", "event", "catalog", "process", "store"},  # the process folder's stage, run over the past
    "quality": {"base", "world", "config", "store"},
    "retention": {"base", "world", "config", "catalog", "store"},
    "serve": {"base", "world", "event", "http", "journal", "catalog", "process", "store", "replay"},
    "trial": {"base", "world", "config", "event", "journal", "process"},  # the real stream in virtual time, for `weir test`
    "schema": {"base", "world", "config", "event", "expr", "store"},  # what follows from the event types, as text
    "evolve": {"base", "world", "config", "expr", "schema", "catalog"},  # what is declared against what is deployed
    "generate": {"base", "config", "event", "expr"},  # events of a domain's types, for `weir generate`
    "cli": {"base", "world", "config", "event", "expr", "catalog", "trial", "schema", "avro", "http", "registry", "generate", "kafka", "evolve"},
    "app": {"base", "world", "config", "event", "expr", "http", "journal", "catalog", "olap", "ingest", "process", "store", "deliver", "replay", "retention", "quality", "schema", "evolve", "serve", "cli"},
}
# Of another stage only these headers may be used.
PORTS = {"journal": {"journal/journal.h", "journal/lost_mark.h", "journal/drain_end.h"}, "catalog": {"catalog/catalog.h"}, "process": {"process/live.h", "process/task_status.h"},
         "store": {"store/store.h", "store/store_http.h", "store/http_client.h", "store/schema.h"}, "http": {"http/http_server.h", "http/http_client.h"}, "replay": {"replay/replay.h"}}
WITHIN_ONLY = {"ingest", "process", "store", "deliver", "schema", "evolve", "serve"}

BANNED = [
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|strncpy|strncat)\s*\(", "buf_add… or snprintf", set()),
    (r"\b(gettimeofday|clock_gettime|time\s*\(NULL|time\s*\(0)\b", "world_wall_us or world_mono_us", {"world", "base/log.c", "cli"}),
    (r"(?<!->)\b(rand|srand|random|drand48)\s*\(", "world->random", {"world"}),
    (r"\bgetrandom\s*\(", "world->random", {"world"}),
    (r"\bpthread_mutex_", "a queue (base/queue.h)", {"base", "catalog", "journal/journal_memory.c"}),
    (r"\bsleep\s*\(|\busleep\s*\(|\bnanosleep\s*\(", "a role's *wake_us", {"cli", "olap", "app", "world"}),
    (r"\b(atoi|atol|atof)\s*\(", "slice_to_u64 or strtol with a check", set()),
    (r"\bPQ(?!conninfo|freemem)[A-Za-z]+\s*\(", "the catalog (catalog/catalog.h): postgres_link.c has the waits that have an end", {"catalog"}),
    (r"\bsystem\s*\(|\bpopen\s*\(", "posix_spawn", set()),
]

def folder(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""

problems = []
for root, _, files in os.walk("src"):
    for name in sorted(files):
        if not name.endswith((".c", ".h", ".cc")):
            continue
        path = os.path.join(root, name)
        own = folder(path)
        test = name.endswith("_test.c")
        text = open(path, encoding="utf-8").read()
        for number, line in enumerate(text.split("\n"), 1):
            include = re.match(r'\s*#include "([^"]+)"', line)
            if include and own and not test:
                target = include.group(1)
                other = target.split("/")[0]
                if "/" not in target or other == own or other not in ALLOWED:
                    continue
                if other not in ALLOWED[own]:
                    problems.append(f"{path}:{number}: {own}/ may not include {target}: it may use {', '.join(sorted(ALLOWED[own]))}")
                elif own in WITHIN_ONLY and other in PORTS and target not in PORTS[other]:
                    problems.append(f"{path}:{number}: {target} is inside {other}/; use {' or '.join(sorted(PORTS[other]))}")
        code = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S))
        for number, line in enumerate(code.split("\n"), 1):
            for pattern, instead, free in BANNED:
                if test or own in free or path[len("src/"):] in free:
                    continue
                if re.search(pattern, line):
                    problems.append(f"{path}:{number}: {line.strip()[:80]} → use {instead}")
        if not test and len(text.split("\n")) > 800:
            problems.append(f"{path}: {len(text.splitlines())} lines; split it by responsibility")
for problem in problems:
    print("  " + problem)
sys.exit(1 if problems else 0)
