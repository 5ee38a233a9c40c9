"""Credential offers and the links that carry them (OpenID4VCI 1.0 section 4.1)."""

from dataclasses import dataclass, field
from typing import Final, Literal, Self, TypeAlias, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.errors import CredentialFormatError, OfferError, RequestError
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.strict_json import encode_json, parse_strict_json_object, text_list

LINK_SCHEME: Final = "openid-credential-offer"
AUTHORIZATION_CODE: Final = "authorization_code"
REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - the name of a grant
PRE_AUTHORIZED_CODE: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
MAX_LINK_CHARS: Final = 16_384
MAX_CODE_CHARS: Final = 2048
_MAX_CONFIGURATIONS: Final = 32
_MAX_NAME_CHARS: Final = 256
_MAX_DESCRIPTION_CHARS: Final = 300
_MAX_TX_CODE_CHARS: Final = 128

InputMode = Literal["numeric", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionCode:
    """What a wallet asks the person for, besides the offer: `tx_code`.

    Attributes:
        input_mode: `numeric` for digits only.
        length: How many characters; None where the issuer does not say.
        description: Where the person finds it, in plain words; empty where the issuer does not say.
    """

    input_mode: InputMode = "numeric"
    length: int | None = None
    description: str = ""

    def to_fields(self) -> JsonObject:
        """Return it as a JSON object."""
        fields: JsonObject = {"input_mode": self.input_mode}
        if self.length is not None:
            fields["length"] = self.length
        if self.description:
            fields["description"] = self.description
        return fields

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return what a JSON object asks for; members that are not known are ignored.

        Raises:
            OfferError: A member is not acceptable.
        """
        mode = fields.get("input_mode", "numeric")
        length, description = fields.get("length"), fields.get("description", "")
        known = next((name for name in get_args(InputMode) if name == mode), None)
        if known is None:
            raise OfferError("offer: tx_code.input_mode is numeric or text")
        if length is not None and (
            not isinstance(length, int)
            or isinstance(length, bool)
            or not 1 <= length <= _MAX_TX_CODE_CHARS
        ):
            raise OfferError(f"offer: tx_code.length is a number from 1 to {_MAX_TX_CODE_CHARS}")
        if not isinstance(description, str) or len(description) > _MAX_DESCRIPTION_CHARS:
            raise OfferError(
                f"offer: tx_code.description is a text of up to {_MAX_DESCRIPTION_CHARS} characters"
            )
        return cls(input_mode=known, length=length, description=description)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCodeGrant:
    """An offer's grant `authorization_code`: the holder authenticates at the issuer's page.

    Attributes:
        issuer_state: Ties the authorization request to the offer; None where it has none.
        authorization_server: Which of the issuer's servers it is; None for the only one.
    """

    issuer_state: str | None = field(default=None, repr=False)
    authorization_server: str | None = None

    def to_fields(self) -> JsonObject:
        """Return the grant as a JSON object."""
        members = {
            "issuer_state": self.issuer_state,
            "authorization_server": self.authorization_server,
        }
        return {name: value for name, value in members.items() if value is not None}

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the grant that a JSON object stands for; members that are not known are ignored.

        Raises:
            OfferError: A member is not acceptable.
        """
        state, server = fields.get("issuer_state"), fields.get("authorization_server")
        if state is not None and (not isinstance(state, str) or len(state) > MAX_CODE_CHARS):
            raise OfferError("offer: issuer_state is not a text of acceptable length")
        return cls(
            issuer_state=state,
            authorization_server=(
                None if server is None else parse_url(server, "authorization_server")
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialOffer:
    """An issuer's offer. Its repr does not show its codes.

    Attributes:
        credential_issuer: The issuer's identifier, a URL.
        configuration_ids: Names in the issuer's `credential_configurations_supported`.
        pre_authorized_code: The code that a token is had for; None where it has none.
        transaction_code: What the person must type in addition; None for nothing.
        authorization_server: Which of the issuer's servers gives the token; None for the only one.
        authorization_code: How the holder authenticates at the issuer's page; None where the offer
            has no such grant.
    """

    credential_issuer: str
    configuration_ids: tuple[str, ...]
    pre_authorized_code: str | None = field(default=None, repr=False)
    transaction_code: TransactionCode | None = None
    authorization_server: str | None = None
    authorization_code: AuthorizationCodeGrant | None = None

    def to_fields(self) -> JsonObject:
        """Return the offer as a JSON object."""
        grants: JsonObject = {}
        if self.authorization_code is not None:
            grants[AUTHORIZATION_CODE] = self.authorization_code.to_fields()
        if self.pre_authorized_code is not None:
            grant: JsonObject = {"pre-authorized_code": self.pre_authorized_code}
            if self.transaction_code is not None:
                grant["tx_code"] = self.transaction_code.to_fields()
            if self.authorization_server is not None:
                grant["authorization_server"] = self.authorization_server
            grants[PRE_AUTHORIZED_CODE] = grant
        return {
            "credential_issuer": self.credential_issuer,
            "credential_configuration_ids": list(self.configuration_ids),
            "grants": grants,
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the offer that a JSON object stands for; members that are not known are ignored.

        Raises:
            OfferError: A member is missing or not acceptable, or the offer has no grant that is
                known here.
        """
        issuer = parse_url(fields.get("credential_issuer"), "credential_issuer")
        if urlsplit(issuer).query:
            raise OfferError("offer: credential_issuer has no query part")
        names = text_list(fields.get("credential_configuration_ids"))
        if (
            not 1 <= len(names) <= _MAX_CONFIGURATIONS
            or len(set(names)) != len(names)
            or not all(1 <= len(name) <= _MAX_NAME_CHARS for name in names)
        ):
            raise OfferError("offer: credential_configuration_ids is a list of different names")
        grants = fields.get("grants", {})
        if not isinstance(grants, dict):
            raise OfferError("offer: grants is an object")
        by_browser = grants.get(AUTHORIZATION_CODE)
        if not grants:
            # Then the server's metadata says what it takes (section 4.1.1).
            by_browser = {}
        if AUTHORIZATION_CODE in grants and not isinstance(by_browser, dict):
            raise OfferError("offer: the grant authorization_code is an object")
        grant, has_code = grants.get(PRE_AUTHORIZED_CODE, {}), PRE_AUTHORIZED_CODE in grants
        if not isinstance(grant, dict):
            raise OfferError("offer: the grant with the pre-authorized code is an object")
        if not has_code and by_browser is None:
            raise OfferError("offer: it holds no grant that this wallet knows")
        code = grant.get("pre-authorized_code")
        if has_code and (not isinstance(code, str) or not 1 <= len(code) <= MAX_CODE_CHARS):
            raise OfferError("offer: pre-authorized_code is not a text of acceptable length")
        tx_code = grant.get("tx_code")
        if "tx_code" in grant and not isinstance(tx_code, dict):
            raise OfferError("offer: tx_code is an object")
        server = grant.get("authorization_server")
        return cls(
            credential_issuer=issuer,
            configuration_ids=names,
            pre_authorized_code=code if isinstance(code, str) else None,
            # An empty object, too, asks for a code.
            transaction_code=(
                TransactionCode.from_fields(tx_code) if isinstance(tx_code, dict) else None
            ),
            authorization_server=(
                None if server is None else parse_url(server, "authorization_server")
            ),
            authorization_code=(
                AuthorizationCodeGrant.from_fields(by_browser)
                if isinstance(by_browser, dict)
                else None
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReference:
    """Where an offer is to be fetched.

    Attributes:
        uri: `https`, or `http` on this machine. Whoever knows it can fetch the offer.
    """

    uri: str = field(repr=False)


OfferLink: TypeAlias = CredentialOffer | OfferReference


def build_offer_link(offer: OfferLink) -> str:
    """Return the link that opens a wallet; by reference it is short enough for a QR code."""
    match offer:
        case CredentialOffer():
            query = {"credential_offer": encode_json(offer.to_fields()).decode("utf-8")}
        case OfferReference():
            query = {"credential_offer_uri": offer.uri}
    return f"{LINK_SCHEME}://?{urlencode(query)}"


def parse_offer_link(text: str) -> OfferLink:
    """Return the offer that a link or QR code holds, or where it is to be fetched.

    Raises:
        OfferError: Not an `openid-credential-offer://` link with one offer, or the offer is not
            acceptable.
    """
    if len(text) > MAX_LINK_CHARS:
        raise OfferError(f"offer link: longer than {MAX_LINK_CHARS} characters")
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, errors="strict", max_num_fields=32)
    except ValueError:
        raise OfferError("offer link: not a URI") from None
    if parts.scheme != LINK_SCHEME:
        raise OfferError(f"offer link: it begins with {LINK_SCHEME}://")
    values = dict(pairs)
    if len(values) != len(pairs):
        raise OfferError("offer link: a parameter stands there twice")
    match values.get("credential_offer"), values.get("credential_offer_uri"):
        case str() as offer, None:
            try:
                return parse_offer(offer.encode("utf-8"))
            except UnicodeEncodeError:
                raise OfferError("offer link: the offer is not UTF-8") from None
        case None, str() as uri:
            return OfferReference(uri=parse_url(uri, "credential_offer_uri"))
        case _:
            raise OfferError("offer link: either credential_offer or credential_offer_uri is there")


def parse_offer(data: bytes) -> CredentialOffer:
    """Return the offer of a JSON text.

    Raises:
        OfferError: Not a JSON object, or not an acceptable offer.
    """
    try:
        fields = parse_strict_json_object(data)
    except CredentialFormatError as error:
        raise OfferError(f"offer: {error}") from None
    return CredentialOffer.from_fields(fields)


def parse_url(value: JsonValue, name: str) -> str:
    """Return a URL of https, or of http on this machine.

    Raises:
        OfferError: Another scheme, or not a whole URL.
    """
    try:
        return parse_endpoint(value, name)
    except RequestError as error:
        raise OfferError(str(error)) from None
