"""protoc plugin: gRPC (Dubbo Triple) stubs and servicers for Python that are native to a service mesh."""

__version__ = "0.1.0"
