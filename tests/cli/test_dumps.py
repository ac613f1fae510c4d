#!/usr/bin/env python3
"""Dumps and loads: what is loaded is what was dumped, and what is malformed is told with its line.

Lines at random are judged by Python's own json, or by a reader of tsv of a few lines of Python.
"""
import base64
import binascii
import json
import os
import re
import signal
import subprocess
import time

from command import DONE, IO, LIMIT, NOT_FOUND, SEED, TARN, USAGE, Case, environment, main

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PIECES = (b"a", b"\\", b"\"", b"\t", b"\n", b"\r", b"\0", b"\x7f", b"\x1b", b"\xff", b"\x80",
          b"\xc3\xa9", b"\xe2\x82\xac", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xc0\x80", b"\xf5",
          b"\xf4\x90\x80\x80", b"\xe0\x9f\xbf", b"\xc3", b"/", b" ", b"x41", b"u0041", b"longer text")
INT64 = range(-2**63, 2**63)


def json_line(key, value):
    def member(name, data):
        try:
            return {name: data.decode()}
        except UnicodeDecodeError:
            return {name + "64": base64.b64encode(data).decode()}
    content = {"counter": value} if isinstance(value, int) else member("value", value)
    return {**member("key", key), **content}


def read_json(line):
    """(key, value) of a line, or None where it is malformed."""
    def members(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("twice")
        return dict(pairs)

    def refuse(_):
        raise ValueError("no such number")
    try:
        found = json.loads(line.decode(), object_pairs_hook=members, parse_constant=refuse,
                           parse_float=refuse, parse_int=lambda text: int(text) if
                           text != "-0" else 0)
        if not isinstance(found, dict):
            return None
        sequence = found.pop("sequence", 0)
        if type(sequence) is not int or sequence not in INT64 or len(found) != 2:
            return None
        key = found["key"].encode() if "key" in found else base64.b64decode(
            found["key64"], validate=True)
        if "counter" in found:
            value = found["counter"]
            return (key, value) if key and type(value) is int and value in INT64 else None
        value = found["value"].encode() if "value" in found else base64.b64decode(
            found["value64"], validate=True)
        for name, data in (("key64", key), ("value64", value)):
            if name in found and base64.b64encode(data).decode() != found[name]:
                return None
        return (key, value) if key else None
    except (ValueError, KeyError, AttributeError, TypeError, binascii.Error, RecursionError):
        return None


def read_tsv(line):
    fields = []
    for field in line.split(b"\t"):
        plain = re.sub(rb"\\(\\|t|n|r|x[0-9a-fA-F]{2})", b"", field)
        if b"\\" in plain or re.search(rb"[\x00-\x1f\x7f]", plain):
            return None
        fields.append(re.sub(rb"\\(\\|t|n|r|x(..))", lambda m: {
            b"\\": b"\\", b"t": b"\t", b"n": b"\n", b"r": b"\r"}.get(m.group(1)) or
            bytes.fromhex((m.group(2) or b"").decode()), field, flags=re.S))
    if len(fields) < 2 or not fields[0] or len(fields) > 3:
        return None
    if len(fields) == 2:
        return fields[0], fields[1]
    if fields[2] != b"counter" or not re.fullmatch(rb"-?(0|[1-9][0-9]*)", fields[1]):
        return None
    return (fields[0], int(fields[1])) if int(fields[1]) in INT64 else None


class Dumps(Case):
    def bytes_at_random(self):
        if self.random.random() < 0.1:
            return self.random.randbytes(self.random.randrange(1, 3000))
        return b"".join(self.random.choice(PIECES) for _ in range(self.random.randrange(8)))

    def records_at_random(self, count):
        records = {}
        while len(records) < count:
            key = self.bytes_at_random()
            if not key:
                continue
            records[key] = self.bytes_at_random() if self.random.random() < 0.8 else \
                self.random.choice((0, 1, -1, 2**63 - 1, -2**63, self.random.randrange(10**9)))
        return records

    def loaded(self, store, *arguments):
        """What a store holds, read from its dump in jsonl."""
        lines = self.tarn("-d", store, "dump", *arguments).splitlines()
        records = dict(read_json(line) for line in lines)
        self.assertEqual(len(records), len(lines))
        return records

    def same(self, found, wanted):
        """Not assertEqual(): its account of a difference takes memory beyond all bounds here."""
        if found != wanted:
            keys = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
            self.fail(f"TARN_SEED={SEED}: {len(keys)} keys of {len(wanted)} differ, such as "
                      f"{keys[0][:60]!r}: {str(found.get(keys[0]))[:60]} is not "
                      f"{str(wanted.get(keys[0]))[:60]}")

    def test_round_trip(self):
        records = self.records_at_random(3000)
        lines = [json.dumps(json_line(key, value), ensure_ascii=self.random.random() < 0.5)
                 for key, value in records.items()]
        self.tarn("-d", "a", "load", "-", given="".join(line + "\n" for line in lines).encode())
        self.assertIn("stored 3000 records", self.messages)
        self.same(self.loaded("a"), records)
        tsv = self.tarn("-d", "a", "dump", "--format", "tsv")
        tsv.decode()
        self.same(dict(read_tsv(line) for line in tsv.split(b"\n")[:-1]), records)
        self.tarn("-d", "b", "load", "--format", "tsv", self.write("dump.tsv", tsv))
        self.same(self.loaded("b"), records)
        self.tarn("-d", "b", "dump", "-", "--format", "tsv")
        self.tarn("-d", "a", "dump", "whole.jsonl")
        self.tarn("-d", "c", "load", "whole.jsonl", "-q")
        self.assertEqual(self.messages, "")
        self.same(self.loaded("c"), records)
        for key, value in records.items():
            if isinstance(value, int) and value < 2**63 - 1:
                self.assertEqual(self.tarn("-d", "c", "incr", "--hex", key.hex()),
                                 b"%d\n" % (value + 1))
                break

    def test_documented(self):
        with open(os.path.join(ROOT, "docs", "format-dump.md"), encoding="utf-8") as file:
            document = file.read()
        for name, read in (("jsonl", read_json), ("tsv", read_tsv)):
            block = re.search(rf"^```{name}\n(.*?)^```$", document, re.S | re.M).group(1).encode()
            self.tarn("-d", name, "load", "--format", name, given=block)
            self.assertEqual(self.lines("-d", name, "dump", "--format", name),
                             sorted(block.splitlines()))
            self.same(self.loaded(name), dict(map(read, block.splitlines())))

    def test_prefix_and_namespace(self):
        self.tarn("load", "-n", "x", "--format", "tsv", given=b"a1\t1\na2\t2\nb\t3\n")
        self.assertEqual(self.lines("dump", "-n", "x", "--prefix", "a", "--format", "tsv"),
                         [b"a1\t1", b"a2\t2"])
        self.assertEqual(self.tarn("ns", "list"), b"x\n")

    def test_counters_replace(self):
        self.tarn("incr", "n", "5")
        self.tarn("set", "t", "text")
        self.tarn("load", "--format", "tsv", given=b"n\t7\tcounter\nt\t8\tcounter\nn2\t9\tcounter\n"
                  b"n2\tlast\nt2\tfirst\nt2\t1\tcounter\n")
        self.same(self.loaded("data"),
                         {b"n": 7, b"t": 8, b"n2": b"last", b"t2": 1})

    def test_long_lines(self):
        records = {b"k" * 65536: b"\1" * 1500000, b"b": b"\xff" * 5000000, b"c": b"x" * 3000000}
        given = "".join(json.dumps(json_line(*item)) + "\n" for item in records.items()).encode()
        self.tarn("load", given=given)
        self.same(self.loaded("data"), records)
        tsv = self.tarn("dump", "--format", "tsv")
        self.tarn("-d", "b", "load", "--format", "tsv", given=tsv)
        self.same(self.loaded("b"), records)


class Malformed(Case):
    def load(self, name, lines, code=USAGE):
        return self.tarn("load", "--format", name, code=code, given=lines)

    def test_place(self):
        good = b'{"key":"a%d","value":"1"}\n'
        for line, column in ((b"", 1), (b"{", 2), (b"[]", 1), (b'{"key":"a"}', 1),
                             (b'{"key":"","value":""}', 1), (b'{"key":"a","value":1}', 20),
                             (b'{"key":"a","value":"1"} x', 25), (b'{"key":"a","key":"b"}', 12),
                             (b'{"key":"a","other":""}', 12), (b'{"key":"a","value":"\xff"}', 21),
                             (b'{"key":"a","value":"\\q"}', 21),
                             (b'{"key":"a","value":"\\ud800"}', 27),
                             (b'{"key":"a","value":"\\udc00"}', 21),
                             (b'{"key":"a","value":"\\ud800\\u0041"}', 21),
                             (b'{"key":"a","value64":"AA=A"}', 22),
                             (b'{"key":"a","value64":"AAB="}', 22),
                             (b'{"key":"a","value64":"AB=="}', 22),
                             (b'{"key":"a","value64":"AAA"}', 22),
                             (b'{"key":"a","counter":9223372036854775808}', 22),
                             (b'{"key":"a","counter":1e3}', 23),
                             (b'{"key":"a","counter":01}', 22),
                             (b'{"key":"a","value":"1"', 23)):
            stored = self.count()
            self.load("jsonl", good % stored + line + b"\n" + good % 10**6)
            self.assertIn(f"tarn: standard input:2:{column}: ", self.messages, line)
            self.assertEqual(self.count(), stored + 1, line)
        for line, column in ((b"", 1), (b"a", 2), (b"\tv", 1), (b"a\tb\tc", 4), (b"a\t1\tcounter\t", 12),
                             (b"a\tx\tcounter", 4), (b"a\t\\q", 3), (b"a\t\\x1", 3),
                             (b"a\tb\\", 4), (b"a\tb\rc", 4), (b"a\0\tb", 2), (b"a\tb\x7f", 4)):
            stored = self.count()
            self.load("tsv", b"b%d\tv\n" % stored + line + b"\nlast\tv\n")
            self.assertIn(f"tarn: standard input:2:{column}: ", self.messages, line)
            self.assertEqual(self.count(), stored + 1, line)

    def count(self):
        done = self.run_tarn("count")
        return int(done.stdout) if done.returncode == DONE else 0

    def test_end_of_file(self):
        self.load("jsonl", b'{"key":"a","value":"1"}', code=DONE)
        self.load("tsv", b"b\tvalue")
        self.assertIn("standard input:1:8: no newline", self.messages)
        self.load("jsonl", b"", code=DONE)
        self.assertEqual(self.tarn("scan"), b"a\t1\n")

    def test_files(self):
        self.tarn("load", "none", code=IO)
        self.assertFalse(os.path.exists(self.path("data")))
        self.tarn("load", ".", code=IO)
        self.write("broken", b"x\n")
        self.tarn("load", "broken", code=USAGE)
        self.assertIn("broken:1:1:", self.messages)

    def test_refused(self):
        self.tarn("ns", "create", "default", "--max-value-size", "8", "--max-keys", "3000")
        lines = [b"k%d\tv\n" % i for i in range(2500)]
        lines[100] = b"large\t123456789\n"
        lines[2400] = b"n\t5\tcounter\n"
        self.load("tsv", b"".join(lines), code=LIMIT)
        self.assertIn("standard input:101: not stored", self.messages)
        self.assertIn("stored 2499 records", self.messages)
        self.assertIn("1 records were refused", self.messages)
        self.load("tsv", b"".join(b"m%d\t1\tcounter\n" % i for i in range(1000)), code=LIMIT)
        self.assertIn("stored 501 records", self.messages)
        self.assertEqual(self.messages.count("not stored"), 11)
        self.assertEqual(self.tarn("count"), b"3000\n")
        self.assertEqual(self.tarn("get", "n"), b"5\n")

    def test_changed_lines(self):
        """Lines changed at random are taken exactly where the reader in Python takes them."""
        starts = {"jsonl": [b'{"key":"k","value":"v\\n\\u00e9\\ud83d\\ude00"}',
                            b'{"key64":"AP8=","value64":"AAECAw=="}',
                            b' { "counter" : -12 , "key" : "n\xc3\xa9" , "sequence" : 9 } '],
                  "tsv": [b"key\tvalue\\n\\x00\\\\", b"n\t-12\tcounter", b"k\xff\t\\xfF\xc3\xa9"]}
        self.tarn("ns", "create", "default", "--engine", "memory")
        for name, read in (("jsonl", read_json), ("tsv", read_tsv)):
            taken = 0
            for _ in range(120):
                line = bytearray(self.random.choice(starts[name]))
                for _ in range(self.random.randrange(4)):
                    place = self.random.randrange(len(line))
                    piece = self.random.choice((b"", b'"', b"\\", b"{", b"}", b":", b",", b"0", b"9",
                                                b"-", b"=", b"A", b"\t", b" ", b"u", b"\xff", b"\0",
                                                b"x", line[:place], self.random.randbytes(1)))
                    line[place:place + self.random.randrange(2)] = piece
                line = bytes(line).replace(b"\n", b"")
                wanted = read(line)
                done = self.run_tarn("load", "--format", name, "-q", given=line + b"\n")
                self.assertEqual(done.returncode == DONE, wanted is not None,
                                 f"TARN_SEED={SEED}: {line} as {wanted}: {done}")
                self.assertIn(done.returncode, (DONE, USAGE))
                taken += wanted is not None
            self.assertGreater(taken, 10)


class Files(Case):
    def test_dump_to_file(self):
        self.tarn("set", "a", "1")
        self.tarn("dump", "out")
        self.assertEqual(self.read("out"), b'{"key":"a","value":"1"}\n')
        self.assertEqual(os.stat(self.path("out")).st_mode & 0o777, 0o600)
        self.tarn("set", "a", "2")
        self.tarn("dump", "out")
        self.assertEqual(self.read("out"), b'{"key":"a","value":"2"}\n')
        self.tarn("dump", "out", "-n", "none", code=NOT_FOUND)
        self.assertEqual(self.read("out"), b'{"key":"a","value":"2"}\n')
        self.tarn("dump", "no/such", code=IO)
        self.tarn("dump", "data", code=IO)
        self.assertEqual(self.tarn("dump", "/dev/stdout"), b'{"key":"a","value":"2"}\n')
        self.assertEqual(sorted(os.listdir(self.folder)), ["data", "out"])

    def test_full_file_system(self):
        """A file that cannot grow: the one that was there stays."""
        self.tarn("load", given=b"".join(b'{"key":"%d","value":"%s"}\n' % (i, b"v" * 1000)
                                         for i in range(200)))
        self.write("out", b"before")
        done = subprocess.run(["sh", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$0" dump out', TARN],
                              cwd=self.folder, stderr=subprocess.PIPE, env=environment(),
                              check=False)
        self.assertEqual(done.returncode, IO, done)
        self.assertEqual(self.read("out"), b"before")
        self.assertEqual(sorted(os.listdir(self.folder)), ["data", "out"])


class Kills(Case):
    def test_kill(self):
        """A load that is killed has stored the first so many records, in whole batches."""
        lines = b"".join(b"%d\t%s\n" % (i, b"v" * 100) for i in range(200000))
        path = self.write("lines", lines)
        for number in range(4):
            store = f"s{number}"
            process = subprocess.Popen([TARN, "-d", store, "load", "--format", "tsv", path],
                                       cwd=self.folder, stderr=subprocess.DEVNULL,
                                       env=environment())
            time.sleep(self.random.uniform(0.02, 0.15))
            process.send_signal(signal.SIGKILL)
            process.wait()
            if not os.path.exists(self.path(store, "catalog")):
                continue
            done = self.run_tarn("-d", store, "scan", "--keys-only")
            if done.returncode == NOT_FOUND:
                continue  # the namespace was not made yet
            self.assertEqual(done.returncode, DONE, done)
            keys = sorted(map(int, done.stdout.split()))
            self.assertEqual(keys, list(range(len(keys))), store)
            self.assertTrue(len(keys) % 8192 == 0 or len(keys) == 200000, len(keys))
            self.tarn("-d", store, "load", "--format", "tsv", path)
            self.assertEqual(self.tarn("-d", store, "count"), b"200000\n")


if __name__ == "__main__":
    main()
