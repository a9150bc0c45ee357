"""What each parameter of a configurator becomes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..resources import Abort, Retries
from ..verdicts import Remark, Verdict
from .steps import Tune

if TYPE_CHECKING:
    from ..model import Parameter
    from ..positions import Position
    from ..stages import Setting

RETRY_ON = "connect-failure,refused-stream,reset,gateway-error,unavailable,deadline-exceeded,cancelled"
"""What is retried: with Istio's own list, an attempt that took longer than `perTryTimeout` is not."""

_RETRIES = 2  # of Dubbo, if nobody says otherwise
_BACKOFF = 250  # milliseconds that Envoy waits at most before a retry
_LONGEST = 24 * 60 * 60 * 1000
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_METHOD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_TIMEOUT = (
    "a timeout of Dubbo is for each attempt: it becomes perTryTimeout, and timeout, which is for the whole "
    "call in Istio, has room for all attempts"
)
_RETRY = (
    "Dubbo makes another attempt after everything but business exceptions, also after timeouts, and so runs "
    "handlers twice: so does what is written"
)
_NO_RETRY = "without it, Istio would make 2 further attempts by itself"
_DEFAULT_RETRIES = (
    "retries is not set here: 2, the default of Dubbo, is written; set retries if consumers have another "
    "number"
)
_ACTIVES = (
    "in Dubbo the limit is for each method, and calls wait; http2MaxRequests is for each caller's proxy and "
    "the whole host, and calls above it fail at once"
)
_ACCESS_LOG = "the sidecars of the pods log requests, in Envoy's format (Telemetry)"
_WEIGHT = (
    "a weight of Dubbo's is for each instance (100 if not set), and warms up over 10 minutes; a weight of "
    "Istio's is for a subset, and scaling changes its meaning"
)
_WEIGHT_ADVICE = (
    "label the pods, and write two subsets with weights in proportion to their number times Dubbo's weight, "
    "such as 100n : {weight}m for n and m pods; DestinationRule has warmup"
)
_OWN = "it is about the process itself, and no business of a proxy"
_CONFIGURE = "configure the process"
_CANNOT = {
    "executes": (
        "Istio has no limit of concurrent requests to one service of a pod",
        "use inboundConnectionPool of a Sidecar, or a local rate limit, for the pods",
    ),
    "disabled": (
        "Istio does not disable single pods",
        "take the pod out of the Service, by its labels",
    ),
    "tag": ("the tag of instances is a label of pods", "set the label in the Deployment"),
    "dubbo.tag": ("the tag of instances is a label of pods", "set the label in the Deployment"),
    "cluster": (
        "Istio knows failover alone; failfast is retries: 0",
        "set retries, or handle errors where calls are made",
    ),
}
_BALANCERS = {
    "random": "RANDOM",
    "roundrobin": "ROUND_ROBIN",
    "leastactive": "LEAST_REQUEST",
    "shortestresponse": "LEAST_REQUEST",
}
_OWN_NAMES = frozenset(
    ["threads", "dispatcher", "check", "threadpool", "queues", "corethreads", "alive", "iothreads", "payload"]
)


class TuneOf(NamedTuple):
    """How calls are made, of one method or all, and the lines that say so."""

    method: str | None
    effect: Tune
    sources: tuple[Position, ...]


class Expressed(NamedTuple):
    """What the parameters of an item become.

    Attributes:
        tunes: how calls are made.
        policies: changes of the host's policy.
        access_log: whether requests are logged.
        remarks: what is said of each parameter.
    """

    tunes: tuple[TuneOf, ...]
    policies: tuple[dict[str, Any], ...]
    access_log: bool
    remarks: tuple[Remark, ...]


def express(setting: Setting) -> Expressed:
    """What the parameters of an item become."""
    remarks: list[Remark] = []
    calls: dict[str | None, dict[str, Parameter]] = {}
    policies: list[dict[str, Any]] = []
    tunes: list[TuneOf] = []
    access_log = False
    for parameter in setting.item.parameters:
        method, _, name = parameter.name.rpartition(".")
        value = parameter.value.text
        if name in {"timeout", "retries"} and (not method or _METHOD.fullmatch(method)):
            if _NUMBER.fullmatch(value) and not (name == "timeout" and not 0 < int(value) < _LONGEST):
                calls.setdefault(method or None, {})[name] = parameter
            else:
                remarks.append(_cannot(parameter, f"{name} must be a number", "correct it"))
        elif parameter.name == "accesslog" and setting.side == "provider":
            access_log = value.lower() not in {"false", ""}
            remarks.append(_said(parameter, Verdict.APPROXIMATE, _ACCESS_LOG))
        elif parameter.name == "mock":
            tunes += _mock(parameter, remarks)
        else:
            changes = _policy(parameter, setting, remarks)
            if changes:
                policies.append(changes)
    tunes += [_tune(each, found, remarks) for each, found in calls.items()]
    return Expressed(tuple(tunes), tuple(policies), access_log, tuple(remarks))


def _tune(method: str | None, found: dict[str, Parameter], remarks: list[Remark]) -> TuneOf:
    timeout, retries = found.get("timeout"), found.get("retries")
    attempts = max(int(retries.value.text), 0) if retries else _RETRIES
    per_try = int(timeout.value.text) if timeout else None
    if timeout is not None:
        remarks.append(_said(timeout, Verdict.APPROXIMATE, _TIMEOUT))
        if retries is None:
            remarks.append(_said(timeout, Verdict.APPROXIMATE, _DEFAULT_RETRIES))
    if retries is not None:
        exact = attempts == 0
        why = _NO_RETRY if exact else _RETRY
        remarks.append(_said(retries, Verdict.EXACT if exact else Verdict.APPROXIMATE, why))
    whole = None if per_try is None else (attempts + 1) * per_try + attempts * _BACKOFF
    return TuneOf(
        method,
        Tune(
            None if whole is None else _duration(whole),
            Retries(
                attempts,
                _duration(per_try) if per_try is not None and attempts else None,
                RETRY_ON if attempts else None,
            ),
        ),
        tuple([each.where for each in found.values()]),
    )


def _mock(parameter: Parameter, remarks: list[Remark]) -> list[TuneOf]:
    value = parameter.value.text.strip().replace("+", " ")
    if value.startswith(("force:throw", "throw")) and value.startswith("force:"):
        why = "callers get UNKNOWN from their sidecars, instead of the exception that is named"
        remarks.append(_said(parameter, Verdict.APPROXIMATE, why))
        return [TuneOf(None, Tune(abort=Abort("UNKNOWN")), (parameter.where,))]
    if value.startswith("force:"):
        why = "a proxy cannot make up a response, which is a message of the service's"
    else:
        why = "a proxy does not answer in place of calls that fail"
    remarks.append(_cannot(parameter, f"mock: {why}", "answer where calls are made, or in the provider"))
    return []


def _policy(parameter: Parameter, setting: Setting, remarks: list[Remark]) -> dict[str, Any]:
    """The change of the host's policy that a parameter makes; nothing if it makes none."""
    name, value = parameter.name, parameter.value.text
    number = int(value) if _NUMBER.fullmatch(value) else 0
    of_callers = setting.side == "consumer" and setting.scope.application is not None
    if name == "actives" and of_callers:
        why = (
            f"{_ACTIVES}; and a DestinationRule is for all callers, not for {setting.scope.application} alone"
        )
        remarks.append(_cannot(parameter, why, "set actives for the service"))
        return {}
    if name == "actives" and number > 0:
        remarks.append(_said(parameter, Verdict.APPROXIMATE, _ACTIVES))
        return {"max_requests": number}
    if name == "loadbalance" and value in _BALANCERS and not of_callers:
        why = "Envoy's balancer of this kind chooses among the pods of a host, for all of its services"
        remarks.append(_said(parameter, Verdict.APPROXIMATE, why))
        return {"simple": _BALANCERS[value]}
    if name == "warmup" and 1000 <= number < _LONGEST:
        why = "Envoy increases the share of new pods in another curve"
        remarks.append(_said(parameter, Verdict.APPROXIMATE, why))
        return {"warmup": _duration(number // 1000 * 1000)}
    if name == "weight":
        remarks.append(_cannot(parameter, _WEIGHT, _WEIGHT_ADVICE.format(weight=value)))
    elif name in _CANNOT:
        remarks.append(_cannot(parameter, *_CANNOT[name]))
    elif name in _OWN_NAMES:
        remarks.append(_cannot(parameter, f"{name}: {_OWN}", _CONFIGURE))
    else:
        why = f"{name}: Istio has no counterpart of this parameter"
        remarks.append(_cannot(parameter, why, "configure the process, or handle it in code"))
    return {}


def _said(parameter: Parameter, verdict: Verdict, why: str) -> Remark:
    return Remark(verdict, parameter.where, f"{parameter.name}: {parameter.value.text}", why)


def _cannot(parameter: Parameter, why: str, advice: str) -> Remark:
    return _said(parameter, Verdict.CANNOT, why)._replace(advice=advice)


def _duration(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{milliseconds}ms" if rest else f"{seconds}s"
