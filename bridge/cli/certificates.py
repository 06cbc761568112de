"""When the certificates in a file end."""

from datetime import datetime
from pathlib import Path

from cryptography import x509


def first_end(path: Path) -> datetime:
    """
    The end of the certificate in a PEM file that ends first.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no certificate.

    """
    certificates = x509.load_pem_x509_certificates(path.read_bytes())
    return min(certificate.not_valid_after_utc for certificate in certificates)
