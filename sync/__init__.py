"""Dossier statuses on their way to the national portal (đồng bộ trạng thái hồ sơ): intake, outbox, delivery, repair."""
