"""Simulated registries with a coherent population, their PKI and their faults, and the demo (môi trường thử)."""
