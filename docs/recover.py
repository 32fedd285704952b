#!/usr/bin/env python3
"""Prints the secrets of an intertie vault without intertie.

    age --decrypt --identity key.txt data-key.age | python3 recover.py VAULT-DIRECTORY

Needs PyNaCl (Debian: python3-nacl). It is the whole description of the format that docs/vault.md gives.
"""
import base64, json, pathlib, struct, sys
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as decrypt

key = json.load(sys.stdin)
keys = [base64.b64decode(one) for one in [key["key"], *key.get("earlier", [])]]
for file in sorted(pathlib.Path(sys.argv[1], "entries").glob("*.json")):
    entry = json.loads(file.read_text())
    for field, value in entry["fields"].items():
        bound = b"intertie vault entry" + struct.pack(">I", entry["version"])
        for part in (key["vault"], entry["owner"], field):
            bound += struct.pack(">Q", len(part.encode())) + part.encode()
        bound += struct.pack(">Q", value["revision"])
        sealed, nonce = base64.b64decode(value["sealed"]), base64.b64decode(value["nonce"])
        for one in keys:
            try:
                print(json.dumps({"owner": entry["owner"], "field": field, "secret": decrypt(sealed, bound, nonce, one).decode()}))
                break
            except Exception:
                continue
        else:
            sys.exit(f"{file}: {field} does not open with this data key")
