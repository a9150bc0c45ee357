"""Envoys as sidecars, with configurations built by hand: all that a test may want to vary.

A provider behind its own Envoy, called through a consumer's Envoy by its mesh name:

    from localmesh import ReservedPort
    from tests import sidecars

    app = ReservedPort()                              # where the provider's server will listen
    with sidecars.Sidecar("provider-1", ingress=app.address) as provider:
        greeter = sidecars.MeshService("greeter", port=50052, endpoints=[provider.ingress])
        with sidecars.Sidecar("consumer", egress=[greeter]) as consumer:
            ...                                       # start a server on app.number
            consumer.wait_healthy("greeter", 1)       # its active health checks pass
            consumer.egress                           # "127.0.0.1:…", for DUBBO_MESH_EGRESS
            provider.admin_address                    # "127.0.0.1:…", for DUBBO_MESH_ADMIN
            consumer.admin.stats("cluster.greeter.upstream_rq")
            consumer.egress_log.wait_for(1)           # the requests, as dicts
            provider.stop()                           # or kill()
            provider.start()                          # on the same ports again
    app.close()

* `Sidecar(name, ingress=..., egress=...)`: the Envoy beside an app, restartable. `Egress(services,
  ...)` in place of the list of services says more about the egress listener, as whether the app
  counts as internal (`use_remote_address`, `internal_addresses`; the default is that Envoy honours
  its `x-envoy-…` request headers) and `tracing`; `Ingress(app, ...)` in place of the app's address
  likewise. The ingress has the health_check filter in pass-through mode.
* `MeshService(app, port, endpoints, ...)`: a virtual host with its domains, route timeout, retry
  policy, endpoints and active gRPC health check (`HealthCheck`).
* Whatever Envoy can do and has no argument here is given as plain Envoy JSON: `route`, `route_action`,
  `cluster`, `connection_manager`, `listener` are merged over what is built (a value of None
  removes a key), `http_filters` stand before the router, `clusters` are added. `StaticEnvoy(name,
  listeners, clusters)` runs any configuration; `sidecars.config` has builders for its parts.

What the Envoys promise is what `localmesh`, which runs them, says.
"""

from tests.sidecars.listeners import LOOPBACK, Egress, Ingress, Tracing
from tests.sidecars.services import HealthCheck, MeshService
from tests.sidecars.sidecar import Sidecar, StaticEnvoy

__all__ = [
    "LOOPBACK",
    "Egress",
    "HealthCheck",
    "Ingress",
    "MeshService",
    "Sidecar",
    "StaticEnvoy",
    "Tracing",
]
