"""What the command line names: applications, and modules or packages with their services."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..._contract.errors import ConfigurationError
from ..._contract.service import Service
from ..._contract.target import Target
from ..budget import Budget
from ..finding import Finding, problem
from .importing import ImportFailedError, imported, service_of, services_of
from .modules import add_working_directory, below, find, generated_in, mentions_mesh, root_of

_MESH_NAME = re.compile(
    r"(?P<app>[^.:/]+)(?:\.(?P<namespace>[^.:/]+)(?:\.svc(?:\.(?P<domain>[^:/]+))?)?)?(?::(?P<port>[0-9]{1,7}))?"
)
_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_CLASS = re.compile(rf"(?P<module>{_PATH.pattern}):(?P<path>{_PATH.pattern})")


class Subject(NamedTuple):
    """Something to call.

    Attributes:
        name: the service's full name, or the target as it was given.
        target: its address in the mesh.
        service: the service; None if only an application was named.
        namespaced: whether itself says in which namespace it is.
    """

    name: str
    target: Target
    service: Service | None = None
    namespaced: bool = True


class Subjects:
    """All that the command line names, each once.

    Args:
        budget: the time for all checks.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._services: set[int] = set()
        self._targets: set[Target] = set()

    def of(self, given: str) -> Iterator[Subject | Finding]:
        """Yields the target, or each service of a module or package; problems, where it is not understood.

        Args:
            given: as on the command line: `APP`, `APP:PORT`, `APP.NAMESPACE:PORT`, a full name in the mesh,
                a module, `MODULE:CLASS`, a package with generated modules, or an installed distribution.
        """
        add_working_directory()
        if given.endswith(".py"):  # by a shell's completion
            module = given.removesuffix(".py").strip("./").replace("/", ".")
            yield problem("DM104", f"{given}: a file", remedy=f"name its module: {module}", subject=given)
            return
        of_class = _CLASS.fullmatch(given)
        if of_class is not None:
            yield from self._of_class(given, of_class["module"], of_class["path"])
            return
        modules = _modules_of(given)
        if modules is not None:
            if not modules:
                yield problem("DM104", f"{given}: no generated module is below it", subject=given)
            for name in modules:
                yield from self._of_module(name)
            return
        yield from self._of_target(given)

    def _of_target(self, given: str) -> Iterator[Subject | Finding]:
        match = _MESH_NAME.fullmatch(given)
        if match is None:
            seen = f"{given or 'an empty argument'}: neither a target nor a module that can be found"
            yield problem("DM104", seen, subject=given)
            return
        try:
            target = Target(match["app"], match["namespace"], int(match["port"] or 80), match["domain"])
        except ConfigurationError as error:  # a variable is malformed, which has been reported
            yield Finding("dial", "skipped", f"{given}: {error}", subject=given)
            return
        except ValueError as error:
            yield problem("DM104", f"{given}: {error}", subject=given)
            return
        if target not in self._targets:
            self._targets.add(target)
            yield Subject(given, target, None, match["namespace"] is not None)

    def _of_module(self, name: str) -> Iterator[Subject | Finding]:
        try:
            services = services_of(imported(name, self._budget.left()))
        except ImportFailedError as error:
            yield self._not_imported(name, error)
            return
        if not services:
            seen = f"{name}: the module has no stub or servicer, as generated modules have"
            yield problem("DM104", seen, subject=name)
        for service in services.values():
            yield from self._of_service(service)

    def _of_class(self, given: str, name: str, path: str) -> Iterator[Subject | Finding]:
        try:
            module = imported(name, self._budget.left())
        except ImportFailedError as error:
            yield self._not_imported(name, error)
            return
        value: object = module
        for each in path.split("."):
            value = getattr(value, each, None)
        service = service_of(value)
        if service is None:
            known = ", ".join(sorted(services_of(module))) or "none"
            yield problem(
                "DM104",
                f"{given}: {name} has no stub or servicer {path}; those that it has: {known}",
                subject=given,
            )
            return
        yield from self._of_service(service)

    def _of_service(self, service: Service) -> Iterator[Subject | Finding]:
        if id(service) in self._services:
            return
        self._services.add(id(service))
        try:
            yield Subject(service.name, service.target(), service, service.namespace is not None)
        except ConfigurationError as error:
            if service.app is None:
                seen = f"{service.name}: no app is known that provides it"
                remedy = str(error).partition(": ")[2]
                yield problem("DM113", seen, remedy=remedy, subject=service.name)
            else:  # a variable is malformed
                yield Finding("dial", "skipped", f"{service.name}: {error}", subject=service.name)
        except ValueError as error:
            yield problem("DM104", f"{service.name}: {error}", subject=service.name)

    def _not_imported(self, name: str, error: ImportFailedError) -> Finding:
        if error.version:
            return problem("DM115", str(error), subject=name)
        remedy = None
        root = root_of(error.missing, name) if error.missing else None
        if root is not None:
            remedy = (
                f"{error.missing} is in {root}: have imports begin there (PYTHONPATH), or set import_prefix"
            )
        return problem("DM114", f"{name} cannot be imported: {error}", remedy=remedy, subject=name)


def _modules_of(given: str) -> list[str] | None:
    """The modules that a target stands for; None if it stands for an application.

    A name that may be either is a module only if that has to do with the mesh: an app may be called `queue`.
    """
    if _PATH.fullmatch(given):
        found = find(given)
        generated = below(found) if found is not None else []
        if generated:
            return generated
        is_module = "_" in given  # which labels of DNS cannot have
        if is_module or (found is not None and mentions_mesh(found)):
            return [given]
    return None if ":" in given or "/" in given else generated_in(given) or None
