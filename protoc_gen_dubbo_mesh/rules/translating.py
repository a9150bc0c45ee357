"""From files of rules to resources, and what is said of each line: what `check` and `convert` share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .directories import check_names, directory_of
from .directory import Directory, Host
from .expressing import express
from .interpreting import interpret
from .interpreting.scopes import scope
from .model import MeshRule, TagRule
from .reading import rules as rule_files
from .reading import world as world_files
from .reporting.statements import statements
from .verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .dialects import Dialect
    from .model import Rule
    from .problems import Problem
    from .reporting.statements import Statement
    from .resources import HostFile


_NO_NAME = re.compile(r"[^a-z0-9]+")


class Translated(NamedTuple):
    """What files of rules become.

    Attributes:
        statements: the lines, with what is said of each.
        hosts: the resources.
        problems: errors in the files.
    """

    statements: tuple[Statement, ...]
    hosts: tuple[HostFile, ...]
    problems: tuple[Problem, ...]

    @property
    def status(self) -> int:
        """The exit status that this comes to: 2 for problems, 1 for lines that cannot be translated."""
        if self.problems:
            return 2
        return int(any(each.verdict is Verdict.CANNOT for each in self.statements))


def translate(
    files: Sequence[str],
    dialect: Dialect,
    world: str | None,
    protos: Sequence[str],
    apps: Mapping[str, str],
    *,
    untagged: tuple[str, str] | None = None,
    accounts: Mapping[str, str] | None = None,
    guess_hosts: bool = False,
) -> Translated:
    """Translates files of rules.

    Args:
        files: the files.
        dialect: the version of Dubbo.
        world: a file of instances and requests.
        protos: directories of protos, and descriptor sets.
        apps: which application provides a service, where nothing else says so.
        untagged: the label of pods without a tag.
        accounts: the service accounts of applications, as `NAMESPACE/NAME`.
        guess_hosts: whether a service whose application is not known has one of its own.
    """
    found = rule_files.read(files)
    problems = list(found.problems)
    instances = None if world is None else world_files.read(world, problems)
    known = directory_of(instances, protos, apps)
    if guess_hosts:
        known = _with_guessed(known, found.rules)
    else:
        check_names(known)
    known = _with_namespaces(known, found.rules)._replace(untagged=untagged, accounts=accounts or {})
    interpretation = interpret(found.rules, dialect)
    translation = express(interpretation, known, dialect)
    hosts = tuple([host._replace(sources=found.files) for host in translation.hosts])
    said = statements(found.rules, interpretation.dropped, translation.remarks)
    return Translated(said, hosts, tuple(problems))


def _with_guessed(known: Directory, rules: Sequence[Rule]) -> Directory:
    """With a host for each application and service of which nobody says who provides it."""
    hosts = list(known.hosts)
    for rule in rules:
        directory = Directory(tuple(hosts))
        service, application = _subject(rule)
        if service is not None and directory.provider_of(service) is None:
            name = _NO_NAME.sub("-", service.rpartition(".")[2].lower()).strip("-") or "service"
            hosts.append(Host(name, None, {service: None}, (("app", name),)))
        elif application and directory.named(application) is None and not hosts:
            hosts.append(Host(application, None, {}, (("app", application),)))
    return Directory(tuple(hosts))


def _with_namespaces(known: Directory, rules: Sequence[Rule]) -> Directory:
    """Hosts of which nobody knows the namespace are in that of the Kubernetes resources about them."""
    return known._replace(hosts=tuple([_with_namespace(host, rules) for host in known.hosts]))


def _with_namespace(host: Host, rules: Sequence[Rule]) -> Host:
    found: set[str] = set()
    for rule in rules:
        service, application = _subject(rule)
        if rule.header.namespace and (application == host.name or service in host.services):
            found.add(rule.header.namespace)
    return host._replace(namespace=found.pop()) if host.namespace is None and len(found) == 1 else host


def _subject(rule: Rule) -> tuple[str | None, str | None]:
    """The service or the application that a rule is for."""
    if isinstance(rule, MeshRule):
        return None, rule.host
    found = scope(rule.header)
    if isinstance(rule, TagRule):
        return None, found.key
    return found.service, found.application
