#!/usr/bin/env python3
"""Help, arguments that are wrong, output that cannot be written, readers that go away."""
import os
import re
import signal
import subprocess

from command import DONE, IO, NOT_FOUND, TARN, USAGE, Case, environment, main

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class Help(Case):
    def names(self, *command):
        return [name for name in self.tarn("help", "--names", *command).decode().split()
                if not name.startswith("-")]

    def commands(self):
        for name in self.names():
            yield (name,)
            for part in self.names(name):
                yield (name, part)

    def test_every_command(self):
        overview = self.tarn("help").decode()
        self.assertEqual(self.tarn("--help").decode(), overview)
        found = list(self.commands())
        self.assertGreater(len(found), 38)
        for command in found:
            text = self.tarn("help", *command).decode()
            self.assertEqual(self.tarn(*command, "--help").decode(), text)
            self.assertEqual(self.tarn(*command, "-h").decode(), text)
            self.assertTrue(text.startswith("usage: tarn " + " ".join(command)), text)
            self.assertIn("tarn " + command[0], text.split("\n", 1)[1], f"{command}: no example")
            self.assertIn("--data-dir", text)
            self.assertLessEqual(max(map(len, text.splitlines())), 100, command)
            if len(command) == 1:
                self.assertRegex(overview, rf"\n  {command[0]} ")
        self.assertEqual(os.listdir(self.folder), [])

    def test_manual(self):
        with open(os.path.join(ROOT, "docs", "man", "tarn.1"), encoding="utf-8") as file:
            manual = file.read().replace("\\-", "-")
        for command in self.commands():
            self.assertTrue(re.search(rf"(\b|\\f[BIR]){command[-1]}\b", manual), command)
            for option in self.tarn("help", "--names", *command).decode().split():
                if option.startswith("--") and option != "--names":
                    self.assertIn(option, manual, command)

    def test_no_such_help(self):
        for command in (("nothing",), ("get", "set"), ("ns", "nothing"), ("ns", "list", "x")):
            self.tarn("help", *command, code=USAGE)

    def test_version(self):
        text = self.tarn("version")
        self.assertRegex(text.decode(), r"^tarn \d+\.\d+\.\d+\n$")
        self.assertEqual(self.tarn("--version"), text)
        self.assertEqual(self.tarn("-V"), text)
        self.assertRegex(self.tarn("version", "-o", "json").decode(), r'^{"version":"\d[\d.]+"}\n$')

    def test_completion(self):
        script = os.path.join(ROOT, "cli", "tarn.bash")
        ask = ('source "$1"; tarn() { "$TARN" "$@"; }; COMP_WORDS=("${@:2}"); '
               'COMP_CWORD=$(($# - 2)); _tarn; printf "%s\\n" "${COMPREPLY[@]}"')

        def complete(*words):
            return subprocess.run(["bash", "-c", ask, "bash", script, *words], cwd=self.folder,
                                  env=environment(TARN=TARN), stdout=subprocess.PIPE,
                                  check=True).stdout.decode().split()
        self.assertIn("consume", complete("tarn", "con"))
        self.assertEqual(complete("tarn", "ns", "cr"), ["create"])
        self.assertEqual(complete("tarn", "ns", "create", "x", "--max-k"), ["--max-keys"])
        self.assertEqual(complete("tarn", "scan", "--keys"), ["--keys-only"])


class Usage(Case):
    def test_wrong_arguments(self):
        for arguments in ((), ("nothing",), ("get",), ("get", "a", "b"), ("set", "a"), ("ns",),
                          ("ns", "nothing"), ("ns", "create"), ("scan", "x"), ("--nothing",),
                          ("get", "--nothing", "a"), ("get", "a", "--raw=x"), ("get", "-x", "a"),
                          ("get", "a", "--data-dir"), ("get", "a", "-d", ""), ("version", "x"),
                          ("get", "a", "--output", "xml"), ("set", "a", "b", "--engine", "fast"),
                          ("set", "a", "b", "--sync", "often"), ("get", "a", "--wait", "long"),
                          ("get", "a", "--wait", "-1"), ("get", "a", "--wait", "86401"),
                          ("dump", "--format", "xml"), ("load", "--format", ""),
                          ("ns", "create", "x", "--shards", "0"), ("ns", "resize", "x", "4097"),
                          ("ns", "create", "x", "--max-bytes", "1T"), ("ns", "create", "x",
                           "--max-bytes", "99999999999G"), ("ns", "create", "x", "--max-bytes",
                           "K"), ("ns", "create", "x", "--max-value-size", "2G"),
                          ("ns", "create", "x", "--sync-interval-ms", "0"),
                          ("ns", "set", "x", "--max-keys", "many")):
            self.assertEqual(self.tarn(*arguments, code=USAGE), b"", arguments)
            self.assertRegex(self.messages, r"\Atarn: [^\n]+\n\Z")
        self.assertEqual(os.listdir(self.folder), [])

    def test_no_control_characters(self):
        self.tarn("\x1b[2J", code=USAGE)
        self.assertNotIn("\x1b", self.messages)
        self.tarn("set", "a", "1")
        self.tarn("mget", "\x1b[2J", code=NOT_FOUND)
        self.assertNotIn("\x1b", self.messages)
        self.assertIn("\\x1b", self.messages)


class Output(Case):
    def setUp(self):
        super().setUp()
        lines = b"".join(b'{"key":"%d","value":"%s"}\n' % (i, b"v" * 100) for i in range(20000))
        self.tarn("load", "-q", given=lines)
        self.assertEqual(self.messages, "")

    def test_full(self):
        for arguments in (("get", "1"), ("scan",), ("dump",), ("help",), ("version",), ("count",),
                          ("ns", "list"), ("stats",), ("incr", "n"), ("exists", "1")):
            with open("/dev/full", "wb") as full:
                self.tarn(*arguments, code=IO, stdout=full)
            self.assertIn("cannot write to standard output: No space left", self.messages)
        self.tarn("dump", "/dev/full", code=IO)
        self.assertIn("/dev/full", self.messages)
        with open("/dev/full", "wb") as full:  # nothing is printed: nothing fails
            self.tarn("set", "a", "b", stdout=full)

    def test_closed(self):
        """A closed standard stream is not taken by a file of the store."""
        def run(command):
            return subprocess.run(["sh", "-c", command, "sh", TARN], cwd=self.folder,
                                  stderr=subprocess.PIPE, env=environment(), check=False)
        done = run('"$1" get 1 >&-')
        self.assertEqual(done.returncode, IO)
        self.assertIn(b"cannot write to standard output", done.stderr)
        self.assertEqual(run('"$1" set a b >&- 2>&- <&-').returncode, DONE)
        self.assertEqual(run('"$1" get nothing 2>&-').returncode, NOT_FOUND)
        self.assertEqual(run('"$1" set c - <&-').returncode, IO)
        self.assertEqual(self.tarn("get", "a"), b"b\n")
        self.assertEqual(self.tarn("count"), b"20001\n")

    def test_closed_pipe(self):
        for arguments in (("scan",), ("dump",), ("dump", "--format", "tsv"), ("get", "1")):
            reading, writing = os.pipe()
            if arguments[0] != "get":
                process = subprocess.Popen([TARN, *arguments], stdout=writing, cwd=self.folder,
                                           stderr=subprocess.PIPE, env=environment())
                os.close(writing)
                self.assertEqual(len(os.read(reading, 10)), 10)
                os.close(reading)
            else:
                os.close(reading)
                process = subprocess.Popen([TARN, *arguments], stdout=writing, cwd=self.folder,
                                           stderr=subprocess.PIPE, env=environment())
                os.close(writing)
            self.assertEqual(process.communicate()[1], b"")
            self.assertEqual(process.returncode, -signal.SIGPIPE)


if __name__ == "__main__":
    main()
