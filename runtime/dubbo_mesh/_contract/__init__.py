"""What generated modules and the plugin share with this runtime. Imports nothing above it."""
