"""The one exception class of this package's own."""


class ConfigurationError(ValueError):
    """What is needed is not configured, or wrongly; the message names the setting and the remedy."""
