"""The command line as people and scripts meet it: help, typing errors, exit codes (sysexits), --json, completion in real shells, and nothing but
text in pipes."""
import json, os, pty, re, select, shutil, subprocess, tempfile, time

from ports import free_port
from scenarios import Skip
from weir import ROOT, Weir

WEIR = os.path.join(ROOT, "build", "weir")
COMMANDS = ["up", "ingest", "process", "serve", "olap", "send", "generate", "check", "schema", "sql", "dead-letters", "top", "tenant", "completion"]
TENANT_COMMANDS = ["create", "list", "show", "update", "rotate", "revoke"]
USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG = 64, 65, 66, 69, 78
EVENT = '{"customer_id":"demo_tenant","visitor_id":"v%d","event_type":"t","event_name":"n"}\n'


def weir(*words, stdin="", timeout=30, env=None, cwd=ROOT):
    return subprocess.run([WEIR, *words], cwd=cwd, input=stdin, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})})


def on_a_terminal(words, env=None, stdin=b"", seconds=30, then=b""):
    """Runs it with all three streams on a terminal; what it wrote, and its exit code. `then` is typed a second later."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execve(WEIR, [WEIR, *words], {**os.environ, "TERM": "xterm-256color", **(env or {})})
    out, end = b"", time.time() + seconds
    if stdin:
        os.write(fd, stdin)
    second = time.time() + 1
    while time.time() < end:
        if then and time.time() > second:
            os.write(fd, then)
            then = b""
        if not select.select([fd], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(fd, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        out += part
    os.close(fd)
    return out.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_every_command_teaches_itself_on_stdout():
    whole = weir("--help")
    assert whole.returncode == 0 and not whole.stderr
    for command in COMMANDS:
        assert re.search(r"^  %s +\S" % command, whole.stdout, re.M), (command, whole.stdout)
        for words in ([command, "--help"], [command, "-h"]):
            done = weir(*words)
            assert done.returncode == 0 and not done.stderr and "usage: weir " + command in done.stdout, (words, done)
        assert "Examples:" in done.stdout or "weir %s COMMAND" % command in done.stdout, done.stdout
    for command in TENANT_COMMANDS:
        done = weir("tenant", command, "--help")
        assert done.returncode == 0 and "Examples:" in done.stdout and "--data" in done.stdout, (command, done.stdout)
    assert re.fullmatch(r"weir \d+\.\d+\.\d+\n", weir("--version").stdout)


def test_typing_errors_name_what_was_probably_meant_and_exit_64():
    for words, hint in ((["snd"], "did you mean send?"), (["send", "--ulr", "x", "f"], "did you mean --url?"), (["tenant", "crate", "x"], "did you mean create?"),
                        (["tenant", "create", "x", "--teir", "enterprise"], "did you mean --tier?"), (["generate", "--events", "abc"], "--events wants"),
                        (["send"], "FILE is missing"), (["tenant"], "usage: weir tenant"), (["completion", "fish"], "bash and zsh"), (["sql", "--csv", "--json", "x"], "one of"),
                        (["up", "--ingest-port", "99999"], "--ingest-port wants a whole number from 0 to 65535"), (["check", "nonsense"], "nonsense")):
        done = weir(*words)
        assert done.returncode == USAGE and hint in done.stderr and not done.stdout, (words, done.returncode, done.stderr, done.stdout)


def test_exit_codes_say_whose_fault_it_is():
    nobody = "http://127.0.0.1:%d" % free_port()
    with tempfile.TemporaryDirectory() as directory:
        events = os.path.join(directory, "events.ndjson")
        with open(events, "w") as f:
            f.write(EVENT % 1)
        for words, code, hint in ((["send", "/nowhere.ndjson"], NO_INPUT, "/nowhere.ndjson"), (["send", events, "--url", nobody], UNAVAILABLE, "weir up"),
                                  (["sql", "SELECT 1", "--url", nobody], UNAVAILABLE, "weir up"), (["top", "--url", nobody], UNAVAILABLE, "weir up"),
                                  (["tenant", "list", "--url", nobody], UNAVAILABLE, "--data"), (["tenant", "list", "--data", "/nowhere"], DATA, "--data"),
                                  (["check", "--env", "nowhere"], CONFIG, "nowhere"), (["up", "--config", "/nowhere"], CONFIG, "/nowhere"),
                                  (["sql", "--file", "/nowhere.sql"], NO_INPUT, "/nowhere.sql")):
            done = weir(*words)
            assert done.returncode == code and hint in done.stderr, (words, done.returncode, done.stderr)
    with Weir() as running:
        ask = lambda *words, **more: weir(*words, "--url", running.api(""), **more)
        assert ask("sql", "SELEC 1").returncode == DATA and ask("sql", "SELECT nothing_such FROM events_raw").returncode == DATA
        assert ask("sql", "SELECT 1", "--key", "rk_wrong").returncode == 77
        assert ask("tenant", "create", "UPPER").returncode == DATA and ask("tenant", "show", "nobody").returncode != 0
        assert ask("tenant", "create", "acme").returncode == 0 and ask("tenant", "create", "acme").returncode == 73
        done = weir("send", "-", "--url", running.ingest(""), stdin=EVENT % 1 + '{"broken": 1}\n')
        assert done.returncode == DATA and "first problem" in done.stderr and "1 accepted" in done.stdout, done


def test_what_a_new_tenant_may_try_works_as_it_is_printed():
    """The addresses are those of the weir that was asked; of a stopped one, what its settings say."""
    with Weir() as running:
        shown = weir("tenant", "create", "acme", "--url", running.api("")).stdout
        send, ask = shown[shown.index("  curl"):shown.index("  weir sql")], shown[shown.index("  weir sql"):]
        assert json.loads(subprocess.run(["bash", "-c", send], capture_output=True, text=True, timeout=60).stdout)["accepted"] == 1, shown
        running.until(lambda: subprocess.run(["bash", "-c", ask.replace("weir", WEIR, 1)], capture_output=True, text=True, timeout=60).stdout.split()[-1:] == ["1"])
    with tempfile.TemporaryDirectory() as directory:
        os.makedirs(os.path.join(directory, "environments"))
        with open(os.path.join(directory, "environments", "dev.yaml"), "w") as f:
            f.write("ingest: {host: '::1', port: 9100}\napi: {port: 9101}\n")
        shown = weir("tenant", "create", "acme", "--data", directory, "--config", directory, "--env", "dev").stdout
        assert "curl -s http://[::1]:9100/track" in shown and "--url http://127.0.0.1:9101" in shown, shown


def test_json_is_one_object_and_nothing_else():
    with Weir() as running:
        key = json.loads(weir("tenant", "create", "acme", "--url", running.api(""), "--json").stdout)
        sent = json.loads(weir("send", "-", "--url", running.ingest(""), "--json", "--key", key["write_key"], stdin="".join(EVENT.replace("demo_tenant", "acme") % i for i in range(30))).stdout)
        assert sent["accepted"] == 30 and sent["read"] == 30 and sent["failed"] == 0, sent
        running.settle("SELECT count() FROM events_raw", 30, key["read_key"])
        for words in (["tenant", "list"], ["tenant", "show", "acme"], ["tenant", "update", "acme", "--quota", "9/min"], ["sql", "SELECT count() FROM events_raw", "--key", key["read_key"]]):
            done = weir(*words, "--url", running.api(""), "--json")
            answer = json.loads(done.stdout)
            assert isinstance(answer, dict) and not done.stderr and done.stdout.count("\n") == 1, (words, done)
        assert answer["rows"] == [[30]], answer
        once = weir("top", "--once", "--json", "--url", running.api("")) if "--once" in weir("top", "--help").stdout else None
        assert once is None or isinstance(json.loads(once.stdout), dict), once
    assert json.loads(weir("check", "--json").stdout)["mistakes"] == 0


def test_a_pipe_gets_no_colours_and_no_progress_bar_and_a_terminal_gets_both():
    with Weir() as running, tempfile.TemporaryDirectory() as directory:
        events = os.path.join(directory, "events.ndjson")
        with open(events, "w") as f:
            f.writelines(EVENT % i for i in range(60000))
        send = ["send", events, "--url", running.ingest(""), "--rate", "60000"]
        done = weir(*send)
        assert done.returncode == 0 and "\x1b" not in done.stdout + done.stderr and "\r" not in done.stdout + done.stderr, done
        assert done.stderr == "" and done.stdout.count("\n") == 1, done
        seen, code = on_a_terminal(send)
        assert code == 0 and "\x1b" in seen and "\r" in seen and re.search(r"\d+ ?%", seen), seen[-600:]
        plain, code = on_a_terminal(send, {"NO_COLOR": "1"})
        assert code == 0 and "\x1b[3" not in plain, plain[-600:]
        query = ["sql", "SELECT event_type, count() AS n FROM events_raw GROUP BY event_type", "--url", running.api("")]
        done = weir(*query)
        assert done.stdout.startswith("event_type\tn\nt\t") and "\x1b" not in done.stdout, done.stdout
        seen, code = on_a_terminal(query)
        assert code == 0 and "\x1b" in seen and "1 row" in seen, seen
    for words in (["--help"], ["check"], ["check", "--list"], ["tenant", "--help"], ["nothing"]):
        done = weir(*words)
        assert "\x1b" not in done.stdout + done.stderr, words


def test_check_shows_the_line_a_caret_and_what_was_meant():
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(os.path.join(ROOT, "config"), directory, dirs_exist_ok=True)
        path = os.path.join(directory, "environments", "dev.yaml")
        for yaml, lines in (("journal:\n  partitons: 3\n", ["dev.yaml:2:3: ", "partitons: 3", "did you mean journal.partitions?"]),
                            ("jurnal: {partitions: 3}\n", ["dev.yaml:1:1: ", "did you mean journal?"]), ("store.rows_max: many\n", ["dev.yaml:1:17: ", "many"]),
                            ("process:\n  dedup_horizon: 5 parsecs\n", ["dev.yaml:2:18: ", "5 parsecs"]), ("log.level: info\nlog.level: debug\n", ["dev.yaml:2:1: ", "twice"]),
                            ("a: [1, 2\nb: }\n", ["dev.yaml:2:4: "]), ("journal: 7\n", ["dev.yaml:1:"]), ("- x\n", ["dev.yaml:1:1: "])):
            with open(path, "w") as f:
                f.write(yaml)
            done = weir("check", "--config", directory)
            text = done.stdout + done.stderr
            assert done.returncode == CONFIG, (yaml, done.returncode, text)
            for part in lines:
                assert part in text, (yaml, part, text)
            assert re.search(r"\| +\^", text), (yaml, text)
            report = json.loads(weir("check", "--config", directory, "--json").stdout)
            assert report["mistakes"] >= 1 and lines[0].strip() in report["text"], report["text"]
        with open(path, "w") as f:
            f.write("jurnal: 1\nstor: 2\n")
        done = weir("check", "--config", directory)
        assert "2 mistakes" in done.stderr, done.stderr  # all of them at once
        assert "journal.segment_size" in weir("check", "--explain", "journal.segment_sise").stderr


def test_completion_works_in_a_real_bash():
    script = r'''
source <("$WEIR" completion bash) || exit 1
complete_at() { COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _weir; echo "${COMPREPLY[@]}"; }
complete_at weir s; complete_at weir tenant r; complete_at weir send --u; complete_at weir sql --format ''; complete_at weir tenant create x --tier ''
complete -p weir
'''
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=30, env={**os.environ, "WEIR": WEIR})
    assert done.returncode == 0 and not done.stderr, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["serve", "send", "source", "schema", "sql"] and set(lines[1].split()) == {"rotate", "revoke"} and "--url" in lines[2].split(), lines
    assert lines[3].split() == ["table", "json", "csv", "tsv"] and lines[4].split() == ["standard", "enterprise"] and "_weir" in lines[5], lines


def test_completion_works_in_a_real_zsh():
    zsh = shutil.which("zsh")
    if not zsh:
        raise Skip("zsh is not installed (tools/setup.sh --tests)")
    # compadd and _arguments work within a completion only, so zsh is asked on a terminal of its own, by the tab key.
    with tempfile.TemporaryDirectory() as home:
        with open(os.path.join(home, ".zshrc"), "w") as f:
            f.write('PS1="READY> "; PATH="%s:$PATH"; autoload -Uz compinit; compinit -u -d "%s/dump"; source <(weir completion zsh); setopt no_beep; LISTMAX=0\n'
                    % (os.path.dirname(WEIR), home))
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(zsh, [zsh, "-i"], {"HOME": home, "TERM": "xterm", "PATH": os.environ["PATH"], "ZDOTDIR": home})
        seen = b""

        def wait_for(pattern, seconds=20):
            nonlocal seen
            end = time.time() + seconds
            while not re.search(pattern, seen) and time.time() < end:
                if select.select([fd], [], [], 0.2)[0]:
                    try:
                        seen += os.read(fd, 65536)
                    except OSError:
                        break
            assert re.search(pattern, seen), (pattern, seen[-1500:])
        try:
            wait_for(rb"READY> ")
            for typed, pattern in ((b"weir tenant \t", rb"rotate"), (b"weir gen\t", rb"weir generate|erate"), (b"weir send --ur\t", rb"--url|l")):
                seen = b""
                os.write(fd, b"\x15" + typed)
                wait_for(pattern)
        finally:
            os.write(fd, b"\x03\x15exit\n")
            os.close(fd)
            os.waitpid(pid, 0)
    assert weir("completion", "zsh").returncode == 0
