#!/usr/bin/env python3
"""Verifies a Quittance certificate or an exported audit log with nothing but Python's standard library.

    verify.py certificate FILE --key KEYFILE [--origin NAME]
    verify.py log FOLDER --key KEYFILE [--origin NAME] [--head CHECKPOINT ...]
    verify.py certificate --batch FILE ... --key KEYFILE     (one line of JSON for each file)

Exit codes: 0 it holds, 1 it does not (the check that failed is printed), 2 wrong use.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import sys

sys.dont_write_bytecode = True

from tlog import Checkpoint, Key, Refused, Tree, from_base64, from_utf8, includes, leaf_hash, node_hash, parse_proof, sha256, tile_path

FORMAT = "quittance-certificate/1"
FIELDS = {"format", "statement", "leaf", "proof", "policy", "timestamps", "disclosure", "seal"}
UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")
HEX = re.compile(r"[0-9a-f]{64}")


class NotCanonical(Exception):
    pass


def canonical(value, depth=0):
    """Gives the canonical JSON (RFC 8785) of a value: integers up to 2^53, keys of printable ASCII, nesting up to 16."""
    if depth > 16:
        raise NotCanonical
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        if abs(value) >= 2**53:
            raise NotCanonical
        return str(value)
    if isinstance(value, str):
        if any(0xD800 <= ord(each) <= 0xDFFF for each in value):
            raise NotCanonical
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(canonical(each, depth + 1) for each in value) + "]"
    if isinstance(value, dict):
        if any(not re.fullmatch(r"[\x21-\x7e]{1,64}", key) for key in value):
            raise NotCanonical
        return "{" + ",".join(json.dumps(key) + ":" + canonical(value[key], depth + 1) for key in sorted(value)) + "}"
    raise NotCanonical


def parse_json(text):
    """Parses JSON, or raises ValueError. A fraction becomes a float, which `canonical` refuses; NaN and Infinity are no JSON."""

    def constant(name):
        raise ValueError(name)

    return json.loads(text, parse_constant=constant)


def parse_entry(data):
    """Reads an audit entry's exact bytes."""

    def bad(why):
        return Refused("entry", f"The entry {why}")

    text = from_utf8(data) if 0 < len(data) <= 65535 else None
    try:
        fields = parse_json(text) if text is not None else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise bad("is not a JSON object in UTF-8")
    seq = fields.get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**53:
        raise bad("has no sequence number")
    for name in ("log", "event_id", "type"):
        if not isinstance(fields.get(name), str) or not fields[name]:
            raise bad(f"has no {name}")
    if not isinstance(fields.get("prev"), str) or not HEX.fullmatch(fields["prev"]):
        raise bad("has no hash of the row before")
    if not isinstance(fields.get("at"), str) or not UTC.fullmatch(fields["at"]):
        raise bad("has no time")
    return fields


def has_texts(record, names):
    return isinstance(record, dict) and all(isinstance(record.get(name), str) and record[name] for name in names)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_text_or_null(value):
    return value is None or (isinstance(value, str) and value != "")


def is_time(value):
    return isinstance(value, str) and UTC.fullmatch(value) is not None


def check_statement(statement):
    def need(condition, why):
        if not condition:
            raise Refused("statement", f"The statement {why}")

    need(isinstance(statement, dict), "is not an object")
    need(has_texts(statement.get("request"), ["id", "reference"]), "does not name its request")
    need(has_texts(statement, ["right", "law", "verdict"]), "lacks its right, law or verdict")
    need("jurisdiction" in statement and is_text_or_null(statement["jurisdiction"]), "lacks its jurisdiction")
    need(has_texts(statement.get("controller"), ["name", "contact"]), "does not name the controller")
    for name in ("received_at", "completed_at", "due_at"):
        need(is_time(statement.get(name)), f"lacks the time {name}")
    need("verified_at" in statement and (statement["verified_at"] is None or is_time(statement["verified_at"])), "lacks the time verified_at")
    need(isinstance(statement.get("systems"), list), "does not list its systems")
    for system in statement["systems"]:
        need(has_texts(system, ["system", "connector", "action", "outcome"]), "lists a system without its action and outcome")
        settled = all(name in system and is_text_or_null(system[name]) for name in ("confirmation", "method"))
        need(settled and is_time(system.get("settled_at")), "lists a system without how and when it was settled")
        counts = system.get("counts")
        need(isinstance(counts, dict) and all(is_count(each) for each in counts.values()), "lists a system without its counts")
        identifier = system.get("identifier")
        committed = has_texts(identifier, ["kind", "commitment"]) and HEX.fullmatch(identifier["commitment"])
        need(committed, "lists a system without a commitment to the identifier")
        residue = system.get("residue")
        need(isinstance(residue, list) and all(has_texts(each, ["what", "why"]) for each in residue), "lists a system without what stays in it")
        need(isinstance(system.get("proof"), dict), "lists a system without its proof")


def check_disclosure(disclosure, statement):
    def need(condition, why):
        if not condition:
            raise Refused("disclosure", f"The disclosure {why}")

    nonce = from_base64(disclosure["nonce"]) if isinstance(disclosure, dict) and isinstance(disclosure.get("nonce"), str) else None
    need(nonce is not None and len(nonce) == 32 and isinstance(disclosure.get("identifiers"), list), "has no nonce or no identifiers")
    for each in disclosure["identifiers"]:
        plain = isinstance(each, dict) and isinstance(each.get("kind"), str) and isinstance(each.get("normal_form"), str)
        need(plain, "lists an identifier without its kind and normal form")
        text = f"{each['kind']}:{each['normal_form']}".encode()
        commitment = hmac.new(nonce, text, hashlib.sha256).hexdigest()
        need(each.get("commitment") == commitment, "does not open the commitment of one of its identifiers")
        committed = any(s["identifier"]["kind"] == each["kind"] and s["identifier"]["commitment"] == commitment for s in statement["systems"])
        need(committed, "names an identifier that the statement does not commit to")


def verify_certificate(data, keys, origin=None):
    """Verifies a certificate's bytes; raises Refused, or gives what to print."""
    if not 0 < len(data) <= 262144:
        raise Refused("size", "The certificate is empty or longer than 256 KiB")
    text = from_utf8(data)
    if text is None:
        raise Refused("encoding", "The certificate is not UTF-8")
    try:
        value = parse_json(text)
    except (ValueError, RecursionError):
        raise Refused("json", "The certificate is not JSON") from None
    try:
        same = canonical(value) + "\n" == text
    except NotCanonical:
        same = False
    if not same:
        raise Refused("canonical", "The certificate is not in canonical form: its text was changed")
    if not isinstance(value, dict) or value.get("format") != FORMAT or not set(value) <= FIELDS:
        raise Refused("format", f"The certificate is not of the format {FORMAT}")
    if not isinstance(value.get("proof"), str) or not isinstance(value.get("policy"), str):
        raise Refused("format", "The certificate has no proof or no policy")
    leaf = from_base64(value["leaf"]) if isinstance(value.get("leaf"), str) else None
    if leaf is None:
        raise Refused("leaf", "The leaf is not base64")
    seal = from_base64(value["seal"]) if isinstance(value.get("seal"), str) else None
    if seal is None:
        raise Refused("seal", "The seal is not base64")
    stamps = value.get("timestamps")
    if not isinstance(stamps, list) or any(not isinstance(each, str) or from_base64(each) is None for each in stamps):
        raise Refused("timestamp", "A time-stamp is not base64")
    statement = value.get("statement")
    check_statement(statement)
    index, hashes, note = parse_proof(value["proof"])
    head = Checkpoint(note, keys, origin)
    try:
        entry = parse_entry(leaf)
    except Refused as refused:
        raise Refused("leaf", f"The leaf: {refused.message}") from None
    if entry["type"] != "certificate.issued":
        raise Refused("leaf", "The leaf is an entry of another type, which issues no certificate")
    if entry.get("statement_hash") != sha256(canonical(statement).encode()).hex():
        raise Refused("statement-hash", "The statement is not the one that was recorded: its hash is not in the leaf")
    if entry.get("request_id") != statement["request"]["id"]:
        raise Refused("request", "The leaf was recorded for another request")
    if entry["log"] != head.origin:
        raise Refused("origin", "The leaf belongs to another log than the signed head")
    if entry["seq"] != index:
        raise Refused("index", "The leaf stands at another place than the proof says")
    if not includes(leaf_hash(leaf), index, head.size, hashes, head.root):
        raise Refused("inclusion", "The proof does not show that the leaf is in the signed tree")
    if not any(f"log {key.text}" in value["policy"].split("\n") for key in head.signed_by):
        raise Refused("policy", "The policy does not name the key that signed the head")
    if "disclosure" in value:
        check_disclosure(value["disclosure"], statement)
    rest = canonical({name: each for name, each in value.items() if name != "seal"})
    sealed = f"{FORMAT}\n{base64.b64encode(sha256(rest.encode())).decode()}\n"
    parts = [seal[at : at + 68] for at in range(0, len(seal), 68)]
    ids = [part[:4].hex() for part in parts]
    if any(len(part) != 68 for part in parts) or len(set(ids)) < len(ids) or not set(ids) <= set(head.signers):
        raise Refused("seal", "The seal was made by another key than the signed head")
    sealers = [(key, part) for key in head.signed_by for part in parts if key.id == part[:4].hex()]
    if not sealers or not all(key.verifies(sealed, part[4:]) for key, part in sealers):
        raise Refused("seal", "The seal does not hold: something in the certificate was changed")
    grade = "witnessed" if head.witnessed_by else "signed_head"
    return {"ok": True, "grade": grade, "request": statement["request"]["reference"], "verdict": statement["verdict"], "issued_at": entry["at"]}


def read_file(folder, path, seq=None):
    try:
        with open(os.path.join(folder, path), "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Refused("missing", f"The file {path} is missing", seq) from None


def read_heads(folder, note, keys, origin, extra):
    """Verifies every head, and refuses two roots for one size. Gives (size, root, exported) in order of size."""
    notes = [(note, False)]
    if os.path.exists(os.path.join(folder, "checkpoints.jsonl")):
        text = from_utf8(read_file(folder, "checkpoints.jsonl"))
        if text is None or (text and not text.endswith("\n")):
            raise Refused("encoding", "checkpoints.jsonl is not lines of UTF-8")
        for line in text.split("\n")[:-1]:
            try:
                each = parse_json(line)
            except (ValueError, RecursionError):
                each = None
            if not isinstance(each, str):
                raise Refused("json", "A line of checkpoints.jsonl is not a JSON string")
            notes.append((each, False))
    notes += [(each, True) for each in extra]
    heads = []
    for each, exported in notes:
        head = Checkpoint(each, keys, origin)
        heads.append((head.size, head.root, exported))
    heads.sort(key=lambda head: head[0])
    for before, after in zip(heads, heads[1:]):
        if before[0] == after[0] and before[1] != after[1]:
            raise Refused("fork", f"Two different trees of {after[0]} rows were signed: the log was forked", max(0, after[0] - 1))
    return heads


def read_rows(folder, size):
    for index in range((size + 255) // 256):
        first, width = index * 256, min(256, size - index * 256)
        bundle = read_file(folder, tile_path("entries", index, width), first)
        entries, at = [], 0
        while at + 2 <= len(bundle) and len(entries) < width:
            end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
            if end > len(bundle):
                break
            entries.append(bundle[at + 2 : end])
            at = end
        if at != len(bundle) or len(entries) != width:
            raise Refused("tile", f"An entry bundle does not hold exactly {width} entries", first)
        hashes = read_file(folder, tile_path(0, index, width), first)
        if len(hashes) != 32 * width:
            raise Refused("tile", f"A tile does not hold exactly {width} hashes", first)
        for offset, entry in enumerate(entries):
            yield first + offset, entry, hashes[32 * offset : 32 * offset + 32]


def blame_link(seq, digest, following):
    """Tells which of two rows that do not fit was changed: when the row after continues the second, the second is genuine."""
    if seq == 0:
        return Refused("link", "Row 0 does not start a log", 0)
    genuine = True
    if following is not None:
        try:
            genuine = parse_entry(following[1])["prev"] == digest.hex()
        except Refused:
            genuine = False
    return Refused("link", f"Rows {seq - 1} and {seq} do not fit together", seq - 1 if genuine else seq)


def check_upper_tiles(folder, leaves):
    level, hashes = 0, leaves
    while len(hashes) >= 256:
        level += 1
        below, hashes = hashes, []
        for at in range(0, len(below) - 255, 256):
            row = below[at : at + 256]
            while len(row) > 1:
                row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
            hashes.append(row[0])
        for index in range((len(hashes) + 255) // 256):
            part = hashes[index * 256 : index * 256 + 256]
            path = tile_path(level, index, len(part))
            if read_file(folder, path) != b"".join(part):
                raise Refused("tile", f"{path} does not hold the hashes of the rows below it")


def verify_log(folder, keys, origin=None, extra=()):
    """Verifies an exported log; raises Refused, or gives what to print."""
    note = from_utf8(read_file(folder, "checkpoint"))
    if note is None:
        raise Refused("encoding", "The file checkpoint is not UTF-8")
    head = Checkpoint(note, keys, origin)
    heads = read_heads(folder, note, keys, head.origin, extra)
    tree, prev, good, leaves = Tree(), "0" * 64, 0, []

    def check_heads():
        nonlocal good
        for size, root, exported in [each for each in heads if each[0] == tree.size]:
            if root != tree.root():
                check = "rollback" if exported else "head-root"
                raise Refused(check, f"Something in rows {good} to {size - 1} was rewritten since it was signed", good)
            good = size

    check_heads()
    rows = read_rows(folder, head.size)
    for seq, entry, stored in rows:
        digest = leaf_hash(entry)
        if digest != stored:
            raise Refused("row-hash", f"Row {seq} was changed: its bytes do not have its hash", seq)
        try:
            fields = parse_entry(entry)
        except Refused as refused:
            raise Refused("entry", f"Row {seq}: {refused.message}", seq) from None
        if fields["log"] != head.origin:
            raise Refused("splice", f"Row {seq} belongs to another log", seq)
        if fields["seq"] != seq:
            raise Refused("order", f"Row {seq} holds the entry that was written as row {fields['seq']}", seq)
        if fields["prev"] != prev:
            raise blame_link(seq, digest, next(rows, None))
        tree.append(digest)
        leaves.append(digest)
        prev = digest.hex()
        check_heads()
    beyond = [each for each in heads if each[0] > tree.size]
    if beyond:
        raise Refused("truncated", f"The log ends after {tree.size} rows, and a head was signed over {beyond[0][0]}", tree.size)
    check_upper_tiles(folder, leaves)
    return {"ok": True, "grade": "witnessed" if head.witnessed_by else "signed_head", "origin": head.origin, "size": tree.size}


def outcome(check):
    try:
        return check()
    except Refused as refused:
        result = {"ok": False, "check": refused.check, "message": refused.message}
        return result if refused.seq is None else {**result, "seq": refused.seq}


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["certificate", "log"])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--key", required=True, help="a file of verifier keys, one a line")
    parser.add_argument("--origin")
    parser.add_argument("--head", action="append", default=[], help="a checkpoint that was kept elsewhere")
    parser.add_argument("--batch", action="store_true", help="many paths, one line of JSON for each")
    options = parser.parse_args(arguments)
    if len(options.paths) > 1 and not options.batch:
        parser.error("give one path, or --batch")
    try:
        with open(options.key, encoding="utf-8") as file:
            keys = [Key(line) for line in file if line.strip()]
        extra = [open(path, encoding="utf-8", newline="").read() for path in options.head]
    except (OSError, UnicodeDecodeError, Refused) as error:
        print(f"The key or head file cannot be used: {error}", file=sys.stderr)
        return 2
    failed = False
    for path in options.paths:
        if not os.path.exists(path):
            print(f"There is no {path}", file=sys.stderr)
            return 2
        if options.what == "log":
            result = outcome(lambda at=path: verify_log(at, keys, options.origin, extra))
        else:
            with open(path, "rb") as file:
                data = file.read()
            result = outcome(lambda at=data: verify_certificate(at, keys, options.origin))
        failed = failed or not result["ok"]
        if options.batch:
            print(json.dumps(result))
        elif result["ok"]:
            print("\n".join(["It holds."] + [f"  {name}: {value}" for name, value in result.items() if name != "ok"]))
        else:
            where = f" (row {result['seq']})" if "seq" in result else ""
            print(f"It does not hold. Check failed: {result['check']}{where}\n  {result['message']}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
