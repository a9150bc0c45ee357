"""The program `protoc-gen-dubbo-mesh`: a plugin if protoc or buf start it, commands if people do."""

from __future__ import annotations

import gc
import os
import sys

PROGRAM = "protoc-gen-dubbo-mesh"
_INTERRUPTED = 130  # the status of programs that Ctrl-C ended, for shells: 128 + SIGINT
_READ_AT_ONCE = 2**16  # bytes: a pipe's capacity; a third faster than the default of 8 KiB
_HINT = "protoc and buf start this program; to start it yourself, name a command: see --help"


def main() -> int:
    """Answers the request on standard input or, if there are arguments, runs the command line.

    Returns:
        The exit status. It is 0 if a response was written, even if that is an error, which protoc reports.
    """
    try:
        if sys.getfilesystemencoding() != "utf-8":
            _restart_in_utf8_mode()
        return _command() if len(sys.argv) > 1 else _plugin()
    except KeyboardInterrupt:
        return _INTERRUPTED


def _command() -> int:
    import signal

    for number in (signal.SIGTERM, *([signal.SIGHUP] if os.name == "posix" else [])):
        if signal.getsignal(number) == signal.SIG_DFL:
            # So that running programs are ended, and temporary files removed.
            signal.signal(number, _exit)
    from . import cli

    return cli.main(sys.argv[1:])


def _exit(number: int, frame: object) -> None:
    sys.exit(128 + number)  # as shells report it


def _plugin() -> int:
    # A closed stream is None.
    if not sys.stdin or not sys.stdout or sys.stdin.isatty():
        print(f"{PROGRAM}: there is no request on standard input: {_HINT}", file=sys.stderr)  # noqa: T201
        return 2
    # A short run leaves hardly any garbage, and collecting it would take a tenth of the time.
    gc.disable()
    from .plugin import run
    from .protoc.request import MalformedRequestError

    try:
        with open(sys.stdin.fileno(), "rb", _READ_AT_ONCE, closefd=False) as stdin:
            result = run(stdin)
    except MalformedRequestError as error:
        print(f"{PROGRAM}: {error}: {_HINT}", file=sys.stderr)  # noqa: T201
        return 1
    for warning in result.warnings:
        # Python always escapes what standard error cannot encode.
        print(f"{PROGRAM}: warning: {warning}", file=sys.stderr, flush=True)  # noqa: T201
    sys.stdout.buffer.writelines(result.response)
    sys.stdout.buffer.flush()
    os._exit(0)  # everything is written; finalizing the interpreter would only cost time


def _restart_in_utf8_mode() -> None:
    """Replaces this process with one that decodes paths as UTF-8, as protoc and pyproject.toml do.

    Python does so by itself, except in locales such as de_DE.ISO-8859-1, and if PYTHONUTF8=0 asks for ASCII.
    What is printed stays in the encoding of the locale.
    """
    if os.environ.get("PYTHONUTF8") == "1":
        return  # it had no effect, since Python was told to ignore its environment variables
    encoding = getattr(sys.stdout, "encoding", "ascii")
    environment = {"PYTHONIOENCODING": f"{encoding}:backslashreplace", **os.environ, "PYTHONUTF8": "1"}
    os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
