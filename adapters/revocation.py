"""Keeping known what was revoked (tình trạng thu hồi): fetched ahead of its end, and at once for what was never seen.

Each worker has one keeper. They share what is fetched through files, and only one of them fetches at a time. What comes
in counts in a worker as soon as it has read it: at the latest `POLL` seconds after another one wrote it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import structlog

from adapters.revocation_fetch import Fetcher, Unfetched
from adapters.revocation_files import RETRY, Freshness, Kept, KeptFiles, name_of
from adapters.trust_domains import TrustDomains
from config.metrics import metrics
from config.settings import Revocation
from security.signature import utc_now
from security.trust_ocsp import question
from security.trust_revocation import parse_list, read_lists
from security.trust_status import Source, StatusRegister, Subject, Unsettled

log = structlog.get_logger()

POLL = 0.5
"""Seconds between two looks at what other processes fetched."""
_REFRESH = 5.0
_SILENCE = timedelta(seconds=4 * RETRY)
"""How long nobody's answer is waited for again; asked again it is all the while, in the background."""
_USELESS_AFTER = 8 * 86_400.0
_NONCE = 16

_Outcome = Literal["fetched", "unfetched", "unusable"]
_Learning = tuple[StatusRegister, tuple[bytes, int]]


class RevocationKeeper:
    """Keeps the registers of all trust domains filled; belongs to one event loop."""

    def __init__(
        self,
        domains: TrustDomains,
        settings: Revocation,
        *,
        fetcher: Fetcher | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._domains = domains
        self._settings = settings
        self._fetcher = fetcher or Fetcher(settings)
        self._clock = clock
        self._files = KeptFiles(settings.directory)
        self._fresh = Freshness(settings.refresh, clock)
        self._given: dict[tuple[str, Path], tuple[int, int, int]] = {}
        self._learning: dict[_Learning, asyncio.Task[None]] = {}
        self._silent: set[tuple[bytes, int]] = set()
        self._reading = asyncio.Lock()
        self._needed = bool(domains.registers())

    @property
    def domains(self) -> TrustDomains:
        """The trust domains that are in force."""
        return self._domains

    async def begin(self) -> None:
        """Read what is there from before; raises OSError where `[revocation] directory` cannot be made or used."""
        if self._needed:
            await asyncio.to_thread(self._files.make)
            await asyncio.to_thread(self._fill, self._domains)

    async def settle(self, unknown: Unsettled, deadline: float) -> None:
        """Find out about certificates, as far as that succeeds before `deadline` (event loop clock, seconds).

        All who wait for one certificate share the asking; it goes on when nobody waits any more.
        """
        clock = asyncio.get_running_loop().time
        # What is left of the time is needed for the verdict.
        until = deadline - 0.02
        # Whoever waits judges by the register that is in force at the end. A reload puts another one there, which is
        # told by the files what the first one heard, and asks nobody who was asked.
        name = unknown.register.name
        register, told = self._in_force(name), None
        while register is not None and register is not told:
            tasks = [self._learn_once(register, subject) for subject in unknown.subjects]
            _, late = await asyncio.wait(tasks, timeout=max(0.0, until - clock()))
            if late:
                return
            register, told = self._in_force(name), register

    async def prepare(self, domains: TrustDomains) -> None:
        """Tell new domains everything that is known; `take` puts them in force."""
        old = self._domains.registers()
        for name, register in domains.registers().items():
            if name in old:
                register.inherit(old[name])
        if self._needed:
            async with self._reading:
                self._files.forget()
                await asyncio.to_thread(self._fill, domains)

    def take(self, domains: TrustDomains) -> None:
        """Keep these domains from now on instead."""
        self._domains = domains
        # What came in since `prepare` was told to the old ones only.
        self._forget_files()

    async def follow(self) -> None:
        """Read what others fetched and fetch what comes to its end, until cancelled."""
        if self._needed:
            await asyncio.gather(_again_and_again(self._read, POLL), _again_and_again(self._refresh, _REFRESH))

    async def close(self) -> None:
        """Give up what is being asked."""
        for task in list(self._learning.values()):
            task.cancel()
        if self._learning:
            await asyncio.wait(list(self._learning.values()))

    def _in_force(self, name: str) -> StatusRegister | None:
        return self._domains.registers().get(name)

    async def _read(self) -> None:
        async with self._reading:
            told = None
            while told is not self._domains:
                if told is not None:
                    # `take` came in between: what was read since then was told to the old ones only.
                    self._forget_files()
                told = self._domains
                await asyncio.to_thread(self._read_changed, told)

    def _read_changed(self, domains: TrustDomains) -> None:
        self._fill(domains)
        for register in domains.registers().values():
            for path in domains.lists.get(register.name, ()):
                self._read_given(register, path)

    def _forget_files(self) -> None:
        self._files.forget()
        self._given.clear()

    def _read_given(self, register: StatusRegister, path: Path) -> None:
        """Take a list that the operator renewed; one that is half written is read again when it has grown."""
        try:
            facts = path.stat()
            mark = facts.st_ino, facts.st_mtime_ns, facts.st_size
        except OSError:
            mark = 0, 0, 0
        if self._given.get((register.name, path)) == mark:
            return
        self._given[register.name, path] = mark
        try:
            for crl in read_lists(path):
                register.take_list(crl)
        except (OSError, ValueError) as failure:
            log.warning("revocation-list-unusable", path=str(path), hint=str(failure))

    def _fill(self, domains: TrustDomains) -> None:
        for kept in self._files.changed():
            self._tell(kept, domains)

    def _tell(self, kept: Kept, domains: TrustDomains) -> None:
        """Give a file to every domain; only the one that its signer belongs to takes it."""
        for register in domains.registers().values():
            with suppress(ValueError):
                if kept.name.endswith(".crl"):
                    crl = parse_list(kept.body)
                    register.take_list(crl, kept.body)
                    until = crl.next_update_utc
                else:
                    until = register.take_answer(kept.body).until
                self._fresh.note(kept.name, kept.fetched_at, until or self._clock())
                return
        if time.time() - kept.fetched_at > _USELESS_AFTER:
            self._files.remove(kept.name)

    async def _refresh(self) -> None:
        asked: list[Coroutine[Any, Any, None]] = []
        for register in self._domains.registers().values():
            lists = (Source("crl", url) for url in register.policy.list_urls)
            asked += [self._fetch(register, one, None) for one in lists if self._fresh.due(name_of(one, None))]
            wanting = [subject for subject in register.asked_about() if self._wanting(register, subject)]
            asked += [_ended(self._learn_once(register, subject)) for subject in wanting]
        await asyncio.gather(*asked)

    def _wanting(self, register: StatusRegister, subject: Subject) -> bool:
        """Whether something has to be fetched so that a certificate stays known."""
        for source in register.sources(subject):
            file = name_of(source, subject)
            if self._fresh.due(file):
                return True
            if self._fresh.current(file) and register.known(subject, self._clock()):
                return False
        return not register.known(subject, self._clock())

    def _learn_once(self, register: StatusRegister, subject: Subject) -> asyncio.Task[None]:
        key = register, subject.mark
        task = self._learning.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._learn(register, subject))
            self._learning[key] = task
            task.add_done_callback(partial(self._learnt, key))
        return task

    def _learnt(self, key: _Learning, task: asyncio.Task[None]) -> None:
        self._learning.pop(key, None)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("revocation-keeping-failed", exc_info=failure)

    async def _learn(self, register: StatusRegister, subject: Subject) -> None:
        """Ask one after the other until there is a current word about a certificate, or nobody is left to ask.

        Ends early where a reload put another register in force: who waits goes on with that.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * self._settings.timeout):
                for source in register.sources(subject):
                    file = name_of(source, subject)
                    # What is not due may have been told to the register of before a reload: then it is in the file.
                    if self._fresh.due(file) or not register.known(subject, self._clock()):
                        await self._fetch(register, source, subject)
                    known = self._fresh.current(file) and register.known(subject, self._clock())
                    if known or self._in_force(register.name) is not register:
                        break
        if self._in_force(register.name) is not register:
            return
        mark = subject.mark
        if register.known(subject, self._clock()):
            if mark in self._silent:
                self._silent.discard(mark)
                log.info(
                    "revocation-known-again", domain=register.name, serial=f"{subject.certificate.serial_number:x}"
                )
            return
        register.silent(subject, self._clock() + _SILENCE)
        if mark not in self._silent:
            self._silent.add(mark)
            log.warning(
                "revocation-unknown",
                domain=register.name,
                serial=f"{subject.certificate.serial_number:x}",
                policy=register.policy.when_silent,
                hint="see the addresses that could not be asked, or give lists as files",
            )

    async def _fetch(self, register: StatusRegister, source: Source, subject: Subject | None) -> None:
        """Ask one address and keep what it says; nothing is kept that proves nothing."""
        file = name_of(source, subject)
        outcome: _Outcome = "fetched"
        hint = ""
        try:
            async with self._files.alone(file):
                # While we waited for our turn, another process may have asked.
                await self._read()
                if not self._fresh.due(file):
                    return
                await self._ask(register, source, subject, file)
        except Unfetched as failure:
            outcome, hint = "unfetched", str(failure)
        except (ValueError, OSError) as failure:
            outcome, hint = "unusable", str(failure)
        metrics().revocation_fetches.labels(register.name, source.kind, outcome).inc()
        if outcome == "fetched":
            self._fresh.succeeded(file)
        elif self._fresh.failed(file):
            log.warning("revocation-not-fetched", domain=register.name, kind=source.kind, url=source.url, hint=hint)

    async def _ask(self, register: StatusRegister, source: Source, subject: Subject | None, file: str) -> None:
        if source.kind == "ocsp" and subject is not None:
            nonce = secrets.token_bytes(_NONCE)
            asked = question(subject.certificate, subject.issuer, nonce)
            body = await self._fetcher.fetch_answer(source.url, asked)
            until = (await asyncio.to_thread(register.take_answer, body, subject, nonce=nonce)).until
        else:
            body = await self._fetcher.fetch_list(source.url)
            until = await asyncio.to_thread(_taken, register, body)
        await asyncio.to_thread(self._files.write, file, body)
        self._fresh.note(file, time.time(), until)
        if until <= self._clock():
            raise ValueError("what came is out of date")


def _taken(register: StatusRegister, body: bytes) -> datetime:
    crl = parse_list(body)
    register.take_list(crl, body)
    return crl.next_update_utc or datetime.min.replace(tzinfo=UTC)


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])


async def _again_and_again(work: Callable[[], Coroutine[Any, Any, None]], pause: float) -> None:
    while True:
        try:
            await work()
        except Exception as failure:
            log.error("revocation-keeping-failed", exc_info=failure)
        await asyncio.sleep(pause)
