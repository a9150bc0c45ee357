"""The checks of `python -m dubbo_mesh doctor`: a module for each kind."""
