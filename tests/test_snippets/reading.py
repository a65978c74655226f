"""What snippets print, in the form of the REST face, so that one expectation serves them all."""

import json
from typing import Any

from lxml import etree

from routes.soap.names import camel

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def read(place: Any, like: Any) -> Any:
    """What an element says, in the form that JSON has of it; `like` is a value of that form."""
    if place.get(_NIL) == "true":
        return None
    if isinstance(like, list):
        return [read(item, like[0] if like else "") for item in place]
    if isinstance(like, dict):
        names = {camel(name): name for name in like}
        found = {}
        for child in place:
            tag = etree.QName(child).localname
            name = names.get(tag, tag)
            found[name] = read(child, like.get(name, ""))
        return found
    text = place.text or ""
    return json.loads(text) if isinstance(like, bool | int | float) else text


def spelled(value: Any) -> Any:
    """Data of the REST face with the names of elements, lists as elements with items."""
    if isinstance(value, dict):
        return {camel(name): spelled(each) for name, each in value.items()}
    return {"item": [spelled(each) for each in value]} if isinstance(value, list) else value


def lean(value: Any) -> Any:
    """Without what some tools cannot tell apart: absent, nil, empty."""
    if isinstance(value, dict):
        return {name: kept for name, each in value.items() if (kept := lean(each)) not in (None, "", {})}
    return [lean(each) for each in value] or None if isinstance(value, list) else value
