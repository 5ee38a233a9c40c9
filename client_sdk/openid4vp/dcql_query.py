"""What a verifier asks for: a query of DCQL as values (OpenID4VP 1.0 section 6)."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.openid4vp.claims_path import ClaimsPath

SD_JWT_VC: Final = "dc+sd-jwt"
W3C_FORMATS: Final = ("ldp_vc", "jwt_vc_json", "vc+sd-jwt", "vc+jwt")
"""W3C credentials: by Data Integrity and as plain JWT (Appendix B.1), and those of VC-JOSE-COSE by
their media types; all are asked for by `type_values`."""
AKI: Final = "aki"
"""Trusted authorities that are named by their key identifiers (section 6.1.1.1)."""
LEDGER_AUTHORITY: Final = "tegata_ledger"
"""Trusted authorities of our own kind: the registry of issuers on the ledger with this id."""

Scalar: TypeAlias = str | int | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsQuery:
    """One claim that is asked for.

    Attributes:
        path: Where it is in the credential.
        id: Its name within the query; `claim_sets` need it.
        values: The values of interest, or none for any. The wallet looks at them; a verifier must
            not rely on it (section 6.4.1).
    """

    path: ClaimsPath
    id: str | None = None
    values: tuple[Scalar, ...] = ()

    def to_fields(self) -> JsonObject:
        """Return the JSON form."""
        fields: JsonObject = {"path": list(self.path)}
        if self.id is not None:
            fields["id"] = self.id
        if self.values:
            fields["values"] = list(self.values)
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedAuthorities:
    """Authorities of which one should have certified the issuer (section 6.1.1).

    Attributes:
        type: How they are named; `aki` is the kind that a credential can be compared with here.
        values: Their names, at least one.
    """

    type: str
    values: tuple[str, ...]

    def to_fields(self) -> JsonObject:
        """Return the JSON form."""
        return {"type": self.type, "values": list(self.values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialQuery:
    """One credential that is asked for, or several of one kind.

    Attributes:
        id: Its name within the query and the response.
        format: The credential format identifier.
        vct_values: For `dc+sd-jwt`: the credential types that will do; at least one.
        type_values: For W3C credentials: sets of types; the credential must have one of them whole.
        claims: The claims to show; none asks for no selectively disclosable claim.
        claim_sets: Combinations of claims by their ids, the preferred first; none asks for all.
        multiple: Whether more than one credential may be shown.
        trusted_authorities: One of them should have certified the issuer; none for any.
        holder_binding: Whether the holder must prove to be the one whom it was issued to.
    """

    id: str
    format: str = SD_JWT_VC
    vct_values: tuple[str, ...] = ()
    type_values: tuple[tuple[str, ...], ...] = ()
    claims: tuple[ClaimsQuery, ...] = ()
    claim_sets: tuple[tuple[str, ...], ...] = ()
    multiple: bool = False
    trusted_authorities: tuple[TrustedAuthorities, ...] = ()
    holder_binding: bool = True

    def combinations(self) -> tuple[tuple[ClaimsQuery, ...], ...]:
        """Return the combinations of claims of which one is asked for, the preferred first."""
        if not self.claim_sets:
            return (self.claims,)
        by_id = {claim.id: claim for claim in self.claims}
        return tuple(tuple(by_id[name] for name in names) for names in self.claim_sets)

    def to_fields(self) -> JsonObject:
        """Return the JSON form; what has its default value is left out."""
        meta: JsonObject = {}
        if self.format == SD_JWT_VC:
            meta["vct_values"] = list(self.vct_values)
        elif self.format in W3C_FORMATS:
            meta["type_values"] = [list(types) for types in self.type_values]
        fields: JsonObject = {"id": self.id, "format": self.format, "meta": meta}
        if self.claims:
            fields["claims"] = [claim.to_fields() for claim in self.claims]
        if self.claim_sets:
            fields["claim_sets"] = [list(names) for names in self.claim_sets]
        if self.multiple:
            fields["multiple"] = True
        if self.trusted_authorities:
            fields["trusted_authorities"] = [
                authorities.to_fields() for authorities in self.trusted_authorities
            ]
        if not self.holder_binding:
            fields["require_cryptographic_holder_binding"] = False
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSetQuery:
    """Which credentials together serve one end (section 6.2).

    Attributes:
        options: Sets of credential query ids, one of which does.
        required: Whether the request is answered at all without it.
    """

    options: tuple[tuple[str, ...], ...]
    required: bool = True

    def to_fields(self) -> JsonObject:
        """Return the JSON form."""
        options: list[JsonValue] = [list(option) for option in self.options]
        return {"options": options} if self.required else {"options": options, "required": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class DcqlQuery:
    """The credentials that are asked for.

    Attributes:
        credentials: At least one, each id once.
        credential_sets: Which of them are needed together; none asks for all.
    """

    credentials: tuple[CredentialQuery, ...]
    credential_sets: tuple[CredentialSetQuery, ...] = ()

    @property
    def sets(self) -> tuple[CredentialSetQuery, ...]:
        """The sets as they are asked for, also where the query names none."""
        everything = tuple(credential.id for credential in self.credentials)
        return self.credential_sets or (CredentialSetQuery(options=(everything,)),)

    def find(self, query_id: str) -> CredentialQuery | None:
        """Return the credential query with an id."""
        return next((query for query in self.credentials if query.id == query_id), None)

    def to_fields(self) -> JsonObject:
        """Return the JSON form: the value of `dcql_query`."""
        fields: JsonObject = {"credentials": [query.to_fields() for query in self.credentials]}
        if self.credential_sets:
            fields["credential_sets"] = [sets.to_fields() for sets in self.credential_sets]
        return fields
