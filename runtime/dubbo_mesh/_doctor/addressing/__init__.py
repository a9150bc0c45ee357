"""Where calls would go: variables, DNS, connections, and proxyless mode (DM1xx)."""
