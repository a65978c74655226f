"""The routes of the audit log, put together, and which of them need no authentication."""

from __future__ import annotations

from aiohttp import web

from routes.audit.access import Room
from routes.audit.bundling import post_bundle
from routes.audit.listing import get_entries, post_search
from routes.audit.public import get_checkpoint, get_consistency, get_keys
from routes.audit.showing import get_entry, get_proof, post_values
from routes.audit.tiles import get_bundle, get_tile


def add_audit(router: web.UrlDispatcher, room: Room) -> None:
    """Add every route of the audit log."""
    router.add_get("/v1/audit/entries", get_entries(room))
    router.add_post("/v1/audit/search", post_search(room))
    router.add_get("/v1/audit/entries/{index}", get_entry(room))
    router.add_get("/v1/audit/entries/{index}/proof", get_proof(room))
    router.add_post("/v1/audit/entries/{index}/values", post_values(room))
    router.add_post("/v1/audit/entries/{index}/bundle", post_bundle(room))
    checkpoint = get_checkpoint(room)
    router.add_get("/v1/audit/checkpoint", checkpoint)
    router.add_get("/v1/audit/consistency", get_consistency(room))
    router.add_get("/v1/audit/keys", get_keys(room))
    router.add_get("/v1/audit/log/checkpoint", checkpoint)
    router.add_get(r"/v1/audit/log/tile/entries/{tile:.+}", get_bundle(room))
    router.add_get(r"/v1/audit/log/tile/{level}/{tile:.+}", get_tile(room))
