"""A small service of all four shapes, as the plugin would write it, with messages that protobuf ships."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio

ECHO = dubbo_mesh.Service(
    "test.Echo",
    dubbo_mesh.Method("/test.Echo/unary", StringValue, StringValue),
    dubbo_mesh.Method("/test.Echo/serverStream", StringValue, StringValue, server_streaming=True),
    dubbo_mesh.Method("/test.Echo/clientStream", StringValue, StringValue, client_streaming=True),
    dubbo_mesh.Method(
        "/test.Echo/bidi", StringValue, StringValue, client_streaming=True, server_streaming=True
    ),
    app="echo",
    port=50051,
)


class EchoStub(dubbo_mesh.Stub["EchoAsyncStub"]):
    __mesh__ = ECHO

    unary: dubbo_mesh.UnaryUnary[StringValue, StringValue]
    serverStream: dubbo_mesh.UnaryStream[StringValue, StringValue]
    clientStream: dubbo_mesh.StreamUnary[StringValue, StringValue]
    bidi: dubbo_mesh.StreamStream[StringValue, StringValue]


class EchoAsyncStub(dubbo_mesh.aio.Stub, twin=EchoStub):
    __mesh__ = ECHO

    unary: dubbo_mesh.aio.UnaryUnary[StringValue, StringValue]
    serverStream: dubbo_mesh.aio.UnaryStream[StringValue, StringValue]
    clientStream: dubbo_mesh.aio.StreamUnary[StringValue, StringValue]
    bidi: dubbo_mesh.aio.StreamStream[StringValue, StringValue]


class EchoServicer(dubbo_mesh.Servicer):
    __mesh__ = ECHO

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        dubbo_mesh.unimplemented(context, "/test.Echo/unary")

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        dubbo_mesh.unimplemented(context, "/test.Echo/serverStream")

    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        dubbo_mesh.unimplemented(context, "/test.Echo/clientStream")

    def bidi(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        dubbo_mesh.unimplemented(context, "/test.Echo/bidi")


class EchoAsyncServicer(dubbo_mesh.aio.Servicer):
    __mesh__ = ECHO

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        await dubbo_mesh.aio.unimplemented(context, "/test.Echo/unary")

    def serverStream(
        self, request: StringValue, context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        return dubbo_mesh.aio.unimplemented_stream(context, "/test.Echo/serverStream")

    async def clientStream(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> StringValue:
        await dubbo_mesh.aio.unimplemented(context, "/test.Echo/clientStream")

    def bidi(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        return dubbo_mesh.aio.unimplemented_stream(context, "/test.Echo/bidi")


def add_EchoServicer_to_server(
    servicer: EchoServicer | EchoAsyncServicer, server: grpc.Server | grpc.aio.Server
) -> None:
    dubbo_mesh.add_servicer(servicer, server, ECHO)
