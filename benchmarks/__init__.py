"""What is claimed about speed, measured: `make bench`, or `python -m benchmarks calls imports …`."""
