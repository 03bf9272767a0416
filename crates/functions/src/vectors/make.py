"""Makes the keys and signatures beside it; needs the package `cryptography`."""

import base64
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

here = Path(__file__).parent
message = b"hello"

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
(here / "rsa_pkcs8.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
(here / "rsa_pkcs1.der").write_bytes(key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
(here / "rsa_signature.txt").write_bytes(base64.b64encode(signature))

key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
(here / "ed25519_pkcs8.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
(here / "ed25519_signature.txt").write_bytes(base64.b64encode(key.sign(message)))
