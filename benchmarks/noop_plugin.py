"""The least that a Python plugin can do: parse the request, answer with nothing."""

import sys

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse

CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
response = CodeGeneratorResponse(
    supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    | CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS,
    minimum_edition=998,
    maximum_edition=1001,
)
sys.stdout.buffer.write(response.SerializeToString())
