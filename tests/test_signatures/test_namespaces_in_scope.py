"""What namespaces in scope may make a canonical form cost: honest messages stay below it, hostile ones end there."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from security.signature import Rejected
from security.signature_structure import C14N, C14N_1_1, EXC_C14N
from security.xml import XmlRefused, parse
from security.xml_namespaces import are_too_many
from security.xml_signature import verify_enveloped
from tests.test_signatures.conftest import NOW
from tests.test_signatures.test_inclusive_c14n import POLICY, filled, template


def declared(count: int, first: int = 0) -> str:
    return "".join(f' xmlns:p{n}="urn:example:schemas:{n}"' for n in range(first, first + count))


def flat(namespaces: int, elements: int, attribute: str = "") -> bytes:
    """So many namespaces at the root and so many elements, the root among them."""
    return f"<r{declared(namespaces)}>{f'<a{attribute}/>' * (elements - 1)}</r>".encode()


def tree(own: str, depth: int, width: int) -> str:
    """Elements that say all of `own` again, `width` on each of `depth` levels."""
    inner = "text" if depth == 1 else "".join(tree(own, depth - 1, 1) for _ in range(width))
    return f"<p0:element{own}>{inner}</p0:element>"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    c14n=st.sampled_from([C14N, C14N_1_1, EXC_C14N]),
    transform=st.sampled_from([None, C14N, C14N_1_1, EXC_C14N]),
    namespaces=st.integers(1, 30),
    depth=st.integers(2, 6),
    data=st.data(),
)
def test_namespaces_repeated_on_every_element_are_accepted(pki, c14n, transform, namespaces, depth, data):
    """As much as the cap on declarations in all allows; the elements behind have none of their own."""
    key = pki.signer("rsa")
    # One for the root, and one more declaration for the Signature.
    branches = (1_023 // namespaces - 1) // depth
    width = data.draw(st.integers(1, branches)) if branches > 1 else 1
    own = declared(namespaces)
    inner = "".join(tree(own, depth - 1, 1) for _ in range(width)) if branches else ""
    root = f'<p0:r{own} issuedAt="2026-11-22T08:00:00Z">{inner}{"<row><value>1</value></row>" * 100}'
    signed = filled(root + template(key.token, c14n, transform) + "</p0:r>", key)
    assert verify_enveloped(signed, POLICY, pki.pinned(key), now=NOW)


@pytest.mark.parametrize("transform", [None, C14N, C14N_1_1])
@pytest.mark.parametrize(("namespaces", "elements", "accepted"), [(36, 300, True), (200, 300, False)])
def test_an_inclusive_form_ends_where_namespaces_are_hundreds(pki, transform, namespaces, elements, accepted):
    key = pki.signer("rsa")
    root = f'<r{declared(namespaces)} issuedAt="2026-11-22T08:00:00Z">{"<a/>" * elements}'
    signed = filled(root + template(key.token, EXC_C14N, transform) + "</r>", key)
    if accepted:
        assert verify_enveloped(signed, POLICY, pki.pinned(key), now=NOW)
    else:
        with pytest.raises(Rejected, match="malformed: too many namespaces in scope of too many elements for this"):
            verify_enveloped(signed, POLICY, pki.pinned(key), now=NOW)
        # The same namespaces are no matter to the exclusive form.
        signed = filled(root + template(key.token, EXC_C14N, EXC_C14N) + "</r>", key)
        assert verify_enveloped(signed, POLICY, pki.pinned(key), now=NOW)


SMALL = 24 * 1024 * 20
"""The steps of 24 KiB, which smaller documents may take too."""


def test_each_form_has_its_price():
    """By hand, for n namespaces at the root of e elements: 2ne, with p prefixes n(2 + p)e, inclusive n(2n + 1)e/2."""
    for namespaces, elements, prefixes, inclusive, each in (
        (100, 2_457, 0, False, 2 * 100),
        (100, 289, 15, False, 17 * 100),
        (40, 303, 0, True, 40 * 41 // 2 + 40 * 40 // 2),
        (490, 2, 0, True, 490 * 491 // 2 + 490 * 490 // 2),
    ):
        assert elements * each <= SMALL < (elements + 1) * each, "the example is not at the edge"
        document, dearer = flat(namespaces, elements), flat(namespaces, elements + 1)
        assert not are_too_many(etree.fromstring(document), document, prefixes, inclusive=inclusive)
        assert are_too_many(etree.fromstring(dearer), dearer, prefixes, inclusive=inclusive)


def test_attributes_look_for_namespaces_too():
    document = flat(100, 1_000, ' b="1"')
    parse(document)
    with pytest.raises(XmlRefused, match="too-many: too many namespaces in scope of too many elements"):
        parse(flat(100, 1_000, ' b="1" c="1"'))


def test_a_large_document_may_cost_what_its_bytes_are_worth_and_no_more():
    for text, accepted in ((1_000, False), (80_000, True)):
        document = b"<r>" + flat(150, 3_000) + b"x" * text + b"</r>"
        assert are_too_many(etree.fromstring(document), document) is not accepted
    document = b"<r>" + flat(100, 40_000, "") + b"x" * 3_000_000 + b"</r>"
    assert not are_too_many(etree.fromstring(document), document)
    document = b"<r>" + flat(300, 40_000, "") + b"x" * 3_000_000 + b"</r>"
    assert are_too_many(etree.fromstring(document), document)


@given(drawn=st.lists(st.integers(0, 40), max_size=45))
def test_what_is_searched_is_what_stands_between(drawn):
    """On a path of elements, by the definition: for each declaration as far as to the innermost of its prefix."""

    def steps(above: list[int]) -> int:
        return sum(above[::-1].index(one) + 1 for one in above) + len(set(above)) ** 2 // 2

    # So many at least that the edge lies within 24 KiB.
    places = [*range(15), *drawn]
    spent = sum(steps(places[:count]) for count in range(len(places)))
    inner = (SMALL - spent) // steps(places) - 1
    path = "".join(f"<a{declared(1, one)}>" for one in places)
    for more, refused in ((0, False), (1, True)):
        document = f"<r>{path}{'<b/>' * (inner + more)}{'</a>' * len(places)}</r>".encode()
        assert are_too_many(etree.fromstring(document), document, inclusive=True) is refused


def test_namespaces_side_by_side_are_not_in_scope_of_each_other():
    document = b"<r>" + b"".join(flat(1, 1) for _ in range(1_000)) + b"<b/>" * 5_000 + b"</r>"
    parse(document)
    assert not are_too_many(etree.fromstring(document), document, 15, inclusive=True)
