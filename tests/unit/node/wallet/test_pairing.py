"""The certificate that a phone is shown, and the addresses on which a wallet is served."""

from pathlib import Path

import pytest
from cryptography import x509
from support.command_line import run_inside

from node.errors import ConfigError
from node.wallet.pairing import prepare_phone
from node.wallet.serving import require_loopback


def test_the_certificate_stays_until_the_address_changes(tmp_path: Path) -> None:
    wallet = tmp_path / "wallet"
    first = prepare_phone(wallet, "192.0.2.7", 8461)
    assert prepare_phone(wallet, "192.0.2.7", 8461) == first
    other = prepare_phone(wallet, "wallet.example", 8461)
    assert other.fingerprint != first.fingerprint
    assert other.origin == "https://wallet.example:8461"
    assert prepare_phone(wallet, "2001:db8::7", 8461).origin == "https://[2001:db8::7]:8461"


def test_the_certificate_is_a_servers_and_no_authoritys(tmp_path: Path) -> None:
    phone = prepare_phone(tmp_path / "wallet", "192.0.2.7", 8461)
    certificate = x509.load_pem_x509_certificate(phone.certificate.read_bytes())
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime.days <= 398


def test_a_damaged_certificate_is_made_anew(tmp_path: Path) -> None:
    phone = prepare_phone(tmp_path / "wallet", "192.0.2.7", 8461)
    phone.certificate.write_text("nothing")
    assert prepare_phone(tmp_path / "wallet", "192.0.2.7", 8461).fingerprint != phone.fingerprint


@pytest.mark.parametrize("listen", ["127.0.0.1:8460", "127.3.2.1:0", "[::1]:8460", "localhost:1"])
def test_a_wallet_is_served_to_its_own_machine(listen: str) -> None:
    require_loopback(listen)


@pytest.mark.parametrize("listen", ["0.0.0.0:8460", "192.0.2.7:8460", "[::]:8460", "example.org:1"])
def test_a_wallet_is_hosted_for_nobody(listen: str, tmp_path: Path) -> None:
    result = run_inside("wallet", "serve", tmp_path / "wallet", "--listen", listen)
    assert isinstance(result.exception, ConfigError)
    assert "custody" in str(result.exception)
    assert "--phone" in str(result.exception)
    assert not list(tmp_path.iterdir())
