"""Runs the command `tarn` for the tests beside this file, each of which is

    test_NAME.py TARN [unittest's arguments]        (TARN: the command to be tried)

TARN_SEED, where it is set, is the seed of what is random.
"""
import os
import random
import subprocess
import sys
import tempfile
import unittest

TARN = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "tarn"
SEED = int(os.environ.get("TARN_SEED") or random.SystemRandom().randrange(2**32))

DONE, NOT_FOUND, USAGE, IO, CORRUPT, LOCKED, LIMIT = range(7)


def environment(**changes):
    kept = {name: value for name, value in os.environ.items() if name != "TARN_DATA_DIR"}
    return {**kept, "LC_ALL": "C", **changes}


class Case(unittest.TestCase):
    """A test with a folder of its own, in which the commands run."""

    def setUp(self):
        self.random = random.Random(SEED)
        folder = tempfile.TemporaryDirectory(prefix="tarn-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def assertEqual(self, first, second, msg=None):
        """unittest's own works out how the two differ, which takes all of a machine's memory where
        they are some megabytes of bytes."""
        if first != second:
            about = f": {msg}" if msg else ""
            self.fail(f"{str(first)[:1500]} is not {str(second)[:1500]}{about}")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_tarn(self, *arguments, given=b"", **options):
        options = {"env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   **options}
        return subprocess.run([TARN, *arguments], input=given, cwd=self.folder, check=False,
                              timeout=60, **options)

    def tarn(self, *arguments, code=DONE, given=b"", **options):
        """What it prints; the exit code must be the expected one. Where it succeeds it has nothing
        to complain of, and where it fails it says why."""
        done = self.run_tarn(*arguments, given=given, **options)
        self.assertEqual(done.returncode, code, f"{arguments}: {done}")
        if code:
            self.assertNotEqual(done.stderr, b"", f"{arguments} said nothing")
        self.messages = done.stderr.decode()
        return done.stdout

    def lines(self, *arguments, **options):
        return sorted(self.tarn(*arguments, **options).splitlines())


def main():
    print(f"TARN_SEED={SEED}")
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
