"""Settings, logging with redaction, and metrics: what every room above `schemas` may ask for."""
