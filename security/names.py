"""Distinguished names (tên phân biệt, X.501) and their form as text (RFC 4514): reading, writing, unseen characters."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

_LONGEST: Final = 4096
_TYPE: Final = re.compile(r" *(?:OID\.)?([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+) *= *", re.ASCII)
_VALUE: Final = re.compile(r'(?:[^\\"+,;<>\0]|\\(?:[\\ #=\"+,;<>]|[0-9a-fA-F]{2}))*')
_ESCAPE: Final = re.compile(r"\\(?:([\\ #=\"+,;<>])|([0-9a-fA-F]{2}(?:\\[0-9a-fA-F]{2})*))")
_WRITTEN: Final = {NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier"}
# Those of RFC 4514 and RFC 4519, and what OpenSSL, Java and .NET write; small and capital letters do not matter.
_TYPES: Final = {
    "BUSINESSCATEGORY": NameOID.BUSINESS_CATEGORY,
    "C": NameOID.COUNTRY_NAME,
    "CN": NameOID.COMMON_NAME,
    "COMMONNAME": NameOID.COMMON_NAME,
    "COUNTRYNAME": NameOID.COUNTRY_NAME,
    "DC": NameOID.DOMAIN_COMPONENT,
    "DNQUALIFIER": NameOID.DN_QUALIFIER,
    "E": NameOID.EMAIL_ADDRESS,
    "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
    "GIVENNAME": NameOID.GIVEN_NAME,
    "GN": NameOID.GIVEN_NAME,
    "L": NameOID.LOCALITY_NAME,
    "LOCALITYNAME": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "ORGANIZATIONIDENTIFIER": NameOID.ORGANIZATION_IDENTIFIER,
    "ORGANIZATIONNAME": NameOID.ORGANIZATION_NAME,
    "ORGANIZATIONALUNITNAME": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "POSTALCODE": NameOID.POSTAL_CODE,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "SN": NameOID.SURNAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "STATEORPROVINCENAME": NameOID.STATE_OR_PROVINCE_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "SURNAME": NameOID.SURNAME,
    "T": NameOID.TITLE,
    "TITLE": NameOID.TITLE,
    "UID": NameOID.USER_ID,
    "USERID": NameOID.USER_ID,
}


def name_of(text: str) -> x509.Name:
    """Read a name in the form of RFC 4514, also as Java, .NET and OpenSSL write it; raises ValueError.

    They have short names of their own, and write spaces behind commas. What is raised says which part is wrong and
    quotes no value, since subjects of persons hold their numbers. A text of thousands of parts is nobody's name.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long for a name")
    if not text:
        return x509.Name([])
    levels: list[list[x509.NameAttribute[str | bytes]]] = [[]]
    at = number = 0
    while True:
        number += 1
        try:
            attribute, at = _attribute(text, at)
        except ValueError as error:
            raise ValueError(f"its part {number} {error}") from None
        levels[-1].append(attribute)
        if at == len(text):
            return x509.Name([x509.RelativeDistinguishedName(level) for level in reversed(levels)])
        if text[at] == ",":
            levels.append([])
        at += 1


def written(name: x509.Name) -> str:
    """Return a name in the form of RFC 4514 that `name_of` reads, what cannot be seen in it escaped."""
    return visible(name.rfc4514_string(_WRITTEN))


def attribute_of(oid: ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    """Return a part of a name, however long: the library counts bytes of UTF-8, X.520 characters."""
    return x509.NameAttribute(oid, value, _validate=False)


def unseen(text: str) -> str | None:
    """Return the first character that nobody sees and that makes text look like another: controls, directions."""
    return next((one for one in text if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")), None)


def visible(text: str) -> str:
    """Return a text with its unseen characters as the pairs of digits of RFC 4514, 2.4."""
    if unseen(text) is None:
        return text
    return "".join(
        one if unseen(one) is None else "".join(f"\\{octet:02X}" for octet in one.encode("utf-8", "surrogatepass"))
        for one in text
    )


def _attribute(text: str, at: int) -> tuple[x509.NameAttribute[str | bytes], int]:
    """Read one part; return it and where it ends. ValueError says the rest of a sentence."""
    kind = _TYPE.match(text, at)
    if kind is None:
        raise ValueError("does not begin with a type and =, such as O=")
    oid = _TYPES.get(kind[1].upper())
    if oid is None and not kind[1][0].isdigit():
        raise ValueError(f"has the unknown type {kind[1][:40]}: write its number, as 2.5.4.97=")
    found = _VALUE.match(text, kind.end())
    raw, end = ("", kind.end()) if found is None else (found[0], found.end())
    if end < len(text) and text[end] not in ",+":
        raise ValueError(f"({kind[1][:40]}) has {text[end]!r} without a backslash before it")
    if not raw and oid == NameOID.COMMON_NAME:
        # The other types are empty in certificates of some authorities, against X.520.
        raise ValueError("(CN) is empty")
    try:
        return attribute_of(oid or ObjectIdentifier(kind[1]), _value(raw)), end
    except ValueError:
        raise ValueError(f"({kind[1][:40]}) has a number or an escape that stands for nothing") from None


def _value(raw: str) -> str:
    if raw.startswith("#"):
        return bytes.fromhex(raw[1:]).decode()
    bare = raw.rstrip(" ")
    if bare != raw and (len(bare) - len(bare.rstrip("\\"))) % 2:
        # The first of the spaces is escaped.
        bare += " "
    return _ESCAPE.sub(lambda one: one[1] or bytes.fromhex(one[2].replace("\\", "")).decode(), bare)
