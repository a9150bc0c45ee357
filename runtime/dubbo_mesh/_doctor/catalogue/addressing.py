"""DM1xx: where calls go."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

ADDRESSING: Mapping[str, Problem] = {
    "DM101": Problem(
        "environment",
        "error",
        "a variable of the environment has a malformed value",
        "Stubs, channels and servers raise ConfigurationError when they are created.",
        "correct the variable, or unset it",
    ),
    "DM102": Problem(
        "environment",
        "error",
        "a DUBBO_MESH_ variable is set that does not exist",
        "Nothing reads it, so what it was meant to change stays as it is.",
        "unset it, or correct its name",
    ),
    "DM103": Problem(
        "environment",
        "warning",
        "DUBBO_MESH_DIRECT has addresses that are not used",
        "Calls go to the sidecar, whatever the addresses are.",
        "to dial its addresses, set DUBBO_MESH_MODE, or DUBBO_MESH_FALLBACK, to direct",
    ),
    "DM104": Problem(
        "dial",
        "error",
        "a target cannot be understood, or imported",
        "The doctor cannot tell what would be called.",
        "name it as APP, APP:PORT, APP.NAMESPACE:PORT or a generated module",
    ),
    "DM105": Problem(
        "dial",
        "error",
        "the mode has no address for a target",
        "A stub raises ConfigurationError when it is created.",
        "set the variable that is named",
    ),
    "DM106": Problem(
        "dns",
        "error",
        "a name does not exist",
        "Calls fail with UNAVAILABLE, “Domain name not found”.",
        "in Kubernetes: is there a Service of that name in that namespace? "
        "Elsewhere: set DUBBO_MESH_EGRESS to the sidecar's listener, or DUBBO_MESH_MODE=direct",
    ),
    "DM107": Problem(
        "reachable",
        "error",
        "nothing accepts connections where calls would go",
        "Calls fail with UNAVAILABLE, “connection refused”.",
        "is the provider's Service up, and does the sidecar intercept connections of this process?",
    ),
    "DM108": Problem(
        "environment",
        "info",
        "the mode is direct",
        "No sidecar is asked: nobody retries or balances, and no route's timeout ends a call.",
        "unset DUBBO_MESH_MODE where there is a sidecar",
    ),
    "DM109": Problem(
        "environment",
        "warning",
        "DUBBO_MESH_FALLBACK has no effect",
        "Only calls through a sidecar fall back. In other modes they fail when they cannot be made.",
        "unset it, or DUBBO_MESH_MODE",
    ),
    "DM110": Problem(
        "environment",
        "info",
        "a variable has no effect",
        "What it is for does not exist in this mode.",
        "unset it if it stays like that",
    ),
    "DM111": Problem(
        "environment",
        "info",
        "calls go to a sidecar whose admin endpoint is off",
        "Servers do not tell the sidecar that they are going down, and the doctor cannot see what it does.",
        "set DUBBO_MESH_ADMIN to the address of the sidecar's admin endpoint, such as 127.0.0.1:15000",
    ),
    "DM112": Problem(
        "environment",
        "warning",
        "DUBBO_MESH_FORWARDED_FOR is the address of another host",
        "It is sent as x-forwarded-for: to providers, calls seem to come from there.",
        "set DUBBO_MESH_FORWARDED_FOR=pod, and let the pod's spec set POD_IP from status.podIP",
    ),
    "DM113": Problem(
        "dial",
        "warning",
        "no app is known that provides a service",
        "A stub raises ConfigurationError when it is created, unless its code gives it a target.",
        "set option (dubbo_mesh.v1.service).app in the proto, the plugin's app= or config=, or pass "
        "target=dubbo_mesh.Target(...) to the stub",
    ),
    "DM114": Problem(
        "dial",
        "error",
        "a module cannot be imported",
        "A program that imports it ends, and the doctor cannot tell what would be called.",
        "correct what is named; modules are found as by python -m, from the working directory",
    ),
    "DM115": Problem(
        "dial",
        "error",
        "a module was generated for another version of dubbo-mesh",
        "A program that imports it ends with ImportError.",
        "pip install --upgrade dubbo-mesh, or regenerate the module with a current protoc-gen-dubbo-mesh",
    ),
    "DM116": Problem(
        "dial",
        "warning",
        "the namespace default is assumed, and this pod is in another",
        "Callees whose namespace is not set are expected in the namespace of the caller.",
        "let the pod's spec set POD_NAMESPACE from metadata.namespace, as the emitted "
        "kubernetes/<app>/deployment.yaml does; or set the callee's namespace",
    ),
    "DM117": Problem(
        "dial",
        "warning",
        "names end in another domain than the cluster's",
        "DNS does not know such names, and no virtual host of the sidecar matches them.",
        "set CLUSTER_DOMAIN to the cluster's domain, or unset it",
    ),
    "DM118": Problem(
        "reachable",
        "error",
        "there is no way to where calls would go",
        "Calls wait until their deadline, or fail with UNAVAILABLE.",
        "does a NetworkPolicy or a firewall forbid it? Is the address the right one?",
    ),
    "DM119": Problem(
        "reachable",
        "error",
        "connections are accepted, and closed at once",
        "Calls fail with UNAVAILABLE: whoever accepts connections has nobody to pass them on to.",
        "is the provider up, and has the sidecar that accepts connections its configuration?",
    ),
    "DM120": Problem(
        "reachable",
        "error",
        "what listens where calls would go does not speak HTTP/2",
        "gRPC needs HTTP/2 without TLS here: calls fail with UNAVAILABLE.",
        "is it the port for gRPC? A listener of the sidecar's must have codec_type AUTO or HTTP2",
    ),
    "DM121": Problem(
        "reachable",
        "warning",
        "what listens where calls would go expects TLS",
        "Stubs speak clear text to mesh addresses, so calls fail, unless they are given credentials.",
        "let the sidecar do TLS and its listener for this process none; or give the stub credentials",
    ),
    "DM122": Problem(
        "reachable",
        "warning",
        "the sidecar is out of reach, and calls take the fallback",
        "Past the sidecar, its retries, timeouts, routes and policies do not apply.",
        "is the sidecar up?",
    ),
    "DM123": Problem(
        "dns",
        "error",
        "the name servers do not answer",
        "Calls wait until their deadline, or fail with UNAVAILABLE, “address lookup failed”.",
        "is the nameserver of /etc/resolv.conf up, and may this pod ask it (port 53, UDP and TCP)?",
    ),
    "DM124": Problem(
        "dns",
        "error",
        "a name has no address",
        "Calls fail with UNAVAILABLE, “DNS server returned answer with no data”.",
        "a headless Service has addresses once a pod is ready; other names need a record of type A or AAAA",
    ),
    "DM125": Problem(
        "dns",
        "warning",
        "the lookup of a name is slow",
        "The first call of a channel waits for it, and calls with a short deadline fail.",
        "is one of the nameservers in /etc/resolv.conf dead, or overloaded?",
    ),
}
