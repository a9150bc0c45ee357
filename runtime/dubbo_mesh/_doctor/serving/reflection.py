"""Asks gRPC reflection what `grpcurl` and `buf curl` ask it: which services there are, and their files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from typing import Any, cast

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

from ..._health.board import HEALTH
from ..budget import Budget
from ..finding import Finding, problem
from .asking import REFUSALS
from .own import Named
from .reflection_messages import Request, Response

_VERSIONS = ("v1", "v1alpha")
_OWN = {HEALTH, *(f"grpc.reflection.{version}.ServerReflection" for version in _VERSIONS)}
_PATIENCE = 2.0
"""Seconds that the answers of one version may take."""

_MOST = 200
"""Services that are described, and files that are asked for."""


class _BrokenError(Exception):
    """The server does not keep to the protocol. The message says how."""


class _Conversation:
    """One call of a reflection service.

    Args:
        channel: to the server.
        version: of the service.
        timeout: seconds that it may take.
    """

    def __init__(self, channel: grpc.Channel, version: str, timeout: float) -> None:
        path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._call: Any = cast("Any", channel).stream_stream(path)(
            iter(self._requests.get, None), timeout=timeout
        )

    def ask(self, request: Request) -> Response:
        """Asks one question.

        Raises:
            grpc.RpcError: the call has ended.
            _BrokenError: the answer is not one of reflection.
        """
        self._requests.put(request.SerializeToString())
        try:
            return Response.FromString(next(self._call))
        except StopIteration:
            raise _BrokenError("it ends the call without an answer") from None
        except DecodeError:
            raise _BrokenError("the answer is not one of reflection") from None

    def close(self) -> None:
        """Ends the call."""
        self._requests.put(None)
        self._call.cancel()


def check_reflection(server: str, channel: grpc.Channel, named: Named, budget: Budget) -> Iterator[Finding]:
    """Reports which services are described, and which are not.

    Args:
        server: its address, for messages.
        channel: to the server.
        named: the services that the command line names.
        budget: the time that is left.
    """
    served: list[str] | None = None
    failed: list[str] = []
    versions: list[str] = []
    for version in _VERSIONS:
        conversation = _Conversation(channel, version, budget.left(_PATIENCE))
        try:
            names = [
                service.name for service in conversation.ask(Request(list_services="*")).services.service
            ]
            if served is None:
                served = names
                failed = _not_described(conversation, names)
            versions.append(version)
        except grpc.RpcError as error:
            call = cast("Any", error)
            if call.code() is not grpc.StatusCode.UNIMPLEMENTED:
                budget.left()
                yield _trouble(server, version, call)
                return
        except _BrokenError as error:
            yield problem("DM424", f"{server}: {version}: {error}", subject=server)
            return
        finally:
            conversation.close()
    if served is None:
        yield problem("DM423", f"{server}: no reflection", subject=server)
        return
    if failed:
        seen = f"{server}: lists, but cannot describe: {'; '.join(failed[:5])}"
        yield problem("DM424", seen, subject=server)
    else:
        seen = f"{server}: {' and '.join(versions)}: describes {', '.join(served) or 'nothing'}"
        yield Finding("reflection", "ok", seen, subject=server)
    yield from _check_unnamed(server, served, named)


def _trouble(server: str, version: str, call: Any) -> Finding:
    seen = f"{server}: {version}: {call.code().name}: {call.details()}"
    if call.code() in REFUSALS:
        return Finding("reflection", "skipped", f"{seen}: it lets in only some callers", subject=server)
    if call.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
        return Finding("reflection", "skipped", seen, subject=server)
    return problem("DM424", seen, subject=server)


def _check_unnamed(server: str, served: Sequence[str], named: Named) -> Iterator[Finding]:
    """Reports services that are served and that the command line does not name, if it names any."""
    known = {service.name for service in (*named.own, *named.others)}
    others = [name for name in served if name not in known and name not in _OWN]
    if known and others:
        yield problem("DM426", f"{server}: serves {', '.join(others)}, which no target has", subject=server)


def _not_described(conversation: _Conversation, services: Sequence[str]) -> list[str]:
    """The services whose files a tool cannot put together, with why.

    Raises:
        grpc.RpcError: the call has ended.
        _BrokenError: an answer is not one of reflection.
    """
    files: dict[str, FileDescriptorProto] = {}
    failed: list[str] = []
    for service in services[:_MOST]:
        why = _add_files(conversation, files, Request(file_containing_symbol=service))
        if why is None and not any(service in _services_in(file) for file in files.values()):
            why = "the file has no such service"
        if why is not None:
            failed.append(f"{service} ({why})")
    missing = {name for file in files.values() for name in file.dependency} - set(files)
    for _ in range(_MOST):
        if not missing:
            break
        name = missing.pop()
        why = _add_files(conversation, files, Request(file_by_filename=name))
        if why is not None or name not in files:
            failed.append(f"the file {name} ({why or 'it answers with another'})")
        else:
            missing |= set(files[name].dependency) - set(files)
    return failed


def _add_files(
    conversation: _Conversation, files: dict[str, FileDescriptorProto], request: Request
) -> str | None:
    """Adds the files that the server answers with; returns why there are none, if so."""
    response = conversation.ask(request)
    if response.error.code:
        return f"error {response.error.code}: {response.error.message}"
    for content in response.files.file[:_MOST]:
        try:
            file = FileDescriptorProto.FromString(content)
        except DecodeError:
            return "not a file descriptor"
        files[file.name] = file
    return None if response.files.file else "no file"


def _services_in(file: FileDescriptorProto) -> set[str]:
    package = f"{file.package}." if file.package else ""
    return {f"{package}{service.name}" for service in file.service}
