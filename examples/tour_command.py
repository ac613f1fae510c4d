#!/usr/bin/env python3
"""A tour of the command `tarn` on real records: it loads them, kills a load in the middle, reopens,
checks, changes, compacts and reads, and compares every byte. Each command is shown as it is typed.

usage: examples/tour_command.py TARN [FOLDER]

    TARN      the command
    FOLDER    each regular file in it, and below, is a record, up to 64 MiB of them; without one the
              package catalogue of this machine is taken (apt-cache dumpavail)

Works in a temporary folder. It is removed at the end, and left if something is not as it must be.
"""
import base64
import glob
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

FOLDER_BYTES_MAX = 64 << 20
CATALOGUE_RECORDS_MIN = 1000
LINES_SHOWN, COLUMNS_SHOWN = 13, 90
KILL_DELAY_SECONDS = 0.05
LARGE_KEY, LARGE_BYTES = "large", 64 << 20
CHANGED_EVERY = 8  # so that the share of stale bytes stays below what is compacted by itself
MARK = b"Changed-By: the tour\n"


class Failure(Exception):
    """Something is not as it must be."""


# ---- records: a dictionary from keys to values, both bytes ----


def catalogue():
    """The package catalogue: from a package's name to its stanza."""
    try:
        text = subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(f"there is no package catalogue ({error}): name a folder instead") from error
    records = {}
    for stanza in text.split(b"\n\n"):
        fields = dict(line.split(b": ", 1) for line in stanza.split(b"\n")
                      if line.startswith((b"Package: ", b"Version: ", b"Architecture: ")))
        key = fields.get(b"Package")
        if key in records:
            key = b"%s=%s/%s#%d" % (key, fields.get(b"Version", b""),
                                    fields.get(b"Architecture", b""), len(records))
        if key:
            records[key] = stanza.strip(b"\n") + b"\n"
    if len(records) < CATALOGUE_RECORDS_MIN:
        raise Failure(f"the package catalogue has {len(records)} packages, too few for a tour")
    return records


def files(folder):
    """The files of a folder: from a file's path to its content."""
    records, room = {}, FOLDER_BYTES_MAX
    top = os.fsencode(folder)
    for parent, folders, names in os.walk(top):
        folders.sort()
        for path in (os.path.join(parent, name) for name in sorted(names)):
            if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > room:
                continue
            try:
                with open(path, "rb") as file:
                    value = file.read(room)
            except OSError as error:
                print(f"tour: left out {os.fsdecode(path)}: {error.strerror}", file=sys.stderr)
                continue
            records[os.path.relpath(path, top)] = value
            room -= len(value)
    if len(records) < 2:
        raise Failure(f"{folder} has fewer than two files that can be read")
    return records


def member(name, data):
    """A key or value as in a dump: docs/format-dump.md."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {name + "64": base64.b64encode(data).decode()}


def write_lines(name, records):
    with open(name, "w", encoding="utf-8") as file:
        for key, value in records.items():
            line = {**member("key", key), **member("value", value)}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_member(line, name):
    return line[name].encode() if name in line else base64.b64decode(line[name + "64"])


def read_lines(name):
    """The records of a dump. A key that is there twice is a failure."""
    records, count = {}, 0
    with open(name, encoding="utf-8") as file:
        for count, text in enumerate(file, 1):
            line = json.loads(text)
            records[read_member(line, "key")] = read_member(line, "value")
    if count != len(records):
        raise Failure(f"a key is in {name} twice")
    return records


def size_of(records):
    return sum(len(key) + len(value) for key, value in records.items())


def expect_same(found, wanted, what):
    if found == wanted:
        return
    lost = [key for key in wanted if key not in found]
    other = [key for key in wanted if key in found and found[key] != wanted[key]]
    raise Failure(f"{what}: of {len(wanted)} records {len(lost)} are missing, {len(other)} have "
                  f"another value, and {len(set(found) - set(wanted))} are there that nobody "
                  "stored")


# ---- commands, and the table of what they took ----


class Tour:
    """Runs commands in the folder that the tour works in; keeps the rows of the closing table."""

    def __init__(self, command):
        self.command = os.path.abspath(command)
        self.environment = {name: value for name, value in os.environ.items()
                            if name != "TARN_DATA_DIR"}  # the store is ./data
        self.rows = []

    @staticmethod
    def say(text):
        print(f"\n{text}")

    @staticmethod
    def show(command):
        print(f"  $ {command}")

    @staticmethod
    def show_output(output):
        lines = [part for line in output.decode(errors="replace").splitlines()
                 for part in textwrap.wrap(line, COLUMNS_SHOWN, subsequent_indent="  ") or [""]]
        for line in lines[:LINES_SHOWN]:
            print(f"    {line}")
        if len(lines) > LINES_SHOWN:
            print(f"    ... and {len(lines) - LINES_SHOWN} lines more")

    def tarn(self, *arguments, codes=(0,)):
        """Shows a command, runs it, shows what it says. Returns the seconds that it took."""
        self.show(" ".join(["tarn", *(shlex.quote(os.fsdecode(word)) for word in arguments)]))
        began = time.monotonic()
        done = subprocess.run([self.command, *arguments], env=self.environment, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        seconds = time.monotonic() - began
        self.show_output(done.stdout)
        if done.returncode not in codes:
            raise Failure(f"tarn {os.fsdecode(arguments[0])} ended with {done.returncode}")
        return seconds

    def figures(self):
        """What `tarn stats` tells, for the tour's own use."""
        done = subprocess.run([self.command, "--output", "json", "stats"], env=self.environment,
                              stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def row(self, what, records, data_bytes, seconds):
        on_disk = sum(os.lstat(os.path.join(parent, name)).st_blocks * 512
                      for parent, _, names in os.walk("data") for name in names)
        self.rows.append((what, records, data_bytes / 2**20, seconds, on_disk / 2**20))

    def table(self):
        print(f"\n{'what the command did':44} {'records':>8} {'MiB':>7} {'seconds':>8} "
              f"{'per second':>10} {'on disk':>10}")
        for what, records, mib, seconds, on_disk in self.rows:
            print(f"{what:44} {records:8} {mib:7.1f} {seconds:8.3f} {records / seconds:10.0f} "
                  f"{on_disk:6.1f} MiB")


def load_and_kill(tour, name):
    """Loads a file through a pipe, whose last line never comes, and kills the load some moment
    after it has read half. Returns the seconds."""
    with open(name, "rb") as file:
        lines = file.readlines()[:-1]
    fed, half = 0, sum(map(len, lines)) // 2
    tour.show(f"tarn load < {name} &")
    began = time.monotonic()
    with subprocess.Popen([tour.command, "load"], env=tour.environment, stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE) as load:

        def feed():
            nonlocal fed
            try:
                for line in lines:
                    load.stdin.write(line)
                    fed += len(line)
                load.stdin.flush()
            except BrokenPipeError:
                pass  # it was killed

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            while fed < half and load.poll() is None:
                time.sleep(0.001)
            time.sleep(random.uniform(0, KILL_DELAY_SECONDS))
        finally:
            load.kill()
            feeder.join()
        said = load.stderr.read()
        load.stdin = None  # what it has not taken is not flushed
        code = load.wait()
    tour.show("kill -KILL $!")
    tour.show_output(said)
    if code != -signal.SIGKILL:
        raise Failure(f"the load that was to be killed ended with {code}")
    return time.monotonic() - began


def log_files():
    return set(glob.glob("data/namespaces/*/*.segment"))


def is_being_filled(path):
    with open(path, "rb", buffering=0) as file:
        return os.pread(file.fileno(), 1, 1 << 16) > b"\0"  # far behind the file's header


def set_and_kill(tour, name):
    """Stores a file as one large value, which has a file of the log for itself, and kills the
    command once that is being filled. Returns whether it had ended before: the machine was busy."""
    before = log_files()
    tour.show(f"tarn set {LARGE_KEY} --value-file {name} &")
    with subprocess.Popen([tour.command, "set", LARGE_KEY, "--value-file", name],
                          env=tour.environment) as command:
        try:
            while command.poll() is None:
                if any(is_being_filled(path) for path in log_files() - before):
                    break
        finally:
            command.kill()
    tour.show("kill -KILL $!")
    if command.returncode not in (0, -signal.SIGKILL):
        raise Failure(f"the command that was to be killed ended with {command.returncode}")
    return command.returncode == 0


# ---- the tour ----


def split(records):
    half = len(records) // 2
    items = list(records.items())
    return dict(items[:half]), dict(items[half:])


def judge_kill(found, first, second):
    """All that was acknowledged must be there, and of the load that was killed the first ones."""
    expect_same({key: value for key, value in found.items() if key not in second}, first,
                "after the kill")
    of_second = {key: value for key, value in found.items() if key in second}
    expect_same(of_second, dict(list(second.items())[:len(of_second)]), "of the killed load")
    print(f"  All {len(first)} records that were acknowledged are there, byte for byte. Of the\n"
          f"  load that was killed, which had acknowledged nothing, the first {len(of_second)} of\n"
          f"  {len(second)} are there: whole batches.")


def kill_in_a_write(tour):
    with open("first.jsonl", "rb") as file:
        text = file.read()
    with open("large.bin", "wb") as file:
        file.write(text * (LARGE_BYTES // len(text) + 1))

    tour.say("A value of more than 64 MiB is one long write, and is killed in the middle of it.")
    stored = set_and_kill(tour, "large.bin")
    if stored:
        print("  It had ended before the kill came.")

    tour.say("Where the log was cut is a note and no fault. The next command that writes mends it.")
    tour.tarn("check")
    tour.tarn("exists", LARGE_KEY, codes=(0, 1))
    found = subprocess.run([tour.command, "get", "--raw", LARGE_KEY], env=tour.environment,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if found.returncode == 0:
        with open("large.bin", "rb") as file:
            if found.stdout != file.read():
                raise Failure("a part of the large value was stored")
        tour.tarn("rm", LARGE_KEY)
    elif stored:
        raise Failure("the large value was acknowledged and is not there")


def load_and_recover(tour, first, second):
    tour.say("Half of the records go into a log on disk; when the command ends they are durable.")
    loaded = tour.tarn("load", "first.jsonl")
    tour.row("load half of the records", len(first), size_of(first), loaded)

    tour.say("A load of the other half is killed in the middle.")
    killed = load_and_kill(tour, "second.jsonl")

    tour.say("Nothing is damaged.")
    checked = tour.tarn("check")

    tour.say("The next process opens the store as if nothing had been.")
    tour.tarn("count")
    reopened = tour.tarn("dump", "reopened.jsonl")
    found = read_lines("reopened.jsonl")
    judge_kill(found, first, second)
    stored = {key: found[key] for key in found if key in second}
    tour.row("load the other half, killed", len(stored), size_of(stored), killed)
    tour.row("check every byte after the kill", len(found), size_of(found), checked)
    tour.row("reopen, and dump all", len(found), size_of(found), reopened)

    tour.say("The other half is loaded once more, to its end.")
    tour.row("load the other half again", len(second), size_of(second),
             tour.tarn("load", "second.jsonl"))

    kill_in_a_write(tour)


def change_and_compact(tour, changed, total_count, total_bytes):
    tour.say(f"Each {CHANGED_EVERY}th record gets a new value. The log has the old ones as well.")
    tour.row("overwrite some", len(changed), size_of(changed), tour.tarn("load", "changed.jsonl"))
    tour.tarn("stats")
    before = tour.figures()

    tour.say("A compaction gives their space back.")
    compacted = tour.tarn("compact")
    tour.row("compact", total_count, total_bytes, compacted)
    after = tour.figures()
    if after["stale_bytes"] >= before["stale_bytes"] > 0:
        raise Failure(f"{after['stale_bytes']} bytes are stale after the compaction, and "
                      f"{before['stale_bytes']} were before it")
    print(f"  The log has {after['log_bytes'] / 2**20:.1f} MiB where it had "
          f"{before['log_bytes'] / 2**20:.1f}.")


def read_back(tour, records, changed):
    tour.say("One record that was changed, and a few keys.")
    tour.tarn("get", "--", next(iter(changed)))
    tour.tarn("scan", "--limit", "5", "--keys-only")

    tour.say("Every byte of the store is verified, and every record compared with what was stored.")
    tour.row("check every byte", len(records), size_of(records), tour.tarn("check"))
    tour.row("dump all", len(records), size_of(records), tour.tarn("dump", "all.jsonl"))
    expect_same(read_lines("all.jsonl"), records, "at the end")


def run(tour, records):
    first, second = split(records)
    changed = {key: MARK + value for key, value in list(records.items())[::CHANGED_EVERY]}
    for name, part in (("first", first), ("second", second), ("changed", changed)):
        write_lines(f"{name}.jsonl", part)
    load_and_recover(tour, first, second)
    records = {**records, **changed}
    change_and_compact(tour, changed, len(records), size_of(records))
    read_back(tour, records, changed)
    tour.table()
    print("Everything came back as it was stored.")


def end(number, _frame):
    sys.exit(128 + number)


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    tour = Tour(sys.argv[1])
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    folder = None
    try:
        records = files(sys.argv[2]) if len(sys.argv) == 3 else catalogue()
        folder = tempfile.mkdtemp(prefix="tarn-tour-")
        os.chdir(folder)
        print(f"The command on {len(records)} records, {size_of(records) / 2**20:.1f} MiB. "
              "Its store is ./data, in a temporary folder.")
        run(tour, records)
    except Failure as failure:
        left = f"; all is left in {folder}" if folder else ""
        folder = None
        sys.exit(f"tour: {failure}{left}")
    except BrokenPipeError:  # nobody reads what it prints
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        sys.exit(f"tour: {error}")
    finally:
        if folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
