"""Signed notes, checkpoints, proofs and tiles, as c2sp.org and RFC 6962 have them. Written anew from those documents."""

import base64
import binascii
import hashlib
import re

import ed25519


class Refused(Exception):
    """A check failed: its name, a sentence, and the first bad row where there is one."""

    def __init__(self, check, message, seq=None):
        super().__init__(message)
        self.check, self.message, self.seq = check, message, seq


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


EMPTY_ROOT = sha256(b"")


def from_base64(text):
    """Decodes strict base64, or gives None: one text for one value."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode("ascii") == text else None


def from_utf8(data):
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return None
    return None if "\ufffd" in text else text


def decimal(text):
    if not re.fullmatch(r"0|[1-9][0-9]{0,15}", text):
        return None
    value = int(text)
    return value if value < 2**53 else None


_KEY_NAME = re.compile(r"[^\s+\x00-\x1f\x7f-\x9f]{1,256}")


class Key:
    """A verifier key `name+id+base64`, split at the first two plus signs only: base64 may hold more. `until N` behind it: retired at N rows."""

    def __init__(self, text):
        text, until, last = text.strip().partition(" until ")
        self.last_size = decimal(last) if until else None
        if until and self.last_size is None:
            raise Refused("key-format", "Behind until there is no number of rows")
        parts = text.split("+", 2)
        typed = from_base64(parts[2]) if len(parts) == 3 else None
        if typed is None or len(typed) != 33 or not _KEY_NAME.fullmatch(parts[0]):
            raise Refused("key-format", "The verifier key is not valid")
        if typed[0] not in (1, 4):
            raise Refused("key-format", "The verifier key is of an unknown type")
        self.name, self.id, self.text = parts[0], parts[1], text
        self.witness, self.public = typed[0] == 4, typed[1:]
        if sha256(self.name.encode() + b"\n" + typed)[:4].hex() != self.id:
            raise Refused("key-format", "The verifier key's id does not belong to its name and key")

    def verifies(self, text, signature):
        if not self.witness:
            return len(signature) == 64 and ed25519.verify(self.public, text.encode(), signature)
        if len(signature) != 72:
            return False
        time = int.from_bytes(signature[:8], "big")
        return ed25519.verify(self.public, f"cosignature/v1\ntime {time}\n{text}".encode(), signature[8:])


def signature_ids(note):
    """Gives name and key id of each signature line of a note that open_note accepts."""
    lines = note[note.rfind("\n\n") + 2 : -1].split("\n")
    return [(parts[1], from_base64(parts[2])[:4].hex()) for parts in (line.split(" ") for line in lines)]


def open_note(note, keys):
    """Gives a note's text and the known keys that signed it. Unknown keys are ignored; a known key's bad signature refuses the note."""
    if len(note) > 131072 or re.search(r"[\x00-\x09\x0b-\x1f]", note):
        raise Refused("note-format", "The signed note is too long or holds a control character")
    split = note.rfind("\n\n")
    if split < 1 or not note.endswith("\n"):
        raise Refused("note-format", "The signed note has no blank line before its signatures")
    text = note[: split + 1]
    lines = note[split + 2 : -1].split("\n")
    if len(lines) > 64:
        raise Refused("note-format", "The signed note has too many signatures")
    signatures = []
    for line in lines:
        parts = line.split(" ")
        data = from_base64(parts[2]) if len(parts) == 3 else None
        if data is None or len(data) < 5 or parts[0] != "\u2014" or not _KEY_NAME.fullmatch(parts[1]):
            raise Refused("note-format", "A signature line is malformed")
        signatures.append((parts[1], data[:4].hex(), data[4:]))
    signed_by = []
    for name, key_id, signature in signatures:
        for key in keys:
            if key.name == name and key.id == key_id:
                if not key.verifies(text, signature):
                    raise Refused("signature", f"The signature of {name} ({key_id}) does not verify over this text")
                signed_by.append(key)
    if not signed_by:
        raise Refused("signature", "No trusted key has signed this")
    return text, signed_by


class Checkpoint:
    """A signed head whose signature was verified."""

    def __init__(self, note, keys, origin=None):
        text, signed_by = open_note(note, keys)
        lines = text.split("\n")
        well_formed = len(lines) >= 4 and lines[-1] == "" and all(lines[:-1])
        size = decimal(lines[1]) if well_formed else None
        root = from_base64(lines[2]) if well_formed else None
        if size is None or root is None or len(root) != 32:
            raise Refused("checkpoint-format", "The checkpoint is not an origin, a size and a root")
        self.origin, self.size, self.root = lines[0], size, root
        if origin is not None and self.origin != origin:
            raise Refused("origin", f"The checkpoint is of the log {self.origin}, not of {origin}")
        own = [key for key in signed_by if not key.witness and key.name == self.origin]
        self.signed_by = [key for key in own if key.last_size is None or self.size <= key.last_size]
        self.witnessed_by = [key for key in signed_by if key.witness]
        self.signers = [name_id[1] for name_id in signature_ids(note) if name_id[0] == self.origin]
        if not own:
            raise Refused("signature", f"No trusted key of the log {self.origin} has signed its checkpoint")
        if not self.signed_by:
            raise Refused("retired", f"The checkpoint over {self.size} rows was signed by a key alone that was retired before")


def parse_proof(text):
    """Reads a c2sp.org/tlog-proof: index, hashes, and the checkpoint's note."""

    def bad(why):
        return Refused("proof-format", f"The proof is malformed: {why}")

    head, blank, note = text.partition("\n\n")
    if not blank or len(text) > 131072 + 8192:
        raise bad("no blank line, or too long")
    lines = head.split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise bad("header")
    if lines and lines[0].startswith("extra "):
        if from_base64(lines.pop(0)[6:]) is None:
            raise bad("extra data")
    line = lines.pop(0) if lines else ""
    index = decimal(line[6:]) if line.startswith("index ") else None
    hashes = [from_base64(each) for each in lines]
    if index is None or len(hashes) > 64 or any(each is None or len(each) != 32 for each in hashes):
        raise bad("index or hashes")
    return index, hashes, note


def includes(leaf, index, size, proof, root):
    """Says whether the leaf is at this index of the tree, by recursion from the root: not the loop that Quittance's own verifier has."""

    def climb(at, width, path):
        if width == 1:
            return leaf if not path else None
        if not path:
            return None
        split = 1
        while split * 2 < width:
            split *= 2
        if at < split:
            left = climb(at, split, path[:-1])
            return None if left is None else node_hash(left, path[-1])
        right = climb(at - split, width - split, path[:-1])
        return None if right is None else node_hash(path[-1], right)

    return 0 <= index < size and climb(index, size, proof) == root


class Tree:
    """A growing Merkle tree, kept as the roots of its complete subtrees."""

    def __init__(self):
        self.size, self.stack = 0, []

    def append(self, leaf):
        rest = self.size
        while rest & 1:
            leaf = node_hash(self.stack.pop(), leaf)
            rest >>= 1
        self.stack.append(leaf)
        self.size += 1

    def root(self):
        if not self.stack:
            return EMPTY_ROOT
        root = self.stack[-1]
        for each in reversed(self.stack[:-1]):
            root = node_hash(each, root)
        return root


def tile_path(level, index, width):
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([f"x{each}" for each in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{path}" + ("" if width == 256 else f".p/{width}")
