"""What is in force for services and rpcs, why, and what a mesh makes of it: policy in, text or JSON out."""
