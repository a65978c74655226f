"""The audit trail (nhật ký kiểm toán): one append-only log per deployment, provable to outsiders, private by design.

An entry is canonical JSON (RFC 8785) without personal values; its hash is a leaf of an RFC 9162 tree, whose root is
signed after every commit. What opens the commitments of an entry lies encrypted in a side table.
"""
