// test.Echo, as protoc-gen-es would have it, and google.rpc.DebugInfo.

import { MethodKind, proto3, StringValue } from "@bufbuild/protobuf";

const method = (name, kind) => ({ name, I: StringValue, O: StringValue, kind });

export const Echo = {
  typeName: "test.Echo",
  methods: {
    unary: method("unary", MethodKind.Unary),
    serverStream: method("serverStream", MethodKind.ServerStreaming),
    clientStream: method("clientStream", MethodKind.ClientStreaming),
    bidi: method("bidi", MethodKind.BiDiStreaming),
  },
};

export const DebugInfo = proto3.makeMessageType("google.rpc.DebugInfo", () => [
  { no: 1, name: "stack_entries", kind: "scalar", T: 9, repeated: true },
  { no: 2, name: "detail", kind: "scalar", T: 9 },
]);

export { StringValue };
