"""googleapis-common-protos and grpcio-status, which have no types: what the tests compare ours with."""

import importlib
from typing import Any

code_pb2: Any = importlib.import_module("google.rpc.code_pb2")
error_details_pb2: Any = importlib.import_module("google.rpc.error_details_pb2")
status_pb2: Any = importlib.import_module("google.rpc.status_pb2")
rpc_status: Any = importlib.import_module("grpc_status.rpc_status")
