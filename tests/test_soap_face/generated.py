"""Random records and questions of any operation, out of the schemas that REST publishes."""

from typing import Any

from hypothesis import strategies as st

from routes.openapi_models import Schema, model_schemas, schema_name
from schemas.exchange import Database
from schemas.fields import Branch, Shape

# Texts that something on the way could take for its own: markup, references, prefixes, blanks, line ends, combining
# marks, what a spreadsheet or a parser would call a number.
HARD = (
    "", " ", "\t", "\n", "\r", "\r\n", "  a  ", "\u00a0", "]]>", "&lt;", "&amp;lt;", "<b>", '"', "'", "&#13;", "&#x0;",
    ' xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"', ' xmlns:xsi="urn:x" xsi:nil="true"', "{0}", "%s", "%",
    "</data>", "<!-- a -->", "<?a b?>", "Nguyễn Thị Ước", "Nguye\u0302\u0303n", "\U0001f1fb\U0001f1f3", "\ufeff",
    "\u2028", "\u0085", "\u007f", "\ufffd", "00", "001090123456", "1e5", "0x1F", "true", "null", "-0", "1.50", "NaN",
)  # fmt: skip
CHARACTERS = st.one_of(
    st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\ufffe\uffff", min_codepoint=0x20),
    st.sampled_from("\t\n\r&<>\"' \u0302\u0301]"),
)
TEXT = st.one_of(st.sampled_from(HARD), st.text(CHARACTERS, max_size=20))


def value(schema: Schema) -> st.SearchStrategy[Any]:
    """A value of a member, without null."""
    words = [word for word in schema.get("enum", ()) if word is not None]
    if words:
        return st.sampled_from(words)
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else next(each for each in kinds if each != "null")
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(-(10**15) + 1, 10**15 - 1)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].removeprefix("^").removesuffix("$"), fullmatch=True)
    return TEXT


def record(database: Database, shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """A record, or a part of one: any members absent, any null, lists of none, one and many, with nulls in them."""
    schemas = model_schemas((database,))

    def of(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
        described = schemas[schema_name(database, shape.model)]["properties"]
        members: dict[str, st.SearchStrategy[Any]] = {}
        for member in shape.members:
            properties = described[member.name]
            if isinstance(member, Branch):
                inside = st.deferred(lambda shape=member.shape: of(shape))  # type: ignore[misc]
            elif member.many:
                items = [each["items"] for each in (properties, *properties.get("anyOf", ())) if "items" in each]
                inside = value(items[0])
            else:
                inside = value(properties)
            if member.many:
                inside = st.lists(st.one_of(st.none(), inside), max_size=3)
            members[member.name] = st.one_of(st.none(), inside)
        return st.fixed_dictionaries({}, optional=members)

    return of(shape)
