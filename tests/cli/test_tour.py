"""The tour of the command that `make run` takes: on a small package catalogue, on a folder, and with
commands that lose something, which it must notice.

    test_tour.py TARN TOUR [unittest's arguments]       (TOUR: examples/tour_command.py)
"""
import os
import subprocess
import sys

from command import TARN, Case, environment, main

TOUR = os.path.abspath(sys.argv.pop(2))
PACKAGES = 20000

CATALOGUE = """#!/bin/sh
[ "$1" = dumpavail ] && cat "$(dirname "$0")/catalogue"
"""

# A `tarn` of which one subcommand goes wrong.
WRONG = """#!/bin/sh
tarn={tarn}
{what}
exec "$tarn" "$@"
"""
LOSES = 'if [ "$1" = load ] && [ $# = 2 ]; then sed 1d "$2" >"$2.cut"; exec "$tarn" load "$2.cut"; fi'
CHANGES = 'if [ "$1" = dump ]; then "$tarn" dump | sed "s/Version: 1/Version: 2/" >"$2"; exit; fi'
LEAVES = 'if [ "$1" = compact ]; then exit 0; fi'


def stanza(number):
    # each hundredth package is there in two versions, and one is not in UTF-8
    name = number - 1 if number % 100 == 0 else number
    odd = b"\xff" if number == 77 else b""
    return (b"Package: package-%d\nVersion: 1.%d\nArchitecture: all\nDescription: %s%s\n\n"
            % (name, number, b"text " * (number % 40), odd))


class TourTest(Case):
    def setUp(self):
        super().setUp()
        for name in ("bin", "temporary"):
            os.mkdir(self.path(name))
        self.write(os.path.join("bin", "catalogue"), b"".join(map(stanza, range(PACKAGES))))
        self.program("apt-cache", CATALOGUE)

    def program(self, name, text):
        path = self.write(os.path.join("bin", name), text.encode())
        os.chmod(path, 0o700)
        return path

    def tour(self, *arguments, tarn=TARN, code=0):
        path = self.path("bin") + os.pathsep + os.environ["PATH"]
        done = subprocess.run([sys.executable, TOUR, tarn, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, timeout=100,
                              env=environment(PATH=path, TMPDIR=self.path("temporary")))
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout.decode(), done.stderr.decode()

    def wrong(self, what):
        return self.tour(tarn=self.program("wrong", WRONG.format(tarn=TARN, what=what)), code=1)[1]

    def test_catalogue(self):
        said = self.tour()[0]
        for part in (f"on {PACKAGES} records", "$ tarn load first.jsonl\n", "$ kill -KILL $!\n",
                     f"All {PACKAGES // 2} records that were acknowledged are there", "faults:  ",
                     "$ tarn compact\n", "Changed-By: the tour\n", "\ncompact  "):
            self.assertIn(part, said)
        self.assertTrue(said.endswith("Everything came back as it was stored.\n"))
        self.assertEqual(os.listdir(self.path("temporary")), [])

    def test_folder(self):
        os.makedirs(self.path("files", "below"))
        self.write(os.path.join("files", os.fsdecode(b"-empty \xe9")), b"")
        self.write(os.path.join("files", "below", "bytes"), bytes(range(256)) * 100)
        self.write(os.path.join("files", "text"), b"line\n")
        os.symlink("text", self.path("files", "link"))
        self.assertIn("on 3 records", self.tour(self.path("files"))[0])
        self.assertEqual(os.listdir(self.path("temporary")), [])

    def test_what_goes_wrong_is_noticed(self):
        self.assertIn("1 are missing", self.wrong(LOSES))
        self.assertIn("have another value", self.wrong(CHANGES))
        said = self.wrong(LEAVES)
        self.assertIn("after the compaction", said)
        self.assertIn("all is left in", said)
        self.assertEqual(len(os.listdir(self.path("temporary"))), 3)

    def test_no_catalogue(self):
        self.write(os.path.join("bin", "catalogue"), b"")
        self.assertIn("has 0 packages", self.tour(code=1)[1])
        self.assertEqual(os.listdir(self.path("temporary")), [])


if __name__ == "__main__":
    main()
