"""Applications that bring `health.proto` themselves, as many do, can use our runtime all the same."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.everywhere.samples import exercised, generate

HEALTH = """
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}
service Health {
  rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
  rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
}
"""


def test_the_health_service_of_an_application_is_its_own(tmp_path: Path) -> None:
    protos = tmp_path / "protos"
    (protos / "third_party").mkdir(parents=True)
    (protos / "third_party" / "health.proto").write_text(HEALTH)

    generate(
        tmp_path / "out", protos=protos, files=["third_party/health.proto"], kinds=["python", "dubbo-mesh"]
    )

    assert exercised(sys.executable, tmp_path / "out", "third_party.health_mesh") == 4 * 2
