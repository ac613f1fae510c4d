#!/usr/bin/env python3
"""The commands on keys: what they print, what they end with, and that another process sees it."""
import json
import os
import signal
import subprocess
import time

from command import DONE, IO, LIMIT, LOCKED, NOT_FOUND, TARN, USAGE, Case, environment, main


class Contract(Case):
    def test_set_get_rm(self):
        self.assertEqual(self.tarn("set", "key", "value"), b"")
        self.assertEqual(self.messages, "")
        self.assertTrue(os.path.isdir(self.path("data")))
        self.assertEqual(self.tarn("get", "key"), b"value\n")
        self.tarn("set", "key", "other")
        self.assertEqual(self.tarn("get", "key"), b"other\n")
        self.assertEqual(self.tarn("rm", "key"), b"")
        self.assertEqual(self.tarn("get", "key", code=NOT_FOUND), b"")
        self.assertEqual(self.messages, "Key not found\n")
        self.assertEqual(self.tarn("rm", "key", code=NOT_FOUND), b"")
        self.assertEqual(self.messages, "Key not found\n")

    def test_data_dir(self):
        self.tarn("set", "a", "1", "--data-dir", "here")
        self.tarn("--data-dir=there", "set", "a", "2")
        self.tarn("set", "a", "3", env=environment(TARN_DATA_DIR="everywhere"))
        self.assertEqual(self.tarn("-d", "here", "get", "a"), b"1\n")
        self.assertEqual(self.tarn("get", "-d", "there", "a"), b"2\n")
        everywhere = environment(TARN_DATA_DIR="everywhere")
        self.assertEqual(self.tarn("get", "a", env=everywhere), b"3\n")
        self.assertEqual(self.tarn("get", "a", "-d", "here", env=everywhere), b"1\n")
        self.assertFalse(os.path.exists(self.path("data")))

    def test_empty_key(self):
        for arguments in (("set", "", "v"), ("insert", "", "v"), ("incr", ""), ("mset", "", "v")):
            self.tarn(*arguments, code=USAGE)
            self.assertIn("tarn: the key is empty", self.messages)
            self.assertFalse(os.path.exists(self.path("data")), arguments)
        self.tarn("set", "a", "")
        for arguments in (("get", ""), ("rm", ""), ("update", "", "v"), ("cas", "", "", "v"),
                          ("consume", ""), ("exists", ""), ("mget", ""), ("mrm", "")):
            self.tarn(*arguments, code=USAGE)
        self.assertEqual(self.tarn("get", "a"), b"\n")


class MissingThings(Case):
    def test_no_store(self):
        for arguments in (("get", "k"), ("exists", "k"), ("mget", "k"), ("scan",), ("count",),
                          ("dump",), ("stats",), ("ns", "list"), ("ns", "show"),
                          ("snapshot", "list"), ("autosave", "list"), ("ns", "drop", "x"),
                          ("snapshot", "save", "x")):
            self.tarn(*arguments, code=IO)
            self.assertRegex(self.messages, "^tarn: there is no store in './data': .*--data-dir")
            self.assertFalse(os.path.exists(self.path("data")), arguments)
        for arguments in (("rm", "k"), ("update", "k", "v"), ("cas", "k", "o", "n"),
                          ("consume", "k"), ("mrm", "k")):
            self.tarn(*arguments, code=NOT_FOUND)
            self.assertIn("Key not found\n", self.messages)
            self.assertFalse(os.path.exists(self.path("data")), arguments)

    def test_no_namespace(self):
        self.tarn("ns", "create", "other")
        for arguments in (("get", "k"), ("rm", "k"), ("update", "k", "v"), ("mget", "k"),
                          ("cas", "k", "o", "n"), ("consume", "k"), ("mrm", "k")):
            self.tarn(*arguments, code=NOT_FOUND)
            self.assertEqual(self.messages, "Key not found\n")
        for arguments in (("scan",), ("count",), ("dump",), ("stats",)):
            self.tarn(*arguments, "-n", "nowhere", code=NOT_FOUND)
            self.assertIn("nowhere", self.messages)
        self.tarn("get", "k", "-n", "nowhere", code=NOT_FOUND)
        self.assertIn("the store has no namespace 'nowhere'", self.messages)
        self.assertEqual(self.tarn("ns", "list"), b"other\n")

    def test_no_folder_around(self):
        self.tarn("set", "a", "b", "-d", "no/such", code=IO)
        self.assertIn("no/such", self.messages)

    def test_folder_of_others(self):
        self.write("mine", b"text")
        self.tarn("set", "a", "b", "-d", ".", code=USAGE)
        self.assertIn("not a store", self.messages)
        self.tarn("get", "a", "-d", "mine", code=IO)
        self.assertEqual(sorted(os.listdir(self.folder)), ["mine"])


class Writes(Case):
    def test_insert_update(self):
        self.tarn("insert", "k", "1")
        self.tarn("insert", "k", "2", code=NOT_FOUND)
        self.assertEqual(self.tarn("get", "k"), b"1\n")
        self.tarn("update", "k", "3")
        self.assertEqual(self.tarn("get", "k"), b"3\n")
        self.tarn("update", "other", "3", code=NOT_FOUND)
        self.assertEqual(self.messages, "Key not found\n")
        self.assertEqual(self.tarn("count"), b"1\n")

    def test_cas(self):
        self.tarn("set", "k", "old")
        self.tarn("cas", "k", "wrong", "new", code=NOT_FOUND)
        self.assertEqual(self.tarn("get", "k"), b"old\n")
        self.tarn("cas", "k", "old", "new")
        self.assertEqual(self.tarn("get", "k"), b"new\n")
        self.tarn("cas", "none", "old", "new", code=NOT_FOUND)
        self.assertEqual(self.messages, "Key not found\n")
        sequence = json.loads(self.tarn("get", "k", "-o", "json"))["sequence"]
        self.tarn("cas", "k", "--sequence", str(sequence), "newer")
        self.tarn("cas", "k", "--sequence", str(sequence), "newest", code=NOT_FOUND)
        self.assertEqual(self.tarn("get", "k"), b"newer\n")
        self.tarn("cas", "k", "newer", "--value-file", self.write("f", b"file"))
        self.assertEqual(self.tarn("get", "k"), b"file\n")
        self.tarn("cas", "k", "a", "b", "c", code=USAGE)
        self.tarn("cas", "k", "a", code=USAGE)
        self.tarn("cas", "k", "a", "b", "--sequence", "1", code=USAGE)
        self.tarn("cas", "k", "b", "--sequence", "one", code=USAGE)

    def test_consume(self):
        self.tarn("set", "job", "work")
        self.assertEqual(self.tarn("consume", "job"), b"work\n")
        self.tarn("consume", "job", code=NOT_FOUND)
        self.assertEqual(self.messages, "Key not found\n")
        self.tarn("incr", "n", "7")
        self.assertEqual(self.tarn("consume", "n", "--raw"), b"7")

    def test_consume_is_put_back(self):
        self.tarn("set", "job", "work")
        self.tarn("incr", "n", "-7")
        for key, value in (("job", b"work\n"), ("n", b"-7\n")):
            with open("/dev/full", "wb") as full:
                self.tarn("consume", key, code=IO, stdout=full)
            self.assertIn("in the store again", self.messages)
            self.assertEqual(self.tarn("get", key), value)
            reading, writing = os.pipe()
            os.close(reading)
            done = self.run_tarn("consume", "-q", key, stdout=writing)
            os.close(writing)
            self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""))
            self.assertEqual(self.tarn("get", key), value)
            # The numbers of closed streams would be those of the store's own files.
            done = subprocess.run(["sh", "-c", '"$0" consume "$1" >&- <&-', TARN, key],
                                  cwd=self.folder, env=environment(), stderr=subprocess.PIPE,
                                  check=False)
            self.assertEqual(done.returncode, IO)
            self.assertEqual(self.tarn("get", key), value)
        self.assertEqual(self.tarn("incr", "n"), b"-6\n")

    def test_exists(self):
        self.tarn("set", "k", "v")
        self.assertEqual(self.tarn("exists", "k"), b"true\n")
        self.assertEqual(self.tarn("exists", "k", "-q"), b"")
        done = self.run_tarn("exists", "none")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (NOT_FOUND, b"false\n", b""))
        done = self.run_tarn("exists", "none", "--quiet")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (NOT_FOUND, b"", b""))

    def test_incr(self):
        self.assertEqual(self.tarn("incr", "n"), b"1\n")
        self.assertEqual(self.tarn("incr", "n", "41"), b"42\n")
        self.assertEqual(self.tarn("incr", "n", "-50"), b"-8\n")
        self.assertEqual(self.tarn("incr", "n", "+3"), b"-5\n")
        self.assertEqual(self.tarn("get", "n"), b"-5\n")
        self.assertEqual(self.tarn("get", "n", "-o", "hex"), b"fbffffffffffffff\n")
        self.assertEqual(json.loads(self.tarn("incr", "n", "-o", "json")),
                         {"key": "n", "counter": -4})
        for delta in ("x", "", "1.5", "9223372036854775808", "-9223372036854775809", "1 ", "--1"):
            self.tarn("incr", "n", "--", delta, code=USAGE)
        self.tarn("set", "text", "1")
        self.tarn("incr", "text", code=NOT_FOUND)
        self.assertEqual(self.tarn("incr", "m", "9223372036854775807"), b"9223372036854775807\n")
        self.tarn("incr", "m", code=LIMIT)
        self.assertEqual(self.tarn("get", "m"), b"9223372036854775807\n")
        self.assertEqual(self.tarn("incr", "l", "-9223372036854775808"), b"-9223372036854775808\n")


class Many(Case):
    def test_mset_mget(self):
        self.tarn("mset", "a", "1", "b", "2\t\n")
        self.assertEqual(self.tarn("mget", "b", "a"), b"b\t2\\t\\n\na\t1\n")
        self.assertEqual(self.tarn("mget", "a", "none", "b", code=NOT_FOUND), b"a\t1\nb\t2\\t\\n\n")
        self.assertEqual(self.messages, "tarn: Key not found: 'none'\n")
        self.assertEqual(self.tarn("mget", "--all-or-nothing", "a", "none", code=NOT_FOUND), b"")
        self.assertIn("Key not found: 'none'", self.messages)
        self.assertEqual(self.tarn("mget", "--all-or-nothing", "a"), b"a\t1\n")
        self.assertEqual(self.tarn("mget", "a", "-o", "hex"), b"61\t31\n")
        self.tarn("mset", "a", "1", "b", code=USAGE)
        self.tarn("mset", "a", "1", "", "2", code=USAGE)
        for command in (("mset", "a", "1"), ("mget", "a"), ("mrm", "a")):
            self.tarn(*command, "--all-or-nothing", "--best-effort", code=USAGE)

    def test_mset_limits(self):
        self.tarn("ns", "create", "default", "--max-keys", "2")
        self.tarn("mset", "a", "1", "b", "2", "c", "3", code=LIMIT)
        self.assertIn("'c'", self.messages)
        self.assertEqual(self.tarn("count"), b"0\n")
        self.tarn("mset", "--best-effort", "a", "1", "b", "2", "c", "3", code=LIMIT)
        self.assertEqual(self.tarn("count"), b"2\n")

    def test_mrm(self):
        self.tarn("mset", "a", "1", "b", "2", "c", "3")
        self.tarn("mrm", "a", "none", code=NOT_FOUND)
        self.assertIn("Key not found: 'none'", self.messages)
        self.assertEqual(self.tarn("count"), b"3\n")
        self.tarn("mrm", "--best-effort", "a", "none", "b", code=NOT_FOUND)
        self.assertEqual(self.tarn("scan"), b"c\t3\n")
        self.tarn("mrm", "c")
        self.assertEqual(self.tarn("count"), b"0\n")

    def test_scan_count(self):
        self.tarn("mset", "u:1", "a", "u:2", "b", "v:1", "c")
        self.tarn("incr", "n", "5")
        self.assertEqual(self.lines("scan"), [b"n\t5", b"u:1\ta", b"u:2\tb", b"v:1\tc"])
        self.assertEqual(self.lines("scan", "--prefix", "u:"), [b"u:1\ta", b"u:2\tb"])
        self.assertEqual(self.lines("scan", "--prefix", "u:", "--keys-only"), [b"u:1", b"u:2"])
        self.assertEqual(self.lines("scan", "--prefix", "u:", "-o", "hex"),
                         [b"753a31\t61", b"753a32\t62"])
        self.assertEqual(self.lines("scan", "--hex", "--prefix", "763a"), [b"v:1\tc"])
        self.assertEqual([json.loads(line) for line in self.lines("scan", "-o", "json")],
                         [{"key": "n", "counter": 5}, {"key": "u:1", "value": "a"},
                          {"key": "u:2", "value": "b"}, {"key": "v:1", "value": "c"}])
        self.assertEqual(self.lines("scan", "--keys-only", "-o", "json", "--prefix", "n"),
                         [b'{"key":"n"}'])
        self.assertEqual(len(self.lines("scan", "--limit", "3")), 3)
        self.assertEqual(self.tarn("scan", "--limit", "0"), b"")
        self.assertEqual(self.tarn("scan", "--prefix", "w"), b"")
        self.tarn("scan", "--limit", "some", code=USAGE)
        self.tarn("scan", "--limit", "18446744073709551616", code=USAGE)
        self.assertEqual(self.tarn("count"), b"4\n")
        self.assertEqual(self.tarn("count", "--prefix", "u:"), b"2\n")
        self.assertEqual(json.loads(self.tarn("count", "-o", "json")), {"keys": 4})


class Bytes(Case):
    def test_values(self):
        value = bytes(range(256)) * 300
        self.tarn("set", "a", "--value-file", self.write("value", value))
        self.assertEqual(self.tarn("get", "a", "--raw"), value)
        self.assertEqual(self.tarn("get", "a"), value + b"\n")
        self.tarn("set", "b", "-", given=value)
        self.assertEqual(self.tarn("get", "b", "--raw"), value)
        self.tarn("set", "c", "--value-file", "-", given=b"")
        self.assertEqual(self.tarn("get", "c", "--raw"), b"")
        self.tarn("insert", "d", "-", given=b"ins\n")
        self.tarn("update", "d", "--value-file", "value")
        self.assertEqual(self.tarn("get", "d", "--raw"), value)
        self.tarn("set", "e", "--value-file", "none", code=IO)
        self.assertIn("none", self.messages)
        self.tarn("set", "e", "--value-file", ".", code=IO)
        self.tarn("set", "e", "v", "--value-file", "value", code=USAGE)
        self.tarn("set", "e", code=USAGE)

    def test_hex(self):
        self.tarn("set", "--hex", "00ff0A", "0001")
        self.assertEqual(self.tarn("get", "--hex", "00FF0a", "--raw"), b"\0\1")
        self.assertEqual(self.tarn("get", "--hex", "00ff0a", "-o", "hex"), b"0001\n")
        self.assertEqual(json.loads(self.tarn("get", "--hex", "00ff0a", "-o", "json"))["key64"],
                         "AP8K")
        self.assertEqual(self.tarn("scan"), b"\\x00\\xff\\n\t\\x00\\x01\n")
        self.tarn("cas", "--hex", "00ff0a", "0001", "02")
        self.tarn("mset", "--hex", "00", "01", "0000", "0101")
        self.tarn("mrm", "--hex", "00", "000000", code=NOT_FOUND)
        self.assertIn("key 2", self.messages)
        self.tarn("get", "--hex", "0", code=USAGE)
        self.tarn("get", "--hex", "0g", code=USAGE)
        self.tarn("get", "--hex", "", code=USAGE)

    def test_arguments(self):
        key = bytes(range(1, 256))
        self.tarn("set", b"--", b"", key, code=USAGE)
        self.tarn("set", b"--", key, key[::-1])
        self.assertEqual(self.tarn("get", b"--raw", b"--", key), key[::-1])
        self.tarn("set", "k", "-5")
        self.assertEqual(self.tarn("get", "k"), b"-5\n")
        self.tarn("set", "-5", "-6", "-q")
        self.assertEqual(self.tarn("get", "-5"), b"-6\n")
        self.tarn("set", "--", "--help", "-x")
        self.assertEqual(self.tarn("get", "--", "--help"), b"-x\n")
        self.tarn("set", "k", "-x", code=USAGE)

    def test_large(self):
        self.tarn("set", b"k" * 65536, "v")
        self.assertEqual(self.tarn("get", b"k" * 65536), b"v\n")
        self.tarn("set", b"k" * 65537, "v", code=LIMIT)
        self.tarn("ns", "create", "small", "--max-value-size", "1K")
        self.tarn("set", "a", "v" * 1024, "-n", "small")
        self.tarn("set", "a", "v" * 1025, "-n", "small", code=LIMIT)
        self.assertEqual(self.tarn("get", "a", "-n", "small"), b"v" * 1024 + b"\n")


class Locks(Case):
    def hold(self):
        """A process that has the store open for writing, until its input ends."""
        # It waits, because the look that follows has the store open for a moment itself.
        holder = subprocess.Popen([TARN, "load", "--wait", "60"], stdin=subprocess.PIPE, cwd=self.folder,
                                  stderr=subprocess.DEVNULL, env=environment())
        for _ in range(1000):
            if self.run_tarn("count").returncode == LOCKED:
                return holder
            time.sleep(0.01)
        self.fail("the store is not locked")

    def test_writer(self):
        self.tarn("set", "a", "1")
        holder = self.hold()
        for arguments in (("get", "a"), ("set", "a", "2"), ("scan",), ("rm", "a")):
            self.tarn(*arguments, code=LOCKED)
            self.assertIn("--wait", self.messages)
        waiting = subprocess.Popen([TARN, "get", "a", "--wait", "30"], stdout=subprocess.PIPE,
                                   cwd=self.folder, env=environment())
        time.sleep(0.1)
        self.assertIsNone(waiting.poll())
        holder.communicate(b'{"key":"a","value":"held"}\n')
        self.assertEqual(waiting.communicate()[0], b"held\n")
        self.assertEqual((holder.returncode, waiting.returncode), (0, 0))

    def test_readers(self):
        """A read that is stopped in the middle lets others read, and keeps writers out."""
        lines = b"".join(b'{"key":"%d","value":"%s"}\n' % (i, b"v" * 1000) for i in range(4000))
        self.tarn("load", given=lines)
        with subprocess.Popen([TARN, "scan"], stdout=subprocess.PIPE, cwd=self.folder,
                              env=environment()) as reader:
            self.assertEqual(len(reader.stdout.read(1)), 1)  # it writes into a pipe that is full
            self.assertEqual(self.tarn("get", "7"), b"v" * 1000 + b"\n")
            self.tarn("set", "a", "2", code=LOCKED)
            reader.communicate()
        self.assertEqual(reader.returncode, DONE)

    def test_read_only(self):
        self.tarn("set", "a", "1")
        for arguments in (("set", "a", "2"), ("rm", "a"), ("incr", "n"), ("load",),
                          ("ns", "create", "x"), ("snapshot", "save", "x")):
            self.tarn("--read-only", *arguments, code=USAGE)
            self.assertIn("--read-only", self.messages)
        self.assertEqual(self.tarn("--read-only", "get", "a"), b"1\n")
        self.assertEqual(self.tarn("ns", "list"), b"default\n")


if __name__ == "__main__":
    main()
