"""A world: the instances of a service and requests to it, on which rules are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Instance(NamedTuple):
    """An instance of a service, that is, a pod.

    Attributes:
        name: its name in answers.
        host, port: its address.
        application: the application that it belongs to.
        params: parameters of its URL in Dubbo, which become labels of its pod.
    """

    name: str
    host: str
    port: int
    application: str
    params: Mapping[str, str]


class Consumer(NamedTuple):
    """Who makes a request.

    Attributes:
        application: its application.
        host: its IP address.
        params: parameters of its URL in Dubbo, which become labels of its pod.
    """

    application: str
    host: str
    params: Mapping[str, str]


class Request(NamedTuple):
    """A request.

    Attributes:
        name: its name in answers.
        service, method: what it calls.
        version, group: of the service; None: it has none.
        consumer: who makes it.
        attachments: Dubbo's, which are headers in Triple.
        arguments: in the order of the method's parameters, as YAML has them.
    """

    name: str
    service: str
    method: str
    version: str | None
    group: str | None
    consumer: Consumer
    attachments: Mapping[str, str]
    arguments: tuple[object, ...]


class World(NamedTuple):
    """Instances and requests.

    Attributes:
        service, application: the service, and the application that provides it.
        instances: the instances, in order.
        requests: the requests, in order.
        split: whether rules of scope `service` count for the services only that their keys name.
    """

    service: str
    application: str
    instances: tuple[Instance, ...]
    requests: tuple[Request, ...]
    split: bool = False
