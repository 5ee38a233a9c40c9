"""The certificates that credentials carry: who vouches for the issuer's key (`x5c`, HAIP 1.0)."""

from client_sdk.credentials.jose import Key, thumbprint
from client_sdk.errors import KeyFormatError, SignatureError
from client_sdk.openid4vci.certificate_chain import claimed_x5c_key, encode_x5c
from client_sdk.openid4vp.access_certificate import load_certificates
from node.errors import ConfigError
from node.issuer.config import IssuerConfig


def load_credential_certificates(config: IssuerConfig, public_key: Key) -> tuple[str, ...]:
    """Return them in base64, the signing key's own first, without the trust anchor.

    Args:
        config: The configuration.
        public_key: The key that credentials are verified with.

    Raises:
        ConfigError: The file cannot be read, or its first certificate is self-signed or another
            key's.
    """
    path = config.credential_chain_file
    if path is None:
        return ()
    where = f"credential_chain_file: {path}"
    try:
        chain = load_certificates(path.read_bytes())
        # HAIP 1.0 section 6.1.1: the anchor is not sent, and does not sign.
        sent = [link for link in chain if link.issuer != link.subject]
        if sent[:1] != [chain[0]]:
            raise ConfigError(f"{where}: the first certificate is self-signed")
        texts = encode_x5c(sent)
        certified = claimed_x5c_key({"x5c": texts})
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from None
    except (KeyFormatError, SignatureError) as error:
        raise ConfigError(f"{where}: {error}") from None
    if thumbprint(certified) != thumbprint(public_key):
        raise ConfigError(f"{where}: the first certificate is of another key than credentials are")
    return tuple(map(str, texts))
