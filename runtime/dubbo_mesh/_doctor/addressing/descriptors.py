"""The descriptors of rpcs: what their proto says, which stubs need not send."""

from __future__ import annotations

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from ..._contract.service import Method, Service


def rpc_of(service: Service, method: Method) -> MethodDescriptor | None:
    """The rpc in the descriptor of its service; None if that is not known."""
    found: ServiceDescriptor | None = None
    if service.descriptor is not None:
        found = service.descriptor.services_by_name.get(service.name.rpartition(".")[2])
    else:  # modules for version 1 of the API do not name their file, but import it
        try:
            found = descriptor_pool.Default().FindServiceByName(service.name)
        except KeyError:
            return None
    return None if found is None else found.methods_by_name.get(method.name)


def is_idempotent(rpc: MethodDescriptor) -> bool:
    """Whether its `idempotency_level` is NO_SIDE_EFFECTS or IDEMPOTENT."""
    return bool(rpc.GetOptions().idempotency_level)  # 0 is IDEMPOTENCY_UNKNOWN
