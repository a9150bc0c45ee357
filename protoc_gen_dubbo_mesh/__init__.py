"""A protoc plugin: gRPC (Dubbo Triple) stubs and servicers for Python services in a service mesh."""

__version__ = "0.1.0"
