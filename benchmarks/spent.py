"""Runs a command with its input from a file, and prints what it took: a small parent, for the figures' sake.

A process's peak memory counts what it shared with its parent before it became another program: the parent
must be small for a child's figure to mean anything.
"""

import os
import sys

INPUT, COMMAND = sys.argv[1], sys.argv[2:]

errors = os.memfd_create("stderr")
actions = (
    (os.POSIX_SPAWN_OPEN, 0, INPUT, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    (os.POSIX_SPAWN_DUP2, errors, 2),
)
_, status, spent = os.wait4(os.posix_spawnp(COMMAND[0], COMMAND, os.environ, file_actions=actions), 0)
if status:
    end = os.pread(errors, 500, max(0, os.fstat(errors).st_size - 500)).decode(errors="replace")
    sys.exit(f"{' '.join(COMMAND)}: {end}")
print(spent.ru_utime + spent.ru_stime, spent.ru_maxrss / 1024)
