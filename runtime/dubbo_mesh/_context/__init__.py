"""What came with a request, and what travels on from it to the calls made while serving it."""
