#!/usr/bin/env python3
"""A second implementation of docs/format.md, written from that page: checks v1.json and csrf_v1.json against it.

    python3 check.py                compares, and says how many values agree
    python3 check.py --print NAME   prints the file NAME as this implementation would write it

Needs the package `cryptography` for AES.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = pathlib.Path(__file__).parent


# --- building blocks ---------------------------------------------------------------------------------


def pae(*pieces):
    return struct.pack("<Q", len(pieces)) + b"".join(struct.pack("<Q", len(p)) + p for p in pieces)


def mac(key, *pieces):
    return hmac.new(key, pae(*pieces), hashlib.sha256).digest()


def digest(*pieces):
    return hashlib.sha256(pae(*pieces)).digest()


def label(name):
    return b"cloakroom/v1/" + name.encode()


def subkey(secret, name, namespace, length=32):
    prk = hmac.new(label("extract"), secret, hashlib.sha256).digest()
    info = pae(label(name), namespace)
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()[:length]


def xaes_seal(key, nonce, plaintext, aad):
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    block = int.from_bytes(ecb.update(bytes(16)), "big")
    k1 = (block << 1) & ((1 << 128) - 1)
    if block >> 127:
        k1 ^= 0x87
    half = lambda n: ecb.update((int.from_bytes(bytes([0, n]) + b"X\0" + nonce[:12], "big") ^ k1).to_bytes(16, "big"))
    return AESGCM(half(1) + half(2)).encrypt(nonce[12:], plaintext, aad)


# --- MessagePack, in its shortest form ---------------------------------------------------------------


def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        if value < 0x80:
            return bytes([value])
        for marker, form, limit in (b"\xcc", ">B", 8), (b"\xcd", ">H", 16), (b"\xce", ">I", 32), (b"\xcf", ">Q", 64):
            if value < 1 << limit:
                return marker + struct.pack(form, value)
    if isinstance(value, str):
        raw = value.encode()
        return head(len(raw), (0xA0, 32), [0xD9, 0xDA, 0xDB]) + raw
    if isinstance(value, bytes):
        return head(len(value), None, [0xC4, 0xC5, 0xC6]) + value
    if isinstance(value, list):
        return head(len(value), (0x90, 16), [None, 0xDC, 0xDD]) + b"".join(map(pack, value))
    if isinstance(value, dict):
        pairs = b"".join(pack(k) + pack(v) for k, v in value.items())
        return head(len(value), (0x80, 16), [None, 0xDE, 0xDF]) + pairs
    raise TypeError(value)


def head(length, fixed, wide):
    if fixed and length < fixed[1]:
        return bytes([fixed[0] | length])
    for marker, form, limit in zip(wide, (">B", ">H", ">I"), (8, 16, 32)):
        if marker is not None and length < 1 << limit:
            return bytes([marker]) + struct.pack(form, length)
    raise ValueError(length)


def state_bytes(s):
    hash_ = bytes.fromhex
    login = s["login"]
    if login is not None:
        login = [login["principal"], login["fingerprint"] and hash_(login["fingerprint"]), dict(login["labels"])]
    predecessor = s["predecessor"]
    if predecessor is not None:
        predecessor = [hash_(predecessor["hash"]), predecessor["grace_ends"]]
    values = {k: hash_(v) for k, v in sorted(s["values"].items(), key=lambda pair: pair[0].encode())}
    extensions = {k: hash_(v) for k, v in sorted((int(k), v) for k, v in s["extensions"].items())}
    return pack(
        [
            1,
            s["revision"],
            s["generation"],
            s["created_at"],
            s["authenticated_at"],
            s["rotated_at"],
            s["renewed_at"],
            s["absolute_deadline"],
            s["idle"],
            s["idle_deadline"],
            s["lifetime_override"],
            login,
            hash_(s["secret_hash"]),
            predecessor,
            s["flags"],
            values,
            [hash_(flash) for flash in s["flashes"]],
            extensions,
        ]
    )


# --- the vectors -------------------------------------------------------------------------------------

SECRETS = [bytes(range(32)), bytes(range(32, 64))]
NAMESPACE = b"shop"
COOKIE = b"__Host-session"
HANDLE = bytes(range(0x40, 0x50))
SECRET = bytes(range(0x50, 0x60))
NONCE = bytes(range(0x60, 0x78))
PURPOSES = {"record": 1, "cookie": 2}


def token(secret_of_ring, cookie):
    signed = b"\x01" + subkey(secret_of_ring, "key-id", NAMESPACE, 4) + HANDLE + SECRET
    tag = mac(subkey(secret_of_ring, "token", NAMESPACE), label("token-mac"), NAMESPACE, cookie, signed)[:16]
    return base64.urlsafe_b64encode(signed + tag).decode().rstrip("=")


def envelope(secret_of_ring, purpose, context, plaintext):
    header = bytes([1, PURPOSES[purpose]]) + subkey(secret_of_ring, "key-id", NAMESPACE, 4)
    aad = pae(label("envelope-aad"), header, NAMESPACE, context)
    key = subkey(secret_of_ring, "payload-aead", NAMESPACE)
    body = header + NONCE + xaes_seal(key, NONCE, plaintext, aad)
    return body + mac(subkey(secret_of_ring, "payload-mac", NAMESPACE), label("envelope-mac"), aad, body)


def vectors():
    hash_ = digest(label("secret-hash"), NAMESPACE, HANDLE, SECRET)
    renewed = [mac(subkey(s, "renewal", NAMESPACE), label("renewal-secret"), HANDLE, SECRET)[:16] for s in SECRETS]
    store_key = digest(label("store-key"), NAMESPACE, HANDLE)
    fingerprint = digest(label("fingerprint-hash"), NAMESPACE, b"$argon2id$")
    small = {
        "revision": 0,
        "generation": 0,
        "created_at": 1700000000000,
        "authenticated_at": None,
        "rotated_at": None,
        "renewed_at": None,
        "absolute_deadline": 1700043200000,
        "idle": 1800000,
        "idle_deadline": None,
        "lifetime_override": None,
        "login": None,
        "secret_hash": hash_.hex(),
        "predecessor": None,
        "flags": 0,
        "values": {"visits": "01"},
        "flashes": [],
        "extensions": {},
    }
    large = {
        "revision": 300,
        "generation": 2,
        "created_at": 1700000000000,
        "authenticated_at": 1700000001000,
        "rotated_at": 1700000002000,
        "renewed_at": 1700000003000,
        "absolute_deadline": 1700043200000,
        "idle": 1800000,
        "idle_deadline": 1700001800000,
        "lifetime_override": 2592000000,
        "login": {"principal": "ada", "fingerprint": fingerprint.hex(), "labels": [["device", "phone"], ["city", "Köln"]]},
        "secret_hash": hash_.hex(),
        "predecessor": {"hash": digest(label("secret-hash"), NAMESPACE, HANDLE, renewed[0]).hex(), "grace_ends": 1700000063000},
        "flags": (1 << 63) + 1,
        "values": {
            "visits": pack(70000).hex(),
            "cart": pack({"items": ["hat", "𝄞"], "total": 1999}).hex(),
            "n" * 40: pack(None).hex(),
            "schlüssel": pack("x" * 300).hex(),
        },
        "flashes": [pack("saved").hex(), pack(["info", 1]).hex()],
        "extensions": {"7": "", "258": "0102ff"},
    }
    states = [{"fields": s, "bytes": state_bytes(s).hex()} for s in (small, large)]
    return {
        "secrets": [s.hex() for s in SECRETS],
        "namespace": NAMESPACE.decode(),
        "cookie_name": COOKIE.decode(),
        "handle": HANDLE.hex(),
        "secret": SECRET.hex(),
        "subkeys": [
            {
                "key-id": subkey(s, "key-id", NAMESPACE, 4).hex(),
                **{
                    name: subkey(s, name, NAMESPACE).hex()
                    for name in ("payload-aead", "payload-mac", "token", "renewal", "principal-index")
                },
            }
            for s in SECRETS
        ],
        "tokens": [token(s, COOKIE) for s in SECRETS],
        "renewed": [r.hex() for r in renewed],
        "store_key": store_key.hex(),
        "secret_hash": hash_.hex(),
        "principal": "ada",
        "principal_tags": [mac(subkey(s, "principal-index", NAMESPACE), label("principal-tag"), b"ada").hex() for s in SECRETS],
        "fingerprint": "$argon2id$",
        "fingerprint_hash": fingerprint.hex(),
        "states": states,
        "envelopes": [
            {
                "sealed_by": sealed_by,
                "purpose": purpose,
                "context": context.hex(),
                "nonce": NONCE.hex(),
                "plaintext": plaintext,
                "bytes": envelope(SECRETS[sealed_by], purpose, context, bytes.fromhex(plaintext)).hex(),
            }
            for sealed_by, purpose, context, plaintext in (
                (0, "record", store_key, states[0]["bytes"]),
                (1, "record", store_key, states[1]["bytes"]),
                (0, "cookie", COOKIE, states[0]["bytes"]),
                (0, "record", b"", ""),
            )
        ],
    }


SESSION = bytes(range(0x80, 0x90))
GENERATION = 0x0102030405060708
CSRF_NONCE = bytes(range(0x90, 0xA0))


def csrf_token(secret_of_ring):
    signed = b"\x01" + subkey(secret_of_ring, "key-id", NAMESPACE, 4) + CSRF_NONCE
    tag = mac(subkey(secret_of_ring, "csrf", NAMESPACE), label("csrf-token"), NAMESPACE, SESSION, struct.pack(">Q", GENERATION), signed)[:16]
    return base64.urlsafe_b64encode(signed + tag).decode().rstrip("=")


def csrf_vectors():
    return {
        "secrets": [s.hex() for s in SECRETS],
        "namespace": NAMESPACE.decode(),
        "subkeys": [subkey(s, "csrf", NAMESPACE).hex() for s in SECRETS],
        "session": SESSION.hex(),
        "generation": GENERATION,
        "nonce": CSRF_NONCE.hex(),
        "tokens": [csrf_token(s) for s in SECRETS],
    }


FILES = {"v1.json": vectors, "csrf_v1.json": csrf_vectors}


def leaves(value, path=""):
    if isinstance(value, (dict, list)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from leaves(inner, f"{path}/{key}")
    else:
        yield path, value


if __name__ == "__main__":
    if sys.argv[1:2] == ["--print"]:
        print(json.dumps(FILES[sys.argv[2]](), indent=2, ensure_ascii=False))
        sys.exit()
    for name, vectors_of in FILES.items():
        theirs = dict(leaves(json.loads((HERE / name).read_text(encoding="utf-8"))))
        ours = dict(leaves(vectors_of()))
        differing = [path for path in ours.keys() | theirs.keys() if ours.get(path, ...) != theirs.get(path, ...)]
        if differing:
            sys.exit("\n".join(f"{name} differs: {path}" for path in sorted(differing)))
        print(f"{name}: {len(ours)} values agree")
