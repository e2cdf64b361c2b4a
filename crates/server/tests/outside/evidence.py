"""What a client can check by itself about what it was given: lines, notes, proofs. Written from docs/spec alone."""
import base64
import hashlib
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LINK = re.compile(rb',"_prev_hash":"([0-9a-f]{64})","_hash":"([0-9a-f]{64})"\}\Z')
HEAD = re.compile(rb'\{"seq":(0|[1-9][0-9]*),"timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)"[,}]')


class Line:
    """One stored line without its line feed, its hash recomputed."""

    def __init__(self, raw):
        link, head = LINK.search(raw), HEAD.match(raw)
        assert link and head and b"\n" not in raw, f"not a record's line: {raw!r}"
        self.raw, self.entry = raw, raw[: link.start()] + b"}"
        self.seq, self.timestamp = int(head[1]), head[2].decode()
        self.prev, self.hash = link[1].decode(), link[2].decode()
        own = hashlib.sha256(self.prev.encode() + self.entry).hexdigest()
        assert own == self.hash, f"record {self.seq}: _hash is {self.hash}, the entry gives {own}"

    def leaf(self):
        return hashlib.sha256(b"\0" + bytes.fromhex(self.hash)).digest()

    def agrees(self, receipt):
        """`receipt` has seq, timestamp and hash, whichever protocol brought it."""
        said = (int(receipt["seq"]), receipt["timestamp"], receipt["hash"])
        assert said == (self.seq, self.timestamp, self.hash), f"receipt {said}, record {self.raw!r}"


def chained(lines):
    """The lines follow each other."""
    for before, line in zip(lines, lines[1:]):
        assert (line.seq, line.prev) == (before.seq + 1, before.hash), f"{line.seq} does not follow {before.seq}"
    return lines


def opened(note, key):
    """Size and root of a checkpoint that is signed by `key`, a verifier key of C2SP signed-note."""
    name, key_id, material = key.split("+", 2)
    material = base64.b64decode(material, validate=True)
    assert material[0] == 1 and hashlib.sha256(name.encode() + b"\n" + material).digest()[:4].hex() == key_id
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    assert text.startswith(name + "\n") and signatures.endswith("\n"), note
    good = 0
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob, validate=True)
        if dash == "\u2014" and signer == name and blob[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(blob[4:], text.encode())
            good += 1
    assert good == 1, f"{good} signatures by {name}: {note}"
    origin, size, root, *rest = text.split("\n")
    assert rest == [""], note
    return int(size), base64.b64decode(root, validate=True)


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def included(index, size, leaf, proof):
    """The root that an inclusion proof gives (RFC 9162, 2.1.3.2)."""
    assert 0 <= index < size, f"{index} of {size}"
    at, last, root = index, size - 1, leaf
    for sibling in proof:
        assert last, "the proof is too long"
        if at & 1 or at == last:
            root = node(sibling, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = node(root, sibling)
        at, last = at >> 1, last >> 1
    assert last == 0, "the proof is too short"
    return root


def grown(first, second, first_root, proof):
    """The root of size `second` that a consistency proof gives, once it gave `first_root` (RFC 9162, 2.1.4.2)."""
    assert 0 < first <= second
    if first == second:
        assert not proof
        return first_root
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        assert last, "the proof is too long"
        if at & 1 or at == last:
            old, new = node(sibling, old), node(sibling, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node(new, sibling)
        at, last = at >> 1, last >> 1
    assert last == 0 and old == first_root, "the proof does not begin at the first root"
    return new
