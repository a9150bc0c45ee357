"""The health of a server's services, as `grpc.health.v1.Health` reports it."""
