"""XML, signatures and trust, callers and grants, limits, keys, and the audit log (an toàn thông tin)."""
