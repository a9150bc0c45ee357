"""What the pod's surroundings say of its namespace and of the cluster's domain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..._addressing.environment import Environment
from ..._contract.target import DEFAULT_CLUSTER_DOMAIN, DEFAULT_NAMESPACE
from ..finding import Finding, problem
from .resolv_conf import ResolvConf
from .similar import set_instead_of
from .subjects import Subject

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where Kubernetes writes a pod's namespace, beside its token, unless it is told not to."""


def who_decided(subject: Subject) -> Iterator[str]:
    """What decided the namespace and the domain of a subject's address, where the subject itself does not."""
    target = subject.target
    if not subject.namespaced:
        by = "from POD_NAMESPACE" if os.environ.get("POD_NAMESPACE") else "assumed"
        yield f"the namespace {target.namespace} is {by}"
    if target.cluster_domain == os.environ.get("CLUSTER_DOMAIN", "").removesuffix("."):
        yield f"the domain {target.cluster_domain} is from CLUSTER_DOMAIN"


def check_names(subject: Subject, environment: Environment, resolver: ResolvConf) -> Iterator[Finding]:
    """Reports a namespace or a cluster domain that was assumed, where the pod's surroundings differ."""
    if environment.mode == "direct":  # where they are not part of the address
        return
    yield from _check_namespace(subject, resolver)
    yield from _check_domain(subject, resolver)


def _check_namespace(subject: Subject, resolver: ResolvConf) -> Iterator[Finding]:
    if subject.namespaced or os.environ.get("POD_NAMESPACE"):
        return
    assumed = f"{subject.name}: the namespace {DEFAULT_NAMESPACE} is assumed, as POD_NAMESPACE is not set"
    own = _own_namespace(resolver)
    if own is None or own[0] == DEFAULT_NAMESPACE:
        return
    instead = set_instead_of("POD_NAMESPACE")
    remedy = f"{instead} is set: should it be called POD_NAMESPACE?" if instead else None
    seen = f"{assumed}; this pod is in {own[0]}, says {own[1]}"
    yield problem("DM116", seen, remedy=remedy, subject=subject.name)


def _own_namespace(resolver: ResolvConf) -> tuple[str, str] | None:
    """This pod's namespace, and what says so; None if this is not a pod."""
    try:
        with SERVICE_ACCOUNT.open(encoding="ascii") as opened:
            namespace = opened.read(64).strip()
    except (OSError, ValueError):
        namespace = ""
    if namespace:
        return namespace, str(SERVICE_ACCOUNT)
    if resolver.kubernetes is not None:
        return resolver.kubernetes[0], "the search list of /etc/resolv.conf"
    return None


def _check_domain(subject: Subject, resolver: ResolvConf) -> Iterator[Finding]:
    domain = subject.target.cluster_domain
    if resolver.kubernetes is None or domain == resolver.kubernetes[1]:
        return
    said = "CLUSTER_DOMAIN says so" if os.environ.get("CLUSTER_DOMAIN") else "CLUSTER_DOMAIN is not set"
    if domain != (os.environ.get("CLUSTER_DOMAIN") or DEFAULT_CLUSTER_DOMAIN).removesuffix("."):
        said = "as it was named"
    seen = (
        f"{subject.name}: the cluster's domain is taken to be {domain} ({said}); the search list of "
        f"/etc/resolv.conf has {resolver.kubernetes[1]}"
    )
    yield problem("DM117", seen, subject=subject.name)
