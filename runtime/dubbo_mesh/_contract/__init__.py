"""What generated modules and the plugin share with the runtime. Imports no other package of the runtime."""

import logging

# Every package of the runtime imports this one, so this is the first line of ours that runs before any logs.
# Without a handler of its own Python would print a library's warnings to stderr, whatever the application
# wants to do with them (Python docs: "Configuring Logging for a Library").
logging.getLogger("dubbo_mesh").addHandler(logging.NullHandler())
