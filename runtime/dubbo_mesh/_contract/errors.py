"""This package's own exception class."""


class ConfigurationError(ValueError):
    """A setting is missing or malformed; the message names it and says how to correct it."""
