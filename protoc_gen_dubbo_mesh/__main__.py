"""The command `protoc-gen-dubbo-mesh`, which protoc and buf start, and people for help."""

from __future__ import annotations

import gc
import os
import sys

PROGRAM = "protoc-gen-dubbo-mesh"
_READ_AT_ONCE = 2**16  # bytes: a pipe's capacity; a third faster than the default of 8 KiB


def main() -> int:
    """Answers the request on standard input, or runs what the command line asks for.

    Returns:
        The exit status. It is 0 if a response was written, even one that holds an error: protoc reports it.
    """
    if len(sys.argv) > 1:
        from .cli import answer

        return answer(sys.argv[1:])
    if sys.stdin.isatty():
        print(f"{PROGRAM}: protoc and buf start this program and write to it: see --help", file=sys.stderr)  # noqa: T201
        return 2
    # A short run makes hardly any garbage, and collecting it would take a tenth of the time.
    gc.disable()
    from .plugin import run
    from .protoc.request import MalformedRequestError

    try:
        with open(sys.stdin.fileno(), "rb", _READ_AT_ONCE, closefd=False) as stdin:
            result = run(stdin)
    except MalformedRequestError as error:
        print(f"{PROGRAM}: {error}; protoc and buf start this program: see --help", file=sys.stderr)  # noqa: T201
        return 1
    for warning in result.warnings:
        print(f"{PROGRAM}: warning: {warning}", file=sys.stderr)  # noqa: T201
    sys.stdout.buffer.writelines(result.response)
    sys.stdout.buffer.flush()
    sys.stderr.flush()
    os._exit(0)  # everything is written; finalizing the interpreter would only cost time


if __name__ == "__main__":
    sys.exit(main())
