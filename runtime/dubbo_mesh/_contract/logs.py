"""The loggers of the package. Modules that log import this one; the plugin, whose time counts, does not."""

import logging

# Without a handler of its own Python would print a library's warnings to stderr, whatever the application
# wants to do with them (Python docs: "Configuring Logging for a Library").
logging.getLogger("dubbo_mesh").addHandler(logging.NullHandler())


def logger(module: str) -> logging.Logger:
    """The logger of a module, given by `__name__`; all of them are below `dubbo_mesh`."""
    return logging.getLogger(module)
