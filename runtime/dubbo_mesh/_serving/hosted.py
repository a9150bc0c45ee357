"""What servers on threads and on asyncio have in common towards their owner: nothing here waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc

from .._health.board import WHOLE_SERVER
from .handlers import Handlers
from .lifecycle import Lifecycle
from .listening import Listening
from .options import meant_by


class Hosted:
    """The part of a server that asks its life, its handlers' table and the ports that it listens on."""

    _handlers: Handlers
    _life: Lifecycle
    _listening: Listening

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports listened on, in the order of the addresses."""
        return tuple(self._listening.ports)

    @property
    def probes_port(self) -> int | None:
        """The port the probes are answered on; None while they are not."""
        return self._life.probes_port

    @property
    def draining(self) -> bool:
        """Whether the server has begun to go down. Handlers of long streams should end when it has."""
        return self._life.leaving

    def is_serving(self, service: object = WHOLE_SERVER) -> bool | None:
        """Whether `service` takes calls, as health checks are told.

        Args:
            service: a `dubbo_mesh.Service`, a generated class or a Dubbo service key, for one version and
                group of a service; its full name for all of them, of which one has to serve; or "" for the
                whole server.

        Returns:
            None if there is no such service on this server.
        """
        return self._life.parts.board.is_serving(meant_by(service))

    def set_serving(self, service: object, serving: bool) -> None:
        """Takes a service out while others serve, or back in.

        Args:
            service: as `is_serving` has it; "" takes the whole server out.
            serving: whether it takes calls. Nothing serves before the server has started, or while it drains.

        Raises:
            KeyError: there is no such service on this server.
        """
        self._life.parts.board.set_serving(meant_by(service), serving)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """The same as on grpc's own servers."""
        self._handlers.extend(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """The same as on grpc's own servers."""
        self._handlers.register(service_name, method_handlers)

    def add_insecure_port(self, address: str) -> int:
        """The same as on grpc's own servers; the ports of the services are then not listened on unasked."""
        return self._listening.add(address, None)

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """The same as on grpc's own servers; the ports of the services are then not listened on unasked."""
        return self._listening.add(address, server_credentials)

    def __del__(self) -> None:
        # As grpc's own servers do when nothing refers to them any more.
        life: Lifecycle | None = self.__dict__.get("_life")
        if life is not None:
            life.abandon()
