"""Key files, notes and archives after power failures: each is there whole once whoever made it was told so."""

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
