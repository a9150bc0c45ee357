"""Where a call goes: the environment, the modes, and the channel options that go with them."""
