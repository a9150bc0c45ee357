"""What `python -m dubbo_mesh doctor` looks at."""
