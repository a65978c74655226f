"""Dossiers (hồ sơ thủ tục hành chính) and their statuses: vocabulary, models and rules; nothing here does I/O."""
