"""Channels to targets, for synchronous code. `aio_channels.py` is the twin."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import grpc

from .._addressing.dialing import ChannelOptions, Dial, ways
from .._addressing.environment import Environment
from .._contract.target import Target
from .interceptor import ClientInterceptor, innermost
from .opened import record
from .picking import FallbackChannel, SpreadChannel
from .watch import Lease

_SINGLE_THREADED = ("SingleThreadedUnaryStream", 1)
"""`grpc.experimental.ChannelOptions.SingleThreadedUnaryStream`, in a module that few need to load."""


def channel(
    target: Target | str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    options: ChannelOptions = (),
    connections: int = 1,
    interceptors: Sequence[ClientInterceptor] = (),
    single_threaded_streams: bool = False,
) -> grpc.Channel:
    """Opens a channel that several stubs can share: `GreeterStub(channel)`.

    Args:
        target: a mesh target, reached as `DUBBO_MESH_MODE` says, or an address to dial as it is.
        credentials: for TLS. Without them the connection is in clear text, as it should be to a sidecar,
            except that a target of `https://` gets TLS, and proxyless mode what the control plane says.
        options: grpc's channel options; they replace ours of the same name.
        connections: the number of HTTP/2 connections over which the calls are spread, in turn.
        interceptors: as for `grpc.intercept_channel`: the first one is the outermost. Envoy is told of the
            deadlines that they set.
        single_threaded_streams: read the responses of unary-stream rpcs in the calling thread alone, which
            takes about a quarter less CPU time for each message. In return, the call objects of such rpcs
            only know what has been read: `code()`, `details()`, `trailing_metadata()`, `result()`,
            `exception()` and `traceback()` raise `grpc.experimental.UsageError` until the responses have been
            read to the end, where they would otherwise wait; `done()` stays False, and callbacks are called
            by the thread that reads the end, or never; `cancel()` from another thread waits while
            `initial_metadata()` does.

    Raises:
        ConfigurationError: the environment is malformed, or lacks the address that its mode needs.
        ValueError: `connections` is not positive, or the address is malformed.
    """
    return open_channel(
        Environment.read(),
        target,
        credentials=credentials,
        options=options,
        connections=connections,
        interceptors=interceptors,
        single_threaded_streams=single_threaded_streams,
    )


def open_dialled(
    to: Dial, *, credentials: grpc.ChannelCredentials | None = None, options: ChannelOptions = ()
) -> grpc.Channel:
    """Opens a single channel that is nothing but grpc's; the arguments are those of `channel`."""
    all_options = to.with_options(options)
    secured_by = to.credentials(credentials)
    if secured_by is None:
        return grpc.insecure_channel(to.address, all_options)
    return grpc.secure_channel(to.address, secured_by, all_options)


def open_channel(
    environment: Environment,
    target: Target | str,
    *,
    credentials: grpc.ChannelCredentials | None,
    options: ChannelOptions,
    connections: int,
    interceptors: Sequence[ClientInterceptor],
    single_threaded_streams: bool,
) -> grpc.Channel:
    """As `channel`, in an environment that has been read."""
    if single_threaded_streams:
        options = (*options, _SINGLE_THREADED)

    connect = functools.partial(open_dialled, credentials=credentials, options=options)
    main, backup = ways(target, environment, connections)
    opened = connect(main) if connections == 1 else SpreadChannel([connect(main) for _ in range(connections)])
    if backup is not None:
        lease = Lease((main.address, credentials), functools.partial(connect, main))
        fallback = lease.reachability.fallback(backup.provider, backup.mode, backup.after)
        opened = FallbackChannel(opened, connect(backup.dial), backup.dial.way, fallback, lease)
    opened = grpc.intercept_channel(opened, *interceptors, *innermost(interceptors))
    record(opened, main.way, intercepted=bool(interceptors))
    return opened
