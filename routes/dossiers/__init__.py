"""Dossiers and their statuses over REST: pushed, looked up, repaired (hồ sơ thủ tục hành chính)."""
