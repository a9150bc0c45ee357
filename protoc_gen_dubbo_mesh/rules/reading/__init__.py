"""Reads files of rules and worlds. Whatever is in them, it says what is wrong and where, and never raises."""
