"""Key files, notes, witnesses and authorities after power failures: each is there once whoever made it was told so."""

from security.audit.witness import own_key
from security.keys import NAMES, KeyRing
from tests.test_power.failing import Programs


def test_keys_are_there_once_they_were_made(programs: Programs) -> None:
    programs.run(
        """
from datetime import timedelta
from security.keys import KeyRing

ring = KeyRing.create(live / "of" / "keys")
tell({key.id: str(key.material) for key in ring.all()})
ring.rotate("log", overlap=timedelta(0))
tell({key.id: str(key.material) for key in ring.all()})
"""
    )
    for told, state in programs.failures(4, 1):
        there = {key.id: str(key.material) for key in KeyRing(state / "of" / "keys").all()}
        assert told[-1].items() <= there.items()
    assert [len(each) for _, each in programs.told] == [len(NAMES), len(NAMES) + 1]


def test_a_file_is_the_old_one_or_the_new_one(programs: Programs) -> None:
    programs.run(
        """
from security.files import write_whole

for number in range(6):
    write_whole(live / "note", b"%d" % number * 5000, 0o600)
    tell(number)
"""
    )
    for told, state in programs.failures(4, 1):
        content = (state / "note").read_bytes()
        assert content in {b"%d" % number * 5000 for number in (told[-1], told[-1] + 1)}
    assert len(programs.told) == 6


def test_a_witness_stays_who_it_is(programs: Programs) -> None:
    programs.run(
        """
from security.audit.witness import own_key

tell(own_key(live / "of" / "witness", "witness.example/w", "").verifier.encode())
(live / "more").write_bytes(b"")
"""
    )
    for (key,), state in programs.failures(20, 1):
        assert own_key(state / "of" / "witness", None, "another").verifier.encode() == key
    assert len(programs.told) == 1


def test_an_authority_is_there_once_it_was_made(programs: Programs) -> None:
    programs.run(
        """
from datetime import UTC, datetime, timedelta
from security.hierarchy import Hierarchy
from security.office import Office

office = Office("An office")
lasting = {"root": timedelta(days=3650), "issuing": timedelta(days=1825)}
Hierarchy.create(live / "of" / "ca", office, lasting, datetime.now(UTC))
tell(sorted(path.name for path in (live / "of" / "ca").iterdir()))
(live / "more").write_bytes(b"")
"""
    )
    for (names,), state in programs.failures(20, 1):
        there = state / "of" / "ca"
        assert sorted(path.name for path in there.iterdir()) == names
        assert all(path.stat().st_size for path in there.glob("*.pem"))
    assert len(programs.told) == 1
