"""What is wrong where in a body: from pydantic's complaints to JSON pointers; no message quotes a value.

A member may be named with anything, also with a person's number: such a name is masked.
"""

from __future__ import annotations

from pydantic import ValidationError

from config.logging import MASK
from config.personal import could_name_a_person
from routes.flaw_texts import VIETNAMESE
from schemas.errors import Flaw, Text

MAX_FLAWS = 50


def to_pointer(path: tuple[str | int, ...]) -> str:
    """Return the RFC 6901 pointer of `path`, masked and cut to 256 characters, since its names are the caller's.

    `[masked]` stands for each name that could identify a person.
    """
    names = [MASK if isinstance(step, str) and could_name_a_person(step) else str(step) for step in path]
    pointer = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
    return pointer.encode("utf-8", "replace").decode()[:256]


_MESSAGES: dict[str, tuple[str, str]] = {
    "missing": ("thiếu trường bắt buộc", "is required"),
    "extra_forbidden": ("trường không có trong hợp đồng", "is not part of the contract"),
    "string_type": ("phải là chuỗi", "must be a string"),
    "string_pattern_mismatch": ("sai định dạng", "does not have the required form"),
    "string_too_short": ("ngắn hơn {min_length} ký tự", "is shorter than {min_length} characters"),
    "string_too_long": ("dài hơn {max_length} ký tự", "is longer than {max_length} characters"),
    "int_type": ("phải là số nguyên", "must be an integer"),
    "int_from_float": ("phải là số nguyên", "must be an integer"),
    "float_type": ("phải là số", "must be a number"),
    "bool_type": ("phải là true hoặc false", "must be true or false"),
    "none_required": ("phải là null", "must be null"),
    "list_type": ("phải là mảng", "must be an array"),
    "too_long": ("nhiều hơn {max_length} phần tử", "has more than {max_length} items"),
    "too_short": ("ít hơn {min_length} phần tử", "has fewer than {min_length} items"),
    "dict_type": ("phải là đối tượng", "must be an object"),
    "model_type": ("phải là đối tượng", "must be an object"),
    "model_attributes_type": ("phải là đối tượng", "must be an object"),
    "literal_error": ("phải là một trong: {expected}", "must be one of: {expected}"),
    "enum": ("phải là một trong: {expected}", "must be one of: {expected}"),
    "greater_than": ("phải lớn hơn {gt}", "must be greater than {gt}"),
    "greater_than_equal": ("không được nhỏ hơn {ge}", "must be at least {ge}"),
    "less_than": ("phải nhỏ hơn {lt}", "must be less than {lt}"),
    "less_than_equal": ("không được lớn hơn {le}", "must be at most {le}"),
}
_GENERIC = ("giá trị không hợp lệ", "is not valid")


def flaws_of(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> list[Flaw]:
    """Translate pydantic's complaints into flaws with JSON pointers below `prefix`; no value of the input appears."""
    flaws: list[Flaw] = []
    for complaint in error.errors(include_url=False, include_input=False)[:MAX_FLAWS]:
        context = complaint.get("ctx", {})
        if complaint["type"] == "value_error" and type(context.get("error")) is ValueError:
            # Our own validators say in fixed English words what is wrong.
            en = str(context["error"])
            vi = VIETNAMESE.get(en, _GENERIC[0])
        else:
            vi, en = (text.format_map(context) for text in _MESSAGES.get(complaint["type"], _GENERIC))
        flaws.append(Flaw(to_pointer((*prefix, *complaint["loc"])), Text(vi, en)))
    return flaws
