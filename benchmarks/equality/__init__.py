"""Equality with the other libraries: spikes bit for bit, gradients within a stated tolerance."""
