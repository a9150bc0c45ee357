"""`protoc-gen-dubbo-mesh rules explain`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import arguments as shared

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..worlds import World

SUMMARY = "show where requests go in Dubbo and in Istio"

DESCRIPTION = """\
Shows to which instances requests go by the rules, in Dubbo and in Istio.

Requests and instances come from a world, which is a YAML file:

  service: com.acme.OrderService
  application: orders
  instances: [{name: east-1, address: "10.0.0.1:50051", params: {zone: east}}]
  requests: [{name: place, method: place, consumer: {application: web}}]

--method asks for one request instead. Without a world, its instances are made
up: one for each set of values that the rules name.

A single rule counts whatever its key is. Of several, those for a service count
only for the service that their key names.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declares the arguments."""
    shared.add_rules(parser)
    shared.add_hosts(parser)
    shared.add_untagged(parser)
    request = parser.add_argument_group("one request, instead of the world's")
    request.add_argument("--method", metavar="METHOD", help="the method that is called")
    request.add_argument(
        "--service", metavar="SERVICE", help="the service: GROUP/SERVICE:VERSION; default: that of the rules"
    )
    request.add_argument("--app", metavar="CONSUMER", help="the application that calls")
    request.add_argument(
        "--header",
        action="append",
        default=[],
        type=shared.pair,
        metavar="KEY=VALUE",
        help="an attachment, which is a header in Triple; may be repeated",
    )
    request.add_argument(
        "--label",
        action="append",
        default=[],
        type=shared.pair,
        metavar="KEY=VALUE",
        help="a parameter of the consumer's URL, which becomes a label of its pod; may be repeated",
    )


def run(arguments: Namespace) -> int:
    """Runs the command; returns its exit status."""
    from ...console import print_output, print_status
    from ...errors import GenerationError
    from ..asking import world_for
    from ..comparing import Comparer
    from ..directories import directory_of
    from ..reading import rules as rule_files
    from ..reading import world as world_files
    from ..reporting import comparisons

    if arguments.world is None and arguments.method is None:
        raise GenerationError("nothing to explain: give --world FILE, or --method METHOD")
    dialect = shared.dialect(arguments)
    rules = rule_files.read(arguments.rules)
    problems = list(rules.problems)
    world: World | None = None
    if arguments.world is not None:
        world = world_files.read(arguments.world, problems)
    if arguments.method is not None and (rules.rules or world or not problems):
        world = world_for(arguments, rules.rules, world)
    if world is not None:
        comparer = Comparer(
            rules.rules,
            dialect,
            world,
            directory_of(world, arguments.protos, {})._replace(untagged=arguments.untagged),
            "; ".join(map(str, rules.problems)),
            by_key=world.split or len(rules.rules) > 1,
        )
        found = [comparer.compare(request) for request in world.requests]
        if arguments.json:
            sys.stdout.writelines(map(comparisons.as_json, found))
        else:
            print_output(f"{line}\n" for line in comparisons.table(found, len(world.instances)))
        sys.stdout.flush()
        for error in comparer.interpretation.errors:
            print_status(f"Dubbo would log: {error}")
    for problem in problems:
        print_status(str(problem))
    return 2 if problems else 0
