"""What came with a request, and what is sent on from it with the calls made while serving it."""
