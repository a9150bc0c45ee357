"""How a call is made: its deadline and headers, and the stubs and channels it goes through."""
