"""What the doctor knows of rpcs whose modules do not name their file, as those for version 1 of the API."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh._doctor.addressing.descriptors import is_idempotent, rpc_of

_FILE = FileDescriptorProto(name="doctor_old.proto", package="doctor.old", syntax="proto3")
_FILE.message_type.add(name="Nothing")
_SERVICE = _FILE.service.add(name="Old")
for _level in ("IDEMPOTENCY_UNKNOWN", "NO_SIDE_EFFECTS", "IDEMPOTENT"):
    _rpc = _SERVICE.method.add(name=_level)
    _rpc.input_type = _rpc.output_type = ".doctor.old.Nothing"
    _rpc.options.idempotency_level = MethodOptions.IdempotencyLevel.Value(_level)


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """As the import of the `_pb2` module does."""
    descriptor_pool.Default().AddSerializedFile(_FILE.SerializeToString())


@pytest.mark.parametrize(
    ("rpc", "idempotent"),
    [("IDEMPOTENCY_UNKNOWN", False), ("NO_SIDE_EFFECTS", True), ("IDEMPOTENT", True)],
)
def test_which_rpcs_are_idempotent(rpc: str, idempotent: bool) -> None:
    method = dubbo_mesh.Method(f"/doctor.old.Old/{rpc}", StringValue, StringValue)
    described = rpc_of(dubbo_mesh.Service("doctor.old.Old", method), method)
    assert described is not None
    assert is_idempotent(described) is idempotent


@pytest.mark.parametrize("service", ["doctor.old.Other", "doctor.old.Old"])
def test_what_is_not_in_the_pool_is_not_known(service: str) -> None:
    method = dubbo_mesh.Method(f"/{service}/Missing", StringValue, StringValue)
    assert rpc_of(dubbo_mesh.Service(service, method), method) is None
