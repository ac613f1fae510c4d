#!/usr/bin/env python3
"""The commands check and salvage."""
import glob
import json
import os
import pty
import subprocess

from command import CORRUPT, IO, LOCKED, TARN, USAGE, Case, environment, main


class Damage(Case):
    def setUp(self):
        super().setUp()
        for number in range(20):
            self.tarn("set", f"key-{number}", f"value {number} " * 5, "--sync", "none")
        self.tarn("snapshot", "save", "s")
        self.segment, = glob.glob(self.path("data", "namespaces", "*", "*.segment"))
        self.records = self.lines("scan")

    def damage(self, path, words):
        """Changes the last byte of these words in a file."""
        with open(path, "r+b") as file:
            data = file.read()
            at = data.index(words) + len(words) - 1
            file.seek(at)
            file.write(bytes([data[at] ^ 1]))

    def json_lines(self, *arguments, **options):
        lines = [json.loads(line) for line in
                 self.tarn(*arguments, "-o", "json", **options).splitlines()]
        return lines[:-1], lines[-1]

    def bytes_of(self, folder):
        found = {}
        for path, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(path, name), "rb") as file:
                    found[os.path.join(path, name)] = file.read()
        return found

    def test_whole(self):
        before = self.bytes_of(self.path("data"))
        self.assertRegex(self.tarn("check").decode(), r"(?m)^faults: +0$")
        faults, sums = self.json_lines("check")
        self.assertEqual(faults, [])
        self.assertEqual((sums["files"], sums["records"], sums["faults"]), (4, 40, 0))
        self.assertEqual(sums["bytes"], sum(len(data) for data in before.values()))
        faults, sums = self.json_lines("salvage", "rescued")
        self.assertEqual((faults, sums["log_keys"]), ([], 20))
        self.assertEqual(self.bytes_of(self.path("data")), before)
        self.assertEqual(self.lines("scan", "-d", "rescued"), self.records)
        self.assertEqual(self.tarn("snapshot", "list", "-d", "rescued").split()[-1], b"s")

    def test_damaged_record(self):
        self.damage(self.segment, b"value 7 ")
        before = self.bytes_of(self.path("data"))
        text = self.tarn("check", code=CORRUPT).decode()
        self.assertRegex(text, r"(?m)^damaged: .*17\.segment'; in namespace 'default', perhaps of "
                               r"key 'key-7'$")
        self.assertIn("tarn salvage", self.messages)
        (fault,), sums = self.json_lines("check", code=CORRUPT)
        self.assertEqual((fault["status"], fault["path"], fault["namespace"], fault["key"]),
                         ("TARN_CORRUPT", "./data" + self.segment.split("data", 1)[1], "default",
                          "key-7"))
        self.assertIn(f"offset {fault['offset']} of", fault["message"])
        self.assertEqual(sums["faults"], 1)
        self.tarn("get", "key-1", code=CORRUPT)
        self.assertIn("tarn check", self.messages)
        (again,), sums = self.json_lines("salvage", "rescued", code=CORRUPT)
        self.assertEqual((again, sums["log_keys"]), (fault, 19))
        self.assertEqual(self.bytes_of(self.path("data")), before)
        self.assertEqual(self.lines("scan", "-d", "rescued"),
                         [line for line in self.records if not line.startswith(b"key-7\t")])
        self.tarn("check", "-d", "rescued")
        self.tarn("set", "key-7", "new", "-d", "rescued")
        self.assertEqual(self.tarn("get", "key-7", "-d", "rescued"), b"new\n")

    def test_damaged_catalog(self):
        self.damage(self.path("data", "catalog"), b"default")
        faults, _ = self.json_lines("salvage", "rescued", code=CORRUPT)
        self.assertEqual([fault["status"] for fault in faults], ["TARN_CORRUPT", "TARN_OK"])
        self.assertIn("is now namespace \"salvaged-2\"", faults[1]["message"])
        self.assertEqual(self.tarn("ns", "list", "-d", "rescued"), b"salvaged-2\n")
        self.assertEqual(self.lines("scan", "-d", "rescued", "-n", "salvaged-2"), self.records)

    def test_damaged_snapshot(self):
        self.damage(self.path("data", "snapshots", "s.snapshot"), b"value 3 ")
        text = self.tarn("salvage", "rescued", code=CORRUPT).decode()
        self.assertIn("20 of 20 records of namespace \"default\" are lost", text)
        self.assertIn("note: what is whole in './data/snapshots/s.snapshot' is now in "
                      "'salvaged-s.snapshot'", text)
        self.assertEqual(self.lines("scan", "-d", "rescued"), self.records)
        self.tarn("snapshot", "verify", "salvaged-s", "-d", "rescued")

    def test_note(self):
        self.write("data/catalog.new", b"x")
        self.assertRegex(self.tarn("check").decode(), r"(?m)^note: './data/catalog.new' is what a "
                                                      r"crash has left")
        self.assertEqual(self.read("data/catalog.new"), b"x")

    def test_usage(self):
        self.tarn("check", "x", code=USAGE)
        self.tarn("salvage", code=USAGE)
        self.tarn("salvage", "data", code=USAGE)
        self.tarn("salvage", "rescued", "--read-only", code=USAGE)
        self.tarn("--read-only", "check")
        self.tarn("check", "-d", "none", code=IO)
        self.tarn("salvage", "-d", "none", "rescued", code=IO)
        self.assertEqual(os.listdir(self.folder), ["data"])

    def test_locked(self):
        with subprocess.Popen([TARN, "load", "--wait", "30"], stdin=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, cwd=self.folder,
                              env=environment()) as writer:
            try:
                while self.run_tarn("count").returncode != LOCKED:
                    self.assertIsNone(writer.poll())
                self.tarn("check", code=LOCKED)
                self.tarn("salvage", "rescued", code=LOCKED)
            finally:
                writer.stdin.close()
            self.tarn("check", "--wait", "20")
        self.assertEqual(os.listdir(self.folder), ["data"])

    def test_progress(self):
        self.tarn("set", "large", "--value-file", self.write("large", b"x" * 30 * 2**20))
        main_end, terminal = pty.openpty()
        subprocess.run([TARN, "check"], stderr=terminal, stdout=subprocess.DEVNULL, check=True,
                       cwd=self.folder, env=environment())
        os.close(terminal)
        shown = b""
        try:
            while piece := os.read(main_end, 65536):
                shown += piece
        except OSError:
            pass # the terminal's other end is closed
        os.close(main_end)
        self.assertRegex(shown, rb"reading \[.*\] +\d+ % [0-9.]+ MiB")
        self.assertTrue(shown.endswith(b"\r\033[K"), shown[-100:])


if __name__ == "__main__":
    main()
