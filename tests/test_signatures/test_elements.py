"""Parts of trusted elements are found by their plain names, level by level."""

import pytest

from security.elements import accept_unsigned, elements_at

DOCUMENT = (
    "<r xmlns='urn:a/b#[c]' xmlns:o='urn:o'><g><h>1</h><h>2</h></g><g/><o:g><h>no</h></o:g><g><h>3</h></g>"
    "<Tên-x.y>4</Tên-x.y><g xmlns=''><h>5</h></g></r>"
).encode()


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        (("g", "h"), ["1", "2", "3"]),
        (("Tên-x.y",), ["4"]),
        (("h",), []),
        (("none", "h"), []),
        (("g",), [None] * 3),
        ((), [None]),
    ],
)
def test_elements_at_a_path(path, texts):
    assert [one.text for one in elements_at(accept_unsigned(DOCUMENT), path, "{urn:a/b#[c]}")] == texts


def test_no_prefix_means_no_namespace():
    assert [one.text for one in elements_at(accept_unsigned(DOCUMENT), ("g", "h"))] == ["5"]
