#!/usr/bin/env python3
"""Refuses a link of a Markdown file that leads nowhere, and the name of a file of ours (`window.c`, `src/journal/`) that is not there. A name is enough of
a path if such a file is somewhere. What stands for many (NAME.c, *_test.c) is passed over. Exit 1 with file:line."""
import os, re, subprocess, sys

OURS = (".c", ".h", ".cc", ".py", ".sh", ".mjs", ".ts", ".tsx", ".md", ".supp")
OTHERS = {"kafka-configs.sh", "weir-events.ts"}  # Kafka's, a user's own
FOLDERS = ("src/", "test/", "tools/", "docs/", "dashboard/", "sdk/", "bench/", "config/", "deploy/", "examples/", "demo/")

files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
files = [f for f in files if os.path.exists(f)]
endings = {"/" + f for f in files}


def anchors(path):
    text = re.sub(r"```.*?```", "", open(path, encoding="utf-8").read(), flags=re.S)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"`", "", h)).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.M)}


def is_there(path):
    return os.path.exists(path) or any(e.endswith("/" + path) for e in endings)


problems = []
for path in files:
    if not path.endswith(".md"):
        continue
    here = os.path.dirname(path)
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            to = os.path.normpath(os.path.join(here, name)) if name else path
            if not os.path.exists(to):
                problems.append(f"{path}:{number}: the link {target} leads nowhere")
            elif anchor and to.endswith(".md") and anchor not in anchors(to):
                problems.append(f"{path}:{number}: {to} has no heading for #{anchor}")
        for name in re.findall(r"[\w./-]+", line):
            name = re.sub(r"^(\.{1,2}/)+", "", name.rstrip("."))
            file = os.path.basename(name)
            if "NAME" in file or file.startswith(("_", ".")) or file in OTHERS:
                continue
            is_folder = name.endswith("/") and name.startswith(FOLDERS)
            if is_folder and not os.path.isdir(name) or name.endswith(OURS) and not is_there(name):
                problems.append(f"{path}:{number}: there is no {name}")
for problem in problems:
    print("  " + problem)
sys.exit(1 if problems else 0)
