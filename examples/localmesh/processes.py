"""Child processes that never outlive this one, however it ends."""

import atexit
import os
import subprocess
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

# Reads the ids of processes until its input ends, as it does when the process that holds the other
# end of the pipe is gone (by SIGKILL, too), then kills those that are left. Unlike prctl's
# PR_SET_PDEATHSIG this works on every Unix and does not depend on the thread that started a child.
_LEASH = """
held=
while read -r verb pid; do
  case $verb in
    hold) held="$held $pid" ;;
    drop) kept=; for each in $held; do [ "$each" = "$pid" ] || kept="$kept $each"; done; held=$kept ;;
  esac
done
[ -z "$held" ] || kill -KILL $held
"""


class _Leash:
    """The one process that kills our children when we are gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._shell: subprocess.Popen[bytes] | None = None
        self._children: weakref.WeakSet[ChildProcess] = weakref.WeakSet()
        atexit.register(self._close)

    def hold(self, child: "ChildProcess") -> None:
        self._children.add(child)
        self._tell("hold", child.pid)

    def drop(self, pid: int) -> None:
        self._tell("drop", pid)

    def _tell(self, verb: str, pid: int) -> None:
        with self._lock:
            if self._shell is None:
                self._shell = subprocess.Popen(
                    ["/bin/sh", "-c", _LEASH],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is ours to handle, not the children's
                )
            assert self._shell.stdin is not None
            self._shell.stdin.write(f"{verb} {pid}\n".encode())
            self._shell.stdin.flush()

    def _close(self) -> None:
        if os.getpid() != self._owner:
            return  # a fork of the process that started the children: they are not its own
        for child in list(self._children):
            child.kill()
        if self._shell is not None:
            self._shell.communicate()


_leash = _Leash()


class ChildProcess:
    """A command with its output in files; started in a session of its own.

    Args:
        command: The program and its arguments.
        log: The file that gets stderr; appended to when started again.
        stdout: The file that gets stdout, likewise; None: `log` gets that too.
        env: The whole environment; None: this process's.
        cwd: The working directory; None: this process's.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        stdout: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.command = list(command)
        self.log = log
        self._stdout = stdout or log
        self._env = env
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the command, after a stop too.

        Raises:
            RuntimeError: It runs already.
            OSError: The program cannot be started.
        """
        if self.running:
            raise RuntimeError(f"{self.command[0]} runs already, as process {self.pid}")
        with self.log.open("ab") as log, self._stdout.open("ab") as stdout:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        _leash.hold(self)

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the last start; RuntimeError before the first."""
        if self._process is None:
            raise RuntimeError(f"{self.command[0]} was not started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status as in `subprocess`; None while running and before the first start."""
        return None if self._process is None else self._process.poll()

    def stop(self, grace: float = 10.0) -> int | None:
        """Asks the process to end with SIGTERM, and kills it after `grace` seconds.

        Returns:
            Its exit status, negative for a signal; None when it was never started.
        """
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._reap()

    def kill(self) -> None:
        """Ends the process with SIGKILL, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def wait(self, timeout: float) -> int:
        """Waits for the process to end by itself; returns its exit status.

        Raises:
            subprocess.TimeoutExpired: It still runs after `timeout` seconds.
        """
        if self._process is None:
            raise RuntimeError(f"{self.command[0]} was not started")
        self._process.wait(timeout)
        return self._reap()

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _reap(self) -> int:
        assert self._process is not None
        status = self._process.wait()
        _leash.drop(self._process.pid)
        return status
