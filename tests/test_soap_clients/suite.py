"""What is tried with every client; a module for each client says how it is asked and what it cannot tell apart."""

from typing import Any

import pytest

from routes.soap.names import OWN
from tests.test_soap_clients.calls import FAULTS, SERVICES
from tests.test_soap_clients.material import OPERATIONS, QUESTIONS, VERSIONS, Asked, Tree, pascal
from tests.test_soap_clients.verdicts import answered_as_rest, answered_less, refused

DATABASES = tuple(service for service in SERVICES if service != "me")


def elements(service: str) -> set[str]:
    """The operations of a contract by their names in it."""
    own = {pascal(name.partition("/")[2]) for name in OPERATIONS if name.partition("/")[0] == service}
    return own or set(OWN[service])


class Suite:
    """`done` is a fixture of the module: what the client's driver told of each call, by the id of the call."""

    HIDDEN = frozenset[str]()
    """Codes whose fault the client does not hand to its user, because of their HTTP status."""

    def blur(self, value: Any) -> Any:
        """Take away what this client cannot tell apart."""
        return value

    def problem(self, fault: Tree) -> Tree:
        """Return our Problem as the user of this client finds it in a fault."""
        raise NotImplementedError

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("kind", QUESTIONS)
    def test_an_answer_is_what_rest_says(
        self, done: dict[str, Tree], rest: dict[str, Any], asked: dict[str, Asked], kind: str, version: str
    ) -> None:
        # Over SOAP 1.1 with Basic, over 1.2 with a token.
        answered_as_rest(done[f"{kind} {version}"]["answer"], rest[kind], asked[kind], self.blur)

    @pytest.mark.parametrize("service", DATABASES)
    def test_a_certificate_identifies_the_caller(
        self, done: dict[str, Tree], rest: dict[str, Any], asked: dict[str, Asked], service: str
    ) -> None:
        kind = next(kind for kind in OPERATIONS if kind.partition("/")[0] == service)
        answered_as_rest(done[f"mtls {service}"]["answer"], rest[kind], asked[kind], self.blur)

    def test_less_is_told_than_is_granted(self, done: dict[str, Tree], rest: dict[str, Any]) -> None:
        answered_less(done["less"]["answer"], rest["population/person"], self.blur)

    def test_http_headers_say_what_header_blocks_say(
        self, done: dict[str, Tree], rest: dict[str, Any], asked: dict[str, Asked]
    ) -> None:
        answered_as_rest(done["http"]["answer"], rest["population/person"], asked["population/person"], self.blur)

    def test_who_asks_what_it_may_ask_is_told(self, done: dict[str, Tree]) -> None:
        answer = done["me"]["answer"]
        assert answer["clientId"] == "ministry"
        grants = answer["grants"]["item"] if isinstance(answer["grants"], dict) else answer["grants"]
        assert {(grant["database"], grant["element"]) for grant in grants} == {
            (service, element) for service in DATABASES for element in elements(service)
        }

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("code", FAULTS)
    def test_a_fault_says_our_code(self, done: dict[str, Tree], code: str, version: str) -> None:
        fault = done[f"{code} {version}"]["fault"]
        if code in self.HIDDEN:
            assert "401" in str(fault) or "HTTP" in str(fault)
        else:
            refused(self.problem(fault), code)
