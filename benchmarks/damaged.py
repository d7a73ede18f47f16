"""Damages a file, in ways that its reader gets as far as possible into it."""

import json
import struct
import zlib
from random import Random

_NUMBERS = (0, 1, 0x7F, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
_VALUES = (
    *(None, True, 0, -1, 1.5, 1e308, 2**31, 2**63, 10**400, 1e-320),
    *("", "x", "../../x", "/etc/passwd", "\ud800", "a\0b", [], {}, [[]], [None], {"a": {}}),
)
_HEAD = 2048  # where headers are: every other place is looked for there


def damaged(content: bytes, random: Random) -> bytes:
    if content[:1] in (b"{", b"[") and random.random() < 0.7:
        return json.dumps(_other_json(json.loads(content), random)).encode()
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 5, 20))):
        _damage(changed, random)
    is_png = content.startswith(b"\x89PNG")
    return _checked_again(bytes(changed)) if is_png and random.random() < 0.7 else bytes(changed)


def _damage(content: bytearray, random: Random) -> None:
    """One change, in place."""
    place = random.randrange(min(len(content), random.choice((_HEAD, len(content)))) or 1)
    length = int(2 ** random.uniform(0, 12))
    block = slice(place, place + length)
    match random.randrange(9):
        case 0 | 1:
            content[place : place + 1] = random.randbytes(1)
        case 2:
            content[place : place + 1] = (
                bytes((content[place] ^ 1 << random.randrange(8),)) if content else b""
            )
        case 3:
            size, order = random.choice("BHIQ"), random.choice("<>")
            number = random.choice(_NUMBERS) & (1 << 8 * struct.calcsize(size)) - 1
            packed = struct.pack(order + size, number)
            content[place : place + len(packed)] = packed
        case 4:
            del content[place:]
        case 5:
            del content[block]
        case 6:
            content[place:place] = content[block]
        case 7:
            content[block] = bytes(len(content[block]))
        case 8:
            other = random.randrange(len(content) or 1)
            content[block] = content[other : other + length]


def _other_json(document, random: Random):
    """The document with one to three of its values replaced, dropped or doubled."""
    for _ in range(random.choice((1, 1, 2, 3))):
        holder, key = None, None
        value = document
        while (
            isinstance(value, dict | list) and value and (holder is None or random.random() < 0.8)
        ):
            holder = value
            key = (
                random.choice(list(value))
                if isinstance(value, dict)
                else random.randrange(len(value))
            )
            value = value[key]
        if holder is None:
            return random.choice(_VALUES)
        how = random.randrange(4)
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, list):
            holder.insert(key, value)
        elif how == 2 and isinstance(value, int | float):
            holder[key] = random.choice((-value, value + 1, value * 1000, str(value), [value]))
        else:
            holder[key] = random.choice(_VALUES)
    return document


def _checked_again(png: bytes) -> bytes:
    """With the checksums that its chunks have now, which are looked at first."""
    parts, at = [png[:8]], 8
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        body = png[at + 4 : at + 8 + length]
        parts += [png[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join(parts)
