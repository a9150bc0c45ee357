"""What is known of each service and rpc of a run, from all sources, and where each value was set."""
