"""`protoc-gen-dubbo-mesh explain`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..console import print_error, print_output
from ..errors import GenerationError
from . import arguments as project_arguments

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Set

    from ..explain.model import Report
    from ..mesh.routing import Action
    from ..parameters import Parameters
    from ..policy.model import RpcPolicy
    from .settings import Settings

SUMMARY = "show what is configured for services and rpcs, where, and what a mesh does with it"

DESCRIPTION = """\
Shows what is configured for services and rpcs, and where each value was set.

Also shows the address of each service, what stubs send, and what plain Envoy
and Istio do with such calls. The settings are those of the command generate.
No files are written.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "name",
        nargs="?",
        metavar="SERVICE[/RPC]",
        help="show only this one; the package can be left out if the name is unambiguous; default: all",
    )
    project_arguments.add_settings(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: Namespace) -> int:
    """Runs the command; returns its exit status: 0, or 1 on errors."""
    arguments.out = arguments.out or arguments.project  # nothing is written: it need not be set
    try:
        settings = project_arguments.settings(arguments)
        report = _report(settings, arguments.name, arguments.option.keys())
    except GenerationError as error:
        print_error(error)
        return 1
    if arguments.json:
        from ..explain import as_json

        sys.stdout.write(as_json.render(report))
    else:
        from ..explain import as_text

        print_output([as_text.render(report)])
    return 0


def _report(settings: Settings, name: str | None, given: Set[str]) -> Report:
    from functools import partial

    from ..explain.build import Places, report
    from ..explain.selection import select
    from .parameter_places import parameter_places
    from .policies import resolve
    from .protoc import with_path
    from .settings import file_error

    try:
        sources, services, parameters, warnings = resolve(settings)
        if name is not None:
            services = select(services, name)
        places = Places(parameter_places(settings, given), partial(with_path, sources=sources))
        return report(services, places, warnings, _action_of(parameters))
    except OSError as error:
        raise file_error(error) from error


def _action_of(parameters: Parameters) -> Callable[[RpcPolicy, str | None], Action] | None:
    """What the routes that the project writes do with an rpc; None if it writes none.

    Of several kinds of routes, Istio's are meant: they can say more than the Gateway API's, and those of
    static Envoys are for trying things out. With `policy=routes`, another run may write them.
    """
    from ..mesh.routing import ACTIONS, UNRETRIED, in_gateway_api, in_istio

    enforced_by = parameters.policy.policy
    kinds = {"istio", "gateway", "envoy"}.intersection(parameters.emit)
    if not kinds and enforced_by != "routes":
        return None
    action_of = ACTIONS[enforced_by]
    if "istio" in kinds:
        return lambda rpc, subset: in_istio(action_of(rpc, subset))
    if "gateway" in kinds:
        return lambda rpc, subset: in_gateway_api(action_of(rpc, subset))
    if enforced_by == "headers":
        return lambda rpc, subset: UNRETRIED  # an Envoy without Istio has no retries of its own
    return action_of
