"""What the command line names: applications, and generated modules with their services."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..._contract.service import Service
from ..._contract.target import Target

_TARGET = re.compile(r"(?P<app>[^.:]+)(?:\.(?P<namespace>[^.:]+))?(?::(?P<port>[0-9]+))?")


class Subject(NamedTuple):
    """Something to call.

    Attributes:
        name: the service's full name, or the target as it was given.
        target: its address in the mesh.
        service: the service; None if only an application was named.
    """

    name: str
    target: Target
    service: Service | None = None


def subjects_of(given: str) -> Iterator[Subject]:
    """Yields the target, or each service of a generated module.

    Raises:
        ValueError: it is neither; or no app is known that provides a service.
    """
    if given.endswith("_mesh"):  # which cannot be an app: a DNS label has no underscore
        try:
            module = importlib.import_module(given)
        except ImportError as error:
            raise ValueError(f"cannot be imported: {error}") from error
        found = (getattr(value, "__mesh__", None) for value in vars(module).values())
        for service in dict.fromkeys(each for each in found if isinstance(each, Service)):
            yield Subject(service.name, service.target(), service)
        return
    match = _TARGET.fullmatch(given)
    if match is None:
        raise ValueError("neither a target nor the name of a generated module")
    yield Subject(given, Target(match["app"], match["namespace"], int(match["port"] or 80)))
