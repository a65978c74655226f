"""The HTTP face: callers, stages, the only rendering of errors, and serving (mặt HTTP của trục)."""
