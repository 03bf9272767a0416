"""Opens files of both formats of docs/file-format.md: an independent reading of it, with Python's standard library alone.

decode.py open FORMAT KEY NONCE AD SIZE   stored file on standard input, plaintext on standard output (hex arguments)
decode.py vectors                         the test vectors, made by this page
"""
import hashlib, hmac, sys

def times_x(byte):
    return (byte << 1) ^ (0x11B if byte & 0x80 else 0)

def make_sbox():
    box, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= times_x(p)  # times 3, a generator
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        q ^= 0x09 if q & 0x80 else 0  # q is 1/p
        rotated = q * 0x0101
        box[p] = 0x63 ^ q ^ (rotated >> 7 ^ rotated >> 6 ^ rotated >> 5 ^ rotated >> 4) & 0xFF
        if p == 1:
            return box

SBOX = make_sbox()

def expand(key):  # FIPS 197, section 5.2, for 256 bits
    words, constant = [key[i:i + 4] for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word, constant = bytes([word[0] ^ constant]) + word[1:], times_x(constant)
        elif i % 8 == 4:
            word = bytes(SBOX[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(words[i - 8], word)))
    return [b"".join(words[i:i + 4]) for i in range(0, 60, 4)]

def encrypt_block(round_keys, block):
    state = [a ^ b for a, b in zip(block, round_keys[0])]
    for number, round_key in enumerate(round_keys[1:], 1):
        state = [SBOX[state[(5 * i) % 16]] for i in range(16)]  # SubBytes and ShiftRows
        if number < 14:
            mixed = []
            for c in range(0, 16, 4):
                column, everything = state[c:c + 4], state[c] ^ state[c + 1] ^ state[c + 2] ^ state[c + 3]
                mixed += [column[i] ^ everything ^ times_x(column[i] ^ column[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, round_key)]
    return bytes(state)

def ghash(h, data):  # SP 800-38D, section 6.4
    y = 0
    for at in range(0, len(data), 16):
        x, v, y = y ^ int.from_bytes(data[at:at + 16], "big"), h, 0
        for bit in range(127, -1, -1):
            y ^= v if x >> bit & 1 else 0
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
    return y

def gcm(key, nonce, ad, text, sealing):
    """The other text, and the tag of the ciphertext."""
    keys, padded = expand(key), lambda data: data + bytes(-len(data) % 16)
    stream = b"".join(encrypt_block(keys, nonce + (2 + i).to_bytes(4, "big")) for i in range(-(-len(text) // 16)))
    other = bytes(a ^ b for a, b in zip(text, stream))
    ciphertext = other if sealing else text
    lengths = (8 * len(ad)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    hashed = ghash(int.from_bytes(encrypt_block(keys, bytes(16)), "big"), padded(ad) + padded(ciphertext) + lengths)
    mask = int.from_bytes(encrypt_block(keys, nonce + b"\0\0\0\1"), "big")
    return other, (hashed ^ mask).to_bytes(16, "big")

def gcm_open(key, nonce, ad, sealed):
    plaintext, tag = gcm(key, nonce, ad, sealed[:-16], False)
    assert len(sealed) >= 16 and tag == sealed[-16:], "does not verify"
    return plaintext

def gcm_seal(key, nonce, ad, plaintext):
    return b"".join(gcm(key, nonce, ad, plaintext, True))

def chunk_secrets(header, key, nonce, ad):  # RFC 5869
    parts = (b"aes-256-gcm", b"file chunks", header, nonce, ad)
    info = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    prk = hmac.digest(header[32:], key, "sha256")
    first = hmac.digest(prk, info + b"\1", "sha256")
    return first, hmac.digest(prk, first + info + b"\2", "sha256")[:7]

def chunk_nonces(prefix, count):
    return [prefix + i.to_bytes(4, "big") + bytes([i == count - 1]) for i in range(count)]

def open_chunks(stored, key, nonce, ad, size):
    header, body = stored[:64], stored[64:]
    assert header[:9] == b"\x89THFILE\n\1" and 12 <= header[9] <= 24 and not any(header[10:32]), "bad header"
    chunk, (key, prefix) = 1 << header[9], chunk_secrets(header, key, nonce, ad)
    count = max(1, -(-size // chunk))
    assert len(header) == 64 and len(body) == size + 16 * count, "wrong length"
    pieces = [body[i * (chunk + 16):][:chunk + 16] for i in range(count)]
    return b"".join(gcm_open(key, nonce, b"", piece) for nonce, piece in zip(chunk_nonces(prefix, count), pieces))

def seal_chunks(plaintext, log2, salt, key, nonce, ad):
    header = b"\x89THFILE\n\1" + bytes([log2]) + bytes(22) + salt
    key, prefix = chunk_secrets(header, key, nonce, ad)
    pieces = [plaintext[i:i + (1 << log2)] for i in range(0, len(plaintext), 1 << log2)] or [b""]
    nonces = chunk_nonces(prefix, len(pieces))
    return header + b"".join(gcm_seal(key, nonce, b"", piece) for nonce, piece in zip(nonces, pieces))

def open_file(kind, stored, key, nonce, ad, size):
    if kind == "chunks":
        return open_chunks(stored, key, nonce, ad, size)
    assert kind == "message" and len(stored) == size + 16, "wrong length"
    return gcm_open(key, nonce, ad, stored)

def vectors():
    key, nonce, ad, salt = bytes(range(32)), bytes(range(100, 112)), bytes(range(200, 205)), bytes(range(32, 64))
    print("# Made by `python3 crates/crypto/tests/decode.py vectors`. Byte i of every plaintext is i modulo 251.")
    for part, value in (("key", key), ("nonce", nonce), ("ad", ad), ("salt", salt)):
        print(part, value.hex())
    print("\n# format, log2 of the chunk length, size; the stored file up to 128 bytes, then its SHA-256")
    for kind, log2, size in [("message", 0, n) for n in (0, 1, 48, 5000)] + [
            ("chunks", 12, n) for n in (0, 1, 48, 4095, 4096, 4097, 8192, 8193)] + [("chunks", 16, 48), ("chunks", 24, 5000)]:
        plaintext = bytes(i % 251 for i in range(size))
        seal = lambda: seal_chunks(plaintext, log2, salt, key, nonce, ad)
        stored = gcm_seal(key, nonce, ad, plaintext) if kind == "message" else seal()
        assert open_file(kind, stored, key, nonce, ad, size) == plaintext
        shown = stored.hex() if len(stored) <= 128 else "sha256:" + hashlib.sha256(stored).hexdigest()
        print(kind, log2, size, shown)

if __name__ == "__main__":
    if sys.argv[1:] == ["vectors"]:
        vectors()
    else:
        kind, key, nonce, ad, size = sys.argv[2:]
        key, nonce, ad = map(bytes.fromhex, (key, nonce, ad))
        sys.stdout.buffer.write(open_file(kind, sys.stdin.buffer.read(), key, nonce, ad, int(size)))
