"""Writes Python: a module of stubs and servicers for each file with services."""
