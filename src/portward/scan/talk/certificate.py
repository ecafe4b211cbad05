"""What a certificate says of itself, in our nouns; the only place that needs cryptography."""

from contextlib import suppress

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from portward.model.scan import Certificate
from portward.model.unknown import Unknown

_MOST_NAMES = 100
_MOST_TEXT = 500


def read(der: bytes) -> Certificate | Unknown:
    """Read a certificate in DER; one that cannot be read is a fact that is not known."""
    try:
        found = x509.load_der_x509_certificate(der)
        return Certificate(
            subject=_name(found.subject),
            issuer=_name(found.issuer),
            names=_names(found),
            not_before=found.not_valid_before_utc,
            not_after=found.not_valid_after_utc,
            key=_key(found),
            signature=_signature(found),
            self_signed=_is_self_signed(found),
            sha256=found.fingerprint(SHA256()).hex(),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        return Unknown(f"the certificate cannot be read ({type(error).__name__})")


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()[:_MOST_TEXT]


def _names(found: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names and addresses that it is for."""
    with suppress(x509.ExtensionNotFound, x509.DuplicateExtension):
        listed = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = listed.get_values_for_type(x509.DNSName)
        addresses = map(str, listed.get_values_for_type(x509.IPAddress))
        return tuple(one[:_MOST_TEXT] for one in [*names, *addresses][:_MOST_NAMES])
    return ()


def _key(found: x509.Certificate) -> str:
    key = found.public_key()
    match key:
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size}"
        case ec.EllipticCurvePublicKey():
            return f"EC {key.curve.name}"
        case dsa.DSAPublicKey():
            return f"DSA {key.key_size}"
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
    return type(key).__name__


def _signature(found: x509.Certificate) -> str:
    with suppress(UnsupportedAlgorithm):
        used = found.signature_hash_algorithm
        return used.name if used else found.signature_algorithm_oid._name  # noqa: SLF001 - no other
    return found.signature_algorithm_oid.dotted_string


def _is_self_signed(found: x509.Certificate) -> bool:
    if found.subject != found.issuer:
        return False
    try:
        found.verify_directly_issued_by(found)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
