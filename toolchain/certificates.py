"""A certificate authority for one private server on loopback, and the server's certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from toolchain.files import write_atomically

NAMES = ("localhost",)
ADDRESSES = ("127.0.0.1", "::1")
YEARS = 10
CA, CERTIFICATE, KEY = "ca.pem", "server.pem", "server-key.pem"


def make_certificates(folder: Path) -> None:
    """Writes the authority's certificate, and a key and certificate of the server that it signed.

    The authority's own key is kept nowhere: nothing else can be signed with it.
    """
    # Imported here: most commands need no certificates.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def usage(*, signs: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=not signs,
            key_cert_sign=signs,
            crl_sign=signs,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )

    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = named("authority of a private database server")
    now = datetime.now(UTC)
    identity = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())

    def begun(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=365 * YEARS))
        )

    ca = (
        begun(issuer, authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .add_extension(identity, critical=False)
        .sign(authority, hashes.SHA256())
    )
    alternatives = [*map(x509.DNSName, NAMES), *(x509.IPAddress(ip_address(one)) for one in ADDRESSES)]
    certificate = (
        begun(named(NAMES[0]), server.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity), critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    write_atomically(folder / CA, ca.public_bytes(pem))
    write_atomically(folder / CERTIFICATE, certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    write_atomically(folder / KEY, server.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain), mode=0o600)
