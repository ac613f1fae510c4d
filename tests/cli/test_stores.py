#!/usr/bin/env python3
"""The commands on namespaces, snapshots and stores."""
import json
import os
import pty
import re

from command import CORRUPT, IO, LIMIT, NOT_FOUND, USAGE, Case, main


class Namespaces(Case):
    def shown(self, *arguments):
        return json.loads(self.tarn("ns", "show", *arguments, "-o", "json"))

    def test_create(self):
        self.assertEqual(self.tarn("ns", "create", "a"), b"")
        self.tarn("ns", "create", "b", "--shards", "4", "--lock-timeout-ms", "77", "--max-keys",
                  "10", "--max-value-size", "64K", "--max-bytes", "3M", "--sync", "interval",
                  "--sync-interval-ms", "200", "--segment-bytes", "128k")
        self.assertEqual(self.shown("b"), {
            "name": "b", "engine": "log", "shards": 4, "lock_timeout_ms": 77, "max_keys": 10,
            "max_value_size": 65536, "max_bytes": 3 * 2**20, "sync": "interval",
            "sync_interval_ms": 200, "segment_bytes": 131072, "compact_bytes": 2**20,
            "compact_percent": 20})
        self.tarn("ns", "create", "m", "--engine", "memory")
        self.assertEqual(self.shown("m")["engine"], "memory")
        self.assertEqual(self.shown("a")["sync"], "always")
        self.assertEqual(self.tarn("ns", "list"), b"a\nb\nm\n")
        self.tarn("ns", "create", "a", code=NOT_FOUND)
        self.tarn("ns", "create", "", code=USAGE)
        self.tarn("ns", "create", "x" * 256, code=USAGE)
        self.tarn("ns", "create", "a\tb", code=USAGE)
        self.tarn("ns", "create", "../up")
        self.assertEqual(os.listdir(self.folder), ["data"])

    def test_list(self):
        self.tarn("set", "k", "value")
        self.tarn("incr", "k", "-n", "\u00e9t\u00e9")
        self.assertEqual(self.tarn("ns", "list").decode(), "default\n\u00e9t\u00e9\n")
        self.assertEqual([json.loads(line) for line in self.lines("ns", "list", "-o", "json")],
                         [{"name": "default"}, {"name": "\u00e9t\u00e9"}])
        self.assertEqual(json.loads(self.lines("ns", "list", "-o", "json", "--long")[0]),
                         {"name": "default", "engine": "log", "keys": 1, "bytes": 6})
        self.assertRegex(self.tarn("ns", "list", "--long").decode(),
                         r"^engine +keys +bytes  name\nlog +1 +6  default\nlog +1 +9  \S+\n$")

    def test_set(self):
        self.tarn("mset", "a", "1", "b", "2")
        self.tarn("ns", "set", "default", "--max-keys", "2", "--sync", "none")
        self.assertEqual((self.shown()["max_keys"], self.shown()["sync"]), (2, "none"))
        self.tarn("set", "c", "3", code=LIMIT)
        self.assertIn("tarn ns show", self.messages)
        self.tarn("ns", "set", "default", "--max-keys", "1", code=LIMIT)
        self.tarn("ns", "set", "default", "--max-keys", "0", "--lock-timeout-ms", "9")
        self.tarn("set", "c", "3")
        self.tarn("ns", "set", "default", "--sync-interval-ms", "123")
        self.assertEqual((self.shown()["sync"], self.shown()["sync_interval_ms"]), ("none", 123))
        self.assertEqual(self.shown()["lock_timeout_ms"], 9)
        self.tarn("ns", "set", "default", "--compact-bytes", "5M")
        self.tarn("ns", "set", "default", "--compact-percent", "77")
        self.assertEqual((self.shown()["compact_bytes"], self.shown()["compact_percent"]),
                         (5 * 2**20, 77))
        self.tarn("ns", "set", "default", "--compact-percent", "0", code=USAGE)
        self.tarn("ns", "set", "default", "--compact-percent", "101", code=USAGE)
        self.tarn("ns", "create", "compacting", "--compact-bytes", "3K", "--compact-percent", "5")
        self.assertEqual((self.shown("compacting")["compact_bytes"],
                          self.shown("compacting")["compact_percent"]), (3072, 5))
        self.tarn("ns", "set", "default", code=USAGE)
        self.tarn("ns", "set", "default", "--engine", "memory", code=USAGE)
        self.tarn("ns", "set", "none", "--max-keys", "1", code=NOT_FOUND)
        self.tarn("ns", "set", "default", "--shards", "3")
        self.assertEqual(self.shown()["shards"], 3)
        self.tarn("ns", "resize", "default", "64")
        self.assertEqual(self.shown()["shards"], 64)
        self.assertEqual(self.lines("scan"), [b"a\t1", b"b\t2", b"c\t3"])
        self.assertEqual(len(self.lines("stats", "--shards")), 64)

    def test_clear_drop(self):
        self.tarn("set", "k", "v")
        self.tarn("set", "k", "v", "-n", "other")
        self.tarn("ns", "clear", "default")
        self.assertEqual(self.tarn("count"), b"0\n")
        self.tarn("ns", "drop", "default")
        self.assertEqual(self.tarn("ns", "list"), b"other\n")
        self.assertEqual(self.tarn("get", "k", "-n", "other"), b"v\n")
        for command in (("drop", "none"), ("clear", "none"), ("show", "none"),
                        ("resize", "none", "4")):
            self.tarn("ns", *command, code=NOT_FOUND)

    def test_engines(self):
        self.tarn("set", "k", "v", "--engine", "memory", "-n", "m")
        self.assertIn("lives in memory", self.messages)
        self.tarn("get", "k", "-n", "m", code=NOT_FOUND)
        self.tarn("set", "k", "v", "--engine", "log", "-n", "m", code=USAGE)
        self.assertIn("tarn ns copy --engine", self.messages)
        self.tarn("set", "k", "v", "-q", "-n", "m")
        self.assertEqual(self.messages, "")
        self.tarn("set", "k", "v", "--sync", "none")
        self.assertEqual(self.shown()["sync"], "none")
        self.tarn("set", "k", "w", "--sync", "always")
        self.assertIn("keeps its sync mode none", self.messages)
        self.assertEqual(self.tarn("get", "k"), b"w\n")
        for sync in ("none", "interval", "always"):
            self.tarn("set", "k", sync, "--sync", sync, "-n", sync)
            self.assertEqual(self.tarn("get", "k", "-n", sync).decode(), sync + "\n")
            self.assertEqual(self.shown(sync)["sync"], sync)

    def test_copy(self):
        self.tarn("mset", "a", "1", "b", "2")
        self.tarn("ns", "set", "default", "--max-keys", "10", "--sync", "none")
        self.tarn("ns", "copy", "default", "other")
        self.tarn("set", "c", "3")
        self.assertEqual(self.lines("scan", "-n", "other"), [b"a\t1", b"b\t2"])
        self.assertEqual({**self.shown("other"), "name": "default"}, self.shown())
        self.tarn("ns", "copy", "default", "memory", "--engine", "memory", "--max-keys", "5")
        self.assertIn("lives in memory", self.messages)
        self.assertEqual((self.shown("memory")["engine"], self.shown("memory")["max_keys"]),
                         ("memory", 5))
        self.assertEqual(self.tarn("count", "-n", "memory"), b"0\n")
        self.tarn("autosave", "set", "-n", "kept", "--at-close", code=NOT_FOUND)
        self.tarn("ns", "create", "kept", "--engine", "memory")
        self.tarn("autosave", "set", "-n", "kept", "--at-close")
        self.tarn("set", "k", "v", "-n", "kept")
        self.tarn("ns", "copy", "kept", "logged", "--engine", "log")
        self.assertEqual(self.messages, "")
        self.assertEqual(self.tarn("get", "k", "-n", "logged"), b"v\n")
        self.tarn("ns", "copy", "default", "other", code=NOT_FOUND)
        self.tarn("ns", "copy", "none", "x", code=NOT_FOUND)
        self.tarn("ns", "copy", "default", "x", "--max-keys", "2", code=LIMIT)
        self.tarn("ns", "copy", "default", "", code=USAGE)
        self.tarn("ns", "copy", "default", code=USAGE)
        self.tarn("ns", "copy", "default", "x", "--engine", "paper", code=USAGE)
        self.tarn("--read-only", "ns", "copy", "default", "x", code=USAGE)
        self.assertEqual(self.tarn("ns", "list"), b"default\nkept\nlogged\nmemory\nother\n")

    def test_compact(self):
        for name in ("a", "b"):
            self.tarn("ns", "create", name, "--segment-bytes", "64K", "--compact-bytes", "1G")
            for letter in (b"x", b"y"):
                self.tarn("load", "-n", name, "-q", "--format", "tsv", given=b"".join(
                    b"key%d\t%s\n" % (i, letter * 1000) for i in range(500)))
        self.tarn("ns", "create", "m", "--engine", "memory")
        before = json.loads(self.tarn("stats", "-n", "a", "-o", "json"))
        shown = json.loads(self.tarn("compact", "-n", "a", "-o", "json"))
        self.assertEqual(self.messages, "")
        after = json.loads(self.tarn("stats", "-n", "a", "-o", "json"))
        self.assertEqual(shown["namespace"], "a")
        self.assertGreater(shown["freed_bytes"], 400000)
        self.assertLess(after["stale_bytes"], 20000)
        self.assertEqual(self.tarn("compact"), b"")
        freed, left = re.match(r"tarn: (\d+) bytes came back, (\d+) are on disk now",
                               self.messages).groups()
        self.assertGreater(int(freed), 400000)
        self.assertGreater(int(left), 1000000)
        self.assertEqual([json.loads(line)["namespace"] for line in
                          self.tarn("compact", "-o", "json").splitlines()], ["a", "b"])
        self.assertEqual(self.tarn("count", "-n", "b"), b"500\n")
        self.tarn("compact", "-n", "m", "-q")
        self.assertEqual(self.messages, "")
        self.tarn("compact", "-n", "none", code=NOT_FOUND)
        self.tarn("--read-only", "compact", code=USAGE)
        self.tarn("compact", "a", code=USAGE)

    def test_sync(self):
        self.tarn("set", "k", "v", "--sync", "none")
        self.assertEqual(self.tarn("sync"), b"")
        self.tarn("sync", "-n", "none", code=NOT_FOUND)
        self.tarn("--read-only", "sync", code=USAGE)
        self.assertEqual(self.tarn("get", "k"), b"v\n")

    def test_stats(self):
        self.tarn("mset", "a", "123", "b", "4")
        stats = json.loads(self.tarn("stats", "-o", "json"))
        self.assertEqual((stats["namespace"], stats["engine"], stats["keys"], stats["bytes"]),
                         ("default", "log", 2, 6))
        self.assertGreater(stats["log_bytes"], 6)
        text = self.tarn("stats").decode()
        self.assertRegex(text, r"(?m)^keys: +2$")
        self.assertRegex(text, r"(?m)^shards: +16$")
        self.assertEqual(sum(int(line.split(b"\t")[1]) for line in self.lines("stats", "--shards")),
                         2)
        self.assertEqual(sum(json.loads(line)["keys"] for line in
                             self.lines("stats", "--shards", "-o", "json")), 2)


class Snapshots(Case):
    def test_save_load(self):
        self.tarn("set", "k", "1")
        self.tarn("set", "k", "o", "-n", "other")
        self.tarn("snapshot", "save", "one")
        self.assertIn("saved 2 keys", self.messages)
        self.tarn("snapshot", "save", "two", "--of", "default")
        self.tarn("set", "k", "2")
        self.tarn("set", "l", "2")
        self.tarn("snapshot", "load", "two")
        self.assertEqual(self.tarn("scan"), b"k\t1\n")
        self.tarn("set", "k", "3")
        self.tarn("snapshot", "load", "one", "--of", "default", "--as", "was")
        self.assertEqual(self.tarn("get", "k", "-n", "was"), b"1\n")
        self.assertEqual(self.tarn("get", "k"), b"3\n")
        self.tarn("ns", "drop", "other")
        self.tarn("snapshot", "load", "one")
        self.assertEqual(self.tarn("get", "k", "-n", "other"), b"o\n")
        self.assertEqual(self.tarn("get", "k"), b"1\n")

    def test_list_verify_delete(self):
        self.tarn("set", "k", "1")
        self.tarn("snapshot", "save", "one", "-q")
        self.assertEqual(self.messages, "")
        self.tarn("set", "k", "2")
        self.tarn("snapshot", "save", "two", "--of", "default")
        listed = [json.loads(line) for line in
                  self.tarn("snapshot", "list", "-o", "json").splitlines()]
        self.assertEqual([(s["name"], s["of"]) for s in listed],
                         [("two", "namespace"), ("one", "store")])
        self.assertEqual(listed[0]["namespace"], "default")
        self.assertRegex(self.tarn("snapshot", "list").decode(),
                         r"^time .*\n20\S+Z +\d+ +\d+  two  of default\n20\S+Z +\d+ +\d+  one\n$")
        self.tarn("snapshot", "verify", "one")
        path = self.path("data", "snapshots", "one")
        path = path if os.path.exists(path) else next(
            os.path.join(folder, name) for folder, _, names in os.walk(self.path("data"))
            for name in names if name.startswith("one"))
        with open(path, "r+b") as file:
            file.seek(-40, os.SEEK_END)
            byte = file.read(1)
            file.seek(-40, os.SEEK_END)
            file.write(bytes((byte[0] ^ 1,)))
        self.tarn("snapshot", "verify", "one", code=CORRUPT)
        self.tarn("snapshot", "load", "one", code=CORRUPT)
        self.assertEqual(self.tarn("get", "k"), b"2\n")
        self.tarn("snapshot", "delete", "one")
        self.assertEqual(len(self.lines("snapshot", "list", "-o", "json")), 1)

    def test_errors(self):
        self.tarn("set", "k", "1")
        for command in ("load", "verify", "delete"):
            self.tarn("snapshot", command, "none", code=NOT_FOUND)
            self.assertIn("tarn snapshot list", self.messages)
        for name in ("", "../up", "a/b", ".hidden", "x" * 201):
            self.tarn("snapshot", "save", name, code=USAGE)
        self.tarn("snapshot", "save", "s", "--of", "none", code=NOT_FOUND)
        self.tarn("snapshot", "load", "s", "--as", "x", code=USAGE)
        self.tarn("snapshot", "save", "s")
        self.tarn("snapshot", "load", "s", "--of", "none", code=NOT_FOUND)


class Backups(Case):
    def test_backup(self):
        self.tarn("mset", "a", "1", "b", "2")
        self.tarn("ns", "create", "m", "--engine", "memory")
        self.tarn("autosave", "set", "-n", "m", "--at-close")
        self.tarn("set", "-n", "m", "k", "v")
        self.assertEqual(self.tarn("backup", "copy"), b"")
        self.assertIn("copied 2 namespaces with 6 bytes", self.messages)
        self.tarn("set", "a", "changed")
        self.assertEqual(self.lines("scan", "-d", "copy"), [b"a\t1", b"b\t2"])
        self.assertEqual(self.tarn("get", "k", "-n", "m", "-d", "copy"), b"v\n")
        self.tarn("set", "a", "in the copy", "-d", "copy")
        self.assertEqual(self.tarn("get", "a"), b"changed\n")
        self.assertEqual(self.tarn("get", "a", "-d", "copy"), b"in the copy\n")
        os.mkdir(self.path("empty"))
        self.assertEqual(json.loads(self.tarn("--read-only", "backup", "empty", "-o", "json")),
                         {"to": "empty", "namespaces": 2, "bytes": 12})
        self.assertEqual(self.messages, "")

    def test_places(self):
        self.tarn("set", "k", "v")
        self.tarn("backup", "copy", "-q")
        self.tarn("backup", "copy", code=USAGE)
        self.assertIn("not empty", self.messages)
        self.tarn("backup", "data", code=USAGE)
        self.tarn("backup", "no/copy", code=IO)
        self.tarn("backup", "/dev/null", code=USAGE)
        self.tarn("backup", "", code=USAGE)
        self.tarn("backup", code=USAGE)
        self.tarn("backup", "x", "-d", "none", code=IO)
        self.assertEqual(sorted(os.listdir(self.folder)), ["copy", "data"])

    def test_one_that_was_not_finished(self):
        self.tarn("set", "k", "v")
        self.tarn("backup", "copy")
        self.write("copy/unfinished", b"")
        for arguments in (("get", "k"), ("set", "k", "w"), ("ns", "list")):
            self.tarn(*arguments, "-d", "copy", code=USAGE)
            self.assertIn("not finished", self.messages)

    def test_progress_on_a_terminal(self):
        self.tarn("load", "--format", "tsv", given=b"".join(
            b"key%d\t%s\n" % (i, b"v" * 1000) for i in range(3000)))
        for command in (("backup", "copy"), ("compact",)):
            leader, follower = pty.openpty()
            done = self.run_tarn(*command, stderr=follower)
            os.close(follower)
            said = os.read(leader, 65536).decode()
            os.close(leader)
            self.assertEqual(done.returncode, 0, said)
            self.assertRegex(said, r"\[[#.]{24}\]" if command[0] == "backup" else r"came back")


class Autosaves(Case):
    def listed(self):
        return [json.loads(line) for line in self.lines("autosave", "list", "-o", "json")]

    def test_at_close(self):
        self.tarn("ns", "create", "m", "--engine", "memory")
        self.tarn("autosave", "set", "-n", "m", "--at-close", "--keep", "2")
        self.tarn("set", "-n", "m", "k", "v")
        self.assertEqual(self.messages, "")
        self.assertEqual(self.tarn("get", "-n", "m", "k"), b"v\n")
        self.tarn("autosave", "stop", "-n", "m")
        self.tarn("set", "-n", "m", "k", "w")
        self.assertIn("lives in memory", self.messages)
        self.assertEqual(self.tarn("get", "-n", "m", "k"), b"v\n")

    def test_settings(self):
        self.tarn("set", "k", "v")
        self.assertEqual(self.listed(), [])
        self.tarn("autosave", "set", "--store", "--interval-ms", "60000", "--pattern", "s-{ts}")
        self.tarn("autosave", "set", "--keep", "7")
        self.assertEqual(self.listed(), [
            {"of": "namespace", "namespace": "default", "running": True, "interval_ms": 300000,
             "keep": 7, "pattern": "{ns}-{ts}", "at_close": False},
            {"of": "store", "running": True, "interval_ms": 60000, "keep": 3, "pattern": "s-{ts}",
             "at_close": False}])
        self.tarn("autosave", "start", code=NOT_FOUND)
        self.tarn("autosave", "stop")
        self.tarn("autosave", "stop", code=NOT_FOUND)
        self.tarn("autosave", "start")
        self.tarn("autosave", "forget")
        self.tarn("autosave", "start", code=NOT_FOUND)
        self.tarn("autosave", "stop", "--store")
        self.assertEqual([(a["of"], a["running"]) for a in self.listed()], [("store", False)])
        self.assertRegex(self.tarn("autosave", "list").decode(), r"(?m)^running: +no$")
        self.tarn("autosave", "set", "--interval-ms", "99", code=USAGE)
        self.tarn("autosave", "set", "--keep", "0", code=USAGE)
        self.tarn("autosave", "set", "--pattern", "none", code=USAGE)
        self.tarn("autosave", "set", "-n", "none", code=NOT_FOUND)


class Damage(Case):
    def test_damaged_catalog(self):
        self.tarn("set", "k", "v")
        with open(self.path("data", "catalog"), "r+b") as file:
            file.seek(70)
            byte = file.read(1)
            file.seek(70)
            file.write(bytes((byte[0] ^ 4,)))
        for arguments in (("get", "k"), ("set", "k", "w"), ("ns", "list")):
            self.tarn(*arguments, code=CORRUPT)
            self.assertIn("catalog", self.messages)

    def test_no_lock_file(self):
        self.tarn("set", "k", "v")
        os.unlink(self.path("data", "lock"))
        self.tarn("get", "k", code=CORRUPT)
        self.assertIn("lock", self.messages)
        self.tarn("get", "k", "-d", "/dev/null", code=IO)


if __name__ == "__main__":
    main()
