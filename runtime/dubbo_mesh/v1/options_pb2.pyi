from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
SERVICE_FIELD_NUMBER: _ClassVar[int]
service: _descriptor.FieldDescriptor
METHOD_FIELD_NUMBER: _ClassVar[int]
method: _descriptor.FieldDescriptor

class ServiceOptions(_message.Message):
    __slots__ = ("app", "namespace", "port", "version", "group", "defaults", "aliases", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APP_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    app: str
    namespace: str
    port: int
    version: str
    group: str
    defaults: MethodOptions
    aliases: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.ScalarMap[str, str]
    def __init__(self, app: _Optional[str] = ..., namespace: _Optional[str] = ..., port: _Optional[int] = ..., version: _Optional[str] = ..., group: _Optional[str] = ..., defaults: _Optional[_Union[MethodOptions, _Mapping]] = ..., aliases: _Optional[_Iterable[str]] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class MethodOptions(_message.Message):
    __slots__ = ("timeout", "per_try_timeout", "retry", "inherit_timeout", "hedge_on_per_try_timeout", "upstream_alt_stat_name", "timeout_alt_response", "stream_duration", "decorator_operation")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PER_TRY_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    INHERIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    HEDGE_ON_PER_TRY_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_ALT_STAT_NAME_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_ALT_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    STREAM_DURATION_FIELD_NUMBER: _ClassVar[int]
    DECORATOR_OPERATION_FIELD_NUMBER: _ClassVar[int]
    timeout: _duration_pb2.Duration
    per_try_timeout: _duration_pb2.Duration
    retry: Retry
    inherit_timeout: bool
    hedge_on_per_try_timeout: bool
    upstream_alt_stat_name: str
    timeout_alt_response: bool
    stream_duration: _duration_pb2.Duration
    decorator_operation: str
    def __init__(self, timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., per_try_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., inherit_timeout: bool = ..., hedge_on_per_try_timeout: bool = ..., upstream_alt_stat_name: _Optional[str] = ..., timeout_alt_response: bool = ..., stream_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., decorator_operation: _Optional[str] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("attempts", "grpc_on", "on", "status_codes", "header_names")
    class GrpcCondition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        GRPC_CONDITION_UNSPECIFIED: _ClassVar[Retry.GrpcCondition]
        CANCELLED: _ClassVar[Retry.GrpcCondition]
        DEADLINE_EXCEEDED: _ClassVar[Retry.GrpcCondition]
        INTERNAL: _ClassVar[Retry.GrpcCondition]
        RESOURCE_EXHAUSTED: _ClassVar[Retry.GrpcCondition]
        UNAVAILABLE: _ClassVar[Retry.GrpcCondition]
    GRPC_CONDITION_UNSPECIFIED: Retry.GrpcCondition
    CANCELLED: Retry.GrpcCondition
    DEADLINE_EXCEEDED: Retry.GrpcCondition
    INTERNAL: Retry.GrpcCondition
    RESOURCE_EXHAUSTED: Retry.GrpcCondition
    UNAVAILABLE: Retry.GrpcCondition
    class Condition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CONDITION_UNSPECIFIED: _ClassVar[Retry.Condition]
        ANY_5XX: _ClassVar[Retry.Condition]
        GATEWAY_ERROR: _ClassVar[Retry.Condition]
        RESET: _ClassVar[Retry.Condition]
        RESET_BEFORE_REQUEST: _ClassVar[Retry.Condition]
        CONNECT_FAILURE: _ClassVar[Retry.Condition]
        ENVOY_RATELIMITED: _ClassVar[Retry.Condition]
        RETRIABLE_4XX: _ClassVar[Retry.Condition]
        REFUSED_STREAM: _ClassVar[Retry.Condition]
        RETRIABLE_STATUS_CODES: _ClassVar[Retry.Condition]
        RETRIABLE_HEADERS: _ClassVar[Retry.Condition]
        HTTP3_POST_CONNECT_FAILURE: _ClassVar[Retry.Condition]
    CONDITION_UNSPECIFIED: Retry.Condition
    ANY_5XX: Retry.Condition
    GATEWAY_ERROR: Retry.Condition
    RESET: Retry.Condition
    RESET_BEFORE_REQUEST: Retry.Condition
    CONNECT_FAILURE: Retry.Condition
    ENVOY_RATELIMITED: Retry.Condition
    RETRIABLE_4XX: Retry.Condition
    REFUSED_STREAM: Retry.Condition
    RETRIABLE_STATUS_CODES: Retry.Condition
    RETRIABLE_HEADERS: Retry.Condition
    HTTP3_POST_CONNECT_FAILURE: Retry.Condition
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    GRPC_ON_FIELD_NUMBER: _ClassVar[int]
    ON_FIELD_NUMBER: _ClassVar[int]
    STATUS_CODES_FIELD_NUMBER: _ClassVar[int]
    HEADER_NAMES_FIELD_NUMBER: _ClassVar[int]
    attempts: int
    grpc_on: _containers.RepeatedScalarFieldContainer[Retry.GrpcCondition]
    on: _containers.RepeatedScalarFieldContainer[Retry.Condition]
    status_codes: _containers.RepeatedScalarFieldContainer[int]
    header_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, attempts: _Optional[int] = ..., grpc_on: _Optional[_Iterable[_Union[Retry.GrpcCondition, str]]] = ..., on: _Optional[_Iterable[_Union[Retry.Condition, str]]] = ..., status_codes: _Optional[_Iterable[int]] = ..., header_names: _Optional[_Iterable[str]] = ...) -> None: ...
