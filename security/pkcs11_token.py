"""Tokens behind PKCS#11 modules (thiết bị lưu khoá, HSM): one log-in for each in a process, renewed where it was lost.

A module is started without leave to take locks, so that one thread at a time may call it (PKCS#11 2.40, 5.4): whatever
is asked of it holds its `lock`, and who must not wait asks in its `thread`. Nothing is started before it is used, which
in `serve` is after the fork; a child that inherits a started module starts it anew.

A wrong PIN is tried once. Many tokens lock themselves after a few: where the last try, of this process or of anybody
else, was wrong, nobody here tries again by itself.

The package python-pkcs11 is optional; this module is imported where a key is on a token, and nowhere else.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, TypeVar

import pkcs11

from config.pkcs11_uri import Pkcs11Uri
from security.private_files import KeyRefused, check_way
from security.signature_key import KeySilent

if TYPE_CHECKING:
    from pkcs11._pkcs11 import lib as Library  # noqa: N812

T = TypeVar("T")

# After a token was asked in vain, nobody asks for so long (seconds): each try may cost the time-out of its module.
_REST = 1.0
# Keys that are loaded together, as those of one configuration, share a session that is no older.
_FRESH = 5.0
# How long to wait, and how often to look, while another process logs in.
_PATIENCE, _LOOK = 10.0, 0.02


class _Absent(KeyRefused):
    """The token is in no slot, or its module does not work: either may change while this process runs."""


class Module:
    """One PKCS#11 library, started once in a process; `starts` counts how often it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.starts = 0
        self._stale = False
        self._alone()

    def loaded(self) -> "Library":
        """The started library; KeyRefused if there is none."""
        try:
            found = pkcs11.lib(str(self.path))
            if self._stale:
                with suppress(pkcs11.PKCS11Error):
                    found.finalize()
                found.initialize()
                self._stale = False
        except pkcs11.PKCS11Error as error:
            text = f"{self.path} does not work as a PKCS#11 module ({said(error)})"
            raise _Absent(text, "correct module-path, or see the manual of the module") from None
        return found

    def renew(self) -> None:
        """Have the library started anew before its next use, which ends every session with every token behind it."""
        self._stale = True
        self.starts += 1

    def after_fork(self) -> None:
        """Give up what belongs to the parent: its sessions, its thread, a lock that one of its threads may hold."""
        self.renew()
        self._alone()

    def _alone(self) -> None:
        self.lock = RLock()
        self.thread: Executor = ThreadPoolExecutor(1, "pkcs11")


class Login:
    """The session of this process with one token; everything in it is done under the lock of the module."""

    def __init__(self, module: Module, uri: Pkcs11Uri) -> None:
        self.module = module
        self.name = f"token {uri.token or uri.serial or f'in slot {uri.slot_id}'}"
        self.pin: str | None = None
        self._uri = uri
        # A PIN that the token took, and one that it did not.
        self._good: str | None = None
        self._wrong: str | None = None
        self._session: pkcs11.Session | None = None
        self._starts = 0
        self._since = 0.0
        self._rest: tuple[float, Exception] | None = None

    def use(self, pin: str | None) -> None:
        """Take this PIN from now on (None: none is needed), in a session that began a moment ago or is still to begin.

        Whoever loads keys wants to know that the PIN is right now, and a search in a session that died is not ended
        properly by the package. KeyRefused.
        """
        with self.module.lock:
            if self._session is None:
                self.pin = pin
            elif pin != self.pin:
                self.pin, self._session = pin, None
                # Some modules keep what they know of the old one as long as they run.
                self.module.renew()
            elif time.monotonic() - self._since > _FRESH:
                with suppress(pkcs11.PKCS11Error):
                    # This logs out, too.
                    self._session.close()
                self._session = None

    def ask(self, question: Callable[[pkcs11.Session], T]) -> T:
        """What `question` returns in a session with the token.

        Where it meets an error of the module it is asked again in a new session, and then once more after the module
        was started anew. KeySilent if that does not help; KeyRefused for what time does not mend.
        """
        with self.module.lock:
            if self._rest is not None and time.monotonic() < self._rest[0]:
                raise self._rest[1]
            failure: Exception = KeySilent(self.name)
            for session in (self._present, self._opened, self._restarted):
                try:
                    answer = question(session())
                except _Absent as error:
                    failure = error
                except pkcs11.PKCS11Error as error:
                    failure = KeySilent(f"{self.name} does not answer ({said(error)})")
                else:
                    self._rest = None
                    return answer
                self._session = None
            self._rest = time.monotonic() + _REST, failure
            raise failure

    def _present(self) -> pkcs11.Session:
        session = self._session if self._starts == self.module.starts else None
        return session or self._opened()

    def _restarted(self) -> pkcs11.Session:
        self.module.renew()
        return self._opened()

    def _opened(self) -> pkcs11.Session:
        check_way(self.module.path)
        with _only_one(self.module.path):
            token = self._token(self.module.loaded())
            session = token.open() if self.pin is None else self._logged_in(token, self.pin)
        self._session, self._starts, self._since = session, self.module.starts, time.monotonic()
        return session

    def _token(self, library: "Library") -> pkcs11.Token:
        present: list[pkcs11.Token] = []
        for slot in library.get_slots(token_present=True):
            with suppress(pkcs11.TokenNotPresent, pkcs11.TokenNotRecognised):
                present.append(slot.get_token())
        found = [token for token in present if _matches(token, self._uri)]
        if len(found) > 1:
            raise KeyRefused(f"{self.name}: several tokens are called so", "add serial= to the URI")
        if not found:
            others = ", ".join(sorted({token.label for token in present if token.label})) or "none"
            step = f"insert it or correct the URI; see `pkcs11-tool --module {self.module.path} --list-token-slots`"
            raise _Absent(f"{self.name} is in no slot (there: {others})", step)
        return found[0]

    def _logged_in(self, token: pkcs11.Token, pin: str) -> pkcs11.Session:
        self._beware(token.flags, pin)
        try:
            session = token.open(user_pin=pin)
        except pkcs11.UserAlreadyLoggedIn:
            session = token.open()
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
            self._wrong = pin
            raise self._wrong_pin() from None
        except (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized) as error:
            step = "set a new PIN with the tool of the token's maker, then give it here"
            raise KeyRefused(f"{self.name} takes no PIN ({said(error)})", step) from None
        self._good, self._wrong = pin, None
        return session

    def _beware(self, flags: pkcs11.TokenFlag, pin: str) -> None:
        """Refuse a try that could bring the token nearer to locking itself."""
        if pin == self._wrong:
            raise self._wrong_pin()
        flag = pkcs11.TokenFlag
        if flags & flag.USER_PIN_LOCKED:
            step = "unlock it with the security officer's PIN"
            raise KeyRefused(f"{self.name} is locked: too many wrong PINs were tried", step)
        risky = flag.USER_PIN_FINAL_TRY if pin == self._good else flag.USER_PIN_FINAL_TRY | flag.USER_PIN_COUNT_LOW
        if flags & risky:
            by_hand = f"pkcs11-tool --module {self.module.path} --token-label {self._uri.token or '...'} --login -O"
            raise KeyRefused(
                f"{self.name}: the last PIN that somebody tried was wrong, and a few such tries lock it",
                f"make sure of the PIN, log in once by hand (`{by_hand}`), then try again",
            )

    def _wrong_pin(self) -> KeyRefused:
        step = "correct the PIN where key_pin or pin-source names it; this one is not tried again"
        return KeyRefused(f"{self.name}: the PIN is wrong", step)


def said(error: pkcs11.PKCS11Error) -> str:
    """What a module answered, in a word or two."""
    return str(error) if type(error) is pkcs11.PKCS11Error else type(error).__name__


def _matches(token: pkcs11.Token, uri: Pkcs11Uri) -> bool:
    told = (
        (uri.token, token.label),
        (uri.serial, token.serial.decode("utf-8", "replace")),
        (uri.manufacturer, token.manufacturer_id),
        (uri.model, token.model),
        (uri.slot_id, token.slot.slot_id),
    )
    return all(wanted is None or wanted == there for wanted, there in told)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Keep other processes from starting the module and logging in meanwhile.

    What one learns about a PIN must be seen by the next; and SoftHSM overlooks a token that another process writes to.
    """
    with path.open("rb") as held:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise KeyRefused(f"another process holds {path}", f"find it with `fuser {path}`") from None
                time.sleep(_LOOK)
        yield


_modules: dict[Path, Module] = {}
_logins: dict[tuple[object, ...], Login] = {}


def login(uri: Pkcs11Uri) -> Login:
    """The log-in of this process at the token of a URI."""
    module = _modules.setdefault(uri.module, Module(uri.module))
    selected = (uri.module, uri.token, uri.serial, uri.manufacturer, uri.model, uri.slot_id)
    return _logins.setdefault(selected, Login(module, uri))


def _after_fork() -> None:
    for module in _modules.values():
        module.after_fork()


os.register_at_fork(after_in_child=_after_fork)
