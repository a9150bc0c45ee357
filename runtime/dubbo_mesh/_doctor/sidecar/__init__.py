"""The sidecar, and what a call meets in it: listener, virtual host, route, cluster, hosts (DM2xx)."""
