"""The audit log over REST: entries, proofs, opened values, and what is public of it (nhật ký kiểm toán)."""
