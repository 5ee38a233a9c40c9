"""What an authority signs: credentials of its issuer, within its terms, whole and readable.

Pure: the caller brings the time, and keeps which records were used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject
from chaincode.ids import ACCOUNT_ID, RECORD_ID
from client_sdk.credentials.bitstring_status_list import MAX_ENTRIES
from client_sdk.credentials.individual_number import has_individual_number
from client_sdk.credentials.jose import EDDSA, parse_compact
from client_sdk.credentials.resident import RESIDENT_CLAIMS, concealed_paths
from client_sdk.credentials.sd_jwt_vc import CREDENTIAL_TYP, HeldCredential, parse_credential
from client_sdk.credentials.sd_jwt_vc_claims import PLACE_CLAIM, holder_key_of
from client_sdk.errors import ClientError
from node.errors import PolicyRefusedError

MAX_CLOCK_DIFFERENCE_S: Final = 300
_OPEN_CLAIMS: Final = frozenset({"iss", "iat", "exp", "vct", "cnf", "status", PLACE_CLAIM})
# What stands where the signature will be: the parser wants three parts.
NO_SIGNATURE: Final = "AA"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPlace:
    """Where a credential is anchored, and where its status stands.

    Attributes:
        record_id: The id of its record on the ledger.
        list_id: The id of its status list's record; None for none.
        list_index: Its place in that list; None for none.
    """

    record_id: str
    list_id: str | None = None
    list_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialTerms:
    """What an authority agreed to sign.

    Attributes:
        issuer_url: The `iss` of every credential.
        issuer_account: The issuer's ledger account.
        ledger_id: The ledger's id, 64 hex digits.
        credential_type: The `vct`.
        key_id: The thumbprint of the issuer's key, which the header names.
        max_days: How long a credential may last.
    """

    issuer_url: str
    issuer_account: str
    ledger_id: str
    credential_type: str
    key_id: str
    max_days: int


def check_credential(
    signing_input: str, disclosures: Sequence[str], terms: CredentialTerms, *, now_s: int
) -> SignedPlace:
    """Return the place of a credential that this authority may sign.

    Args:
        signing_input: The header and payload that would be signed (RFC 7515 section 5.1).
        disclosures: All that the payload's digests stand for.
        terms: What the authority agreed to.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        PolicyRefusedError: It may not; the text says why, and no attribute's value.
    """
    text = "~".join((f"{signing_input}.{NO_SIGNATURE}", *disclosures, ""))
    try:
        credential = parse_credential(text)
        holder_key = holder_key_of(credential.unverified_claims)
    except ClientError as error:
        raise PolicyRefusedError(f"not a credential that can be read: {error}") from None
    expected_header = {"alg": EDDSA, "typ": CREDENTIAL_TYP, "kid": terms.key_id}
    if credential.unverified_header != expected_header:
        raise PolicyRefusedError("its header is not that of this issuer's credentials")
    claims = credential.unverified_claims
    if claims["vct"] != terms.credential_type or claims.get("iss") != terms.issuer_url:
        raise PolicyRefusedError("it is of another type or issuer (vct, iss)")
    if holder_key is None:
        raise PolicyRefusedError("it is bound to no holder's key (cnf)")
    _check_times(claims, terms, now_s)
    _check_attributes(credential)
    return _check_place(claims, terms)


def _check_times(claims: JsonObject, terms: CredentialTerms, now_s: int) -> None:
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if not isinstance(issued_at, int) or abs(issued_at - now_s) > MAX_CLOCK_DIFFERENCE_S:
        raise PolicyRefusedError("it is not issued now (iat); check the clocks")
    if not isinstance(expires_at, int) or not 0 < expires_at - issued_at <= terms.max_days * 86_400:
        raise PolicyRefusedError(f"it lasts no time, or longer than {terms.max_days} days (exp)")


def _check_attributes(credential: HeldCredential) -> None:
    """Refuse what is no attribute of a resident, cannot be kept back, or cannot be seen here."""
    claims = credential.unverified_claims
    opened = {name: value for name, value in claims.items() if name in _OPEN_CLAIMS}
    attributes = {name: value for name, value in claims.items() if name not in _OPEN_CLAIMS}
    if not attributes.keys() <= set(RESIDENT_CLAIMS) or any(
        isinstance(value, dict | list) for value in attributes.values()
    ):
        raise PolicyRefusedError("it holds claims that are no attributes of a resident")
    if set(credential.concealed_paths) != set(concealed_paths(attributes)):
        raise PolicyRefusedError("its holder could not keep back each attribute by itself")
    payload = parse_compact(credential.sd_jwt.issuer_jwt).unverified_payload
    digests = payload.pop("_sd", [])
    payload.pop("_sd_alg", None)
    if not isinstance(digests, list) or len(digests) != len(attributes) or payload != opened:
        raise PolicyRefusedError("it holds a digest that no disclosure opens")
    if has_individual_number(attributes):
        raise PolicyRefusedError("it holds 12 digits that read as an individual number")


def _check_place(claims: JsonObject, terms: CredentialTerms) -> SignedPlace:
    match claims.get(PLACE_CLAIM):
        case {
            "ledger": terms.ledger_id,
            "issuer": terms.issuer_account,
            "record": str(record_id),
            "salt": str(),
            **others,
        } if RECORD_ID.fullmatch(record_id):
            account, list_id = others.pop("account", None), others.pop("status", None)
            if not others and (account is None or ACCOUNT_ID.fullmatch(str(account))):
                return _check_status(claims, terms, record_id, list_id)
    raise PolicyRefusedError("its record is not on this issuer's ledger account (tegata)")


def _check_status(
    claims: JsonObject, terms: CredentialTerms, record_id: str, list_id: object
) -> SignedPlace:
    if list_id is None and "status" not in claims:
        return SignedPlace(record_id=record_id)
    match claims.get("status"):
        case {"status_list": {"idx": int(index), "uri": uri, **more}, **others} if (
            not more
            and not others
            and not isinstance(index, bool)
            and 0 <= index < MAX_ENTRIES
            and RECORD_ID.fullmatch(str(list_id))
            and uri == f"{terms.issuer_url}/status-lists/{list_id}"
        ):
            return SignedPlace(record_id=record_id, list_id=str(list_id), list_index=index)
    raise PolicyRefusedError("its status stands in no list of this issuer (status)")
