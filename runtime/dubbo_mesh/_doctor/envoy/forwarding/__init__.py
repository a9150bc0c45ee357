"""What the router does with a request: timeouts, retries, and the cluster that it goes to."""
