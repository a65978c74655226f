"""The text of a receipt is that of the receipt as a value."""

import json

from hypothesis import given
from hypothesis import strategies as st

from security.audit.receipt import Receipt

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
BYTES = st.binary(max_size=40)


@given(
    st.builds(Receipt, TEXT, st.integers(0, 2**53), BYTES, st.none() | BYTES, TEXT, st.integers(1), BYTES),
    st.none() | st.lists(BYTES, max_size=3),
)
def test_a_receipt_as_text_is_the_receipt_as_json(receipt: Receipt, proof: list[bytes] | None) -> None:
    encoded = json.dumps(receipt.as_json(proof), ensure_ascii=False, separators=(",", ":"))
    assert receipt.as_text(proof) == encoded
