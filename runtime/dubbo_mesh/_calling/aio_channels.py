"""Channels to targets, for asyncio. `channels.py` is the twin."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence

import grpc
import grpc.aio

from .._addressing.dialing import ChannelOptions, Dial, ways
from .._addressing.environment import Environment
from .._contract.target import Target
from .aio_interceptor import innermost
from .aio_picking import FallbackChannel, SpreadChannel
from .aio_watch import Lease
from .opened import record


def channel(
    target: Target | str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    options: ChannelOptions = (),
    connections: int = 1,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> grpc.aio.Channel:
    """Opens a channel that several async stubs can share: `GreeterAsyncStub(channel)`.

    Args:
        target: a mesh target, reached as `DUBBO_MESH_MODE` says, or an address to dial as it is.
        credentials: for TLS. Without them the connection is in clear text, as it should be to a sidecar,
            except that a target of `https://` gets TLS, and proxyless mode what the control plane says.
        options: grpc's channel options; they replace ours of the same name.
        connections: the number of HTTP/2 connections over which the calls are spread, in turn.
        interceptors: as for `grpc.aio.insecure_channel`: the first one is the outermost. Envoy is told of the
            deadlines that they set.

    Raises:
        ConfigurationError: the environment is malformed, or lacks the address that its mode needs.
        ValueError: `connections` is not positive, or the address is malformed.
        RuntimeError: no event loop is running: a channel belongs to the one in which it is made.
    """
    return open_channel(
        "dubbo_mesh.aio.channel()",
        Environment.read(),
        target,
        credentials=credentials,
        options=options,
        connections=connections,
        interceptors=interceptors,
    )


def open_channel(
    caller: str,
    environment: Environment,
    target: Target | str,
    *,
    credentials: grpc.ChannelCredentials | None,
    options: ChannelOptions,
    connections: int,
    interceptors: Sequence[grpc.aio.ClientInterceptor],
) -> grpc.aio.Channel:
    """As `channel`, in an environment that has been read; `caller` is what an error names."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            f"no running event loop: call {caller} in a coroutine of the event loop that is to use it"
        ) from None
    all_interceptors = [*interceptors, *innermost(interceptors)]

    def connect(to: Dial) -> grpc.aio.Channel:
        all_options = to.with_options(options)
        secured_by = to.credentials(credentials)
        if secured_by is None:
            return grpc.aio.insecure_channel(to.address, all_options, interceptors=all_interceptors)
        return grpc.aio.secure_channel(to.address, secured_by, all_options, interceptors=all_interceptors)

    main, backup = ways(target, environment, connections)
    opened = connect(main) if connections == 1 else SpreadChannel([connect(main) for _ in range(connections)])
    if backup is not None:
        lease = Lease((main.address, credentials), functools.partial(connect, main), loop)
        fallback = lease.reachability.fallback(backup.provider, backup.mode, backup.after)
        opened = FallbackChannel(opened, connect(backup.dial), backup.dial.way, fallback, lease)
    record(opened, main.way, intercepted=bool(interceptors))
    return opened
