"""What attributes are asked for: terms of a public vocabulary, with words for people.

The terms are purposes of the W3C Data Privacy Vocabulary (DPV 2.1, module Purposes,
https://w3id.org/dpv): those under which somebody asks a holder for attributes, each with the term
that is broader. A verifier names one and says the rest in its own words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonValue
from client_sdk.errors import UnknownPurposeError

VOCABULARY: Final = "https://w3id.org/dpv#"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeTerm:
    """One purpose of the vocabulary.

    Attributes:
        name: Its name in the vocabulary, such as `AgeVerification`.
        broader: The name of the broader term; None at the top.
        english: What it is called.
        japanese: The same.
    """

    name: str
    broader: str | None
    english: str
    japanese: str

    @property
    def iri(self) -> str:
        """The identifier that requests, registrations and consent records carry."""
        return VOCABULARY + self.name

    def is_within(self, other: "PurposeTerm") -> bool:
        """Tell whether this term is `other`, or narrower: age verification is verification."""
        return other in _with_broader(self)


def parse_identifier(value: JsonValue) -> PurposeTerm:
    """Return the term of an identifier (`https://w3id.org/dpv#...`).

    Raises:
        UnknownPurposeError: It is no term of this list.
    """
    text = value if isinstance(value, str) else ""
    return find_term(text.removeprefix(VOCABULARY) if text.startswith(VOCABULARY) else "")


def find_term(name: str) -> PurposeTerm:
    """Return the term with this name, such as `AgeVerification`.

    Raises:
        UnknownPurposeError: It is no term of this list.
    """
    try:
        return PURPOSE_TERMS[name]
    except KeyError:
        raise UnknownPurposeError(
            f"purpose: a term of {VOCABULARY} is expected, such as {VOCABULARY}{DEFAULT_TERM.name}"
        ) from None


def _with_broader(term: PurposeTerm) -> Iterator[PurposeTerm]:
    yield term
    while term.broader is not None:
        term = PURPOSE_TERMS[term.broader]
        yield term


# name, broader term, English label, Japanese label
_ROWS: Final = (
    ("AccountManagement", None, "Account management", "アカウント管理"),
    ("CommunicationManagement", None, "Communication", "連絡"),
    ("CustomerManagement", None, "Customer management", "顧客管理"),
    ("CustomerCare", "CustomerManagement", "Customer care", "顧客対応"),
    ("EnforceSecurity", None, "Security", "安全の確保"),
    ("EnforceAccessControl", "EnforceSecurity", "Access control", "入場・利用の制限"),
    ("IdentityAuthentication", "EnforceSecurity", "Authentication", "本人認証"),
    ("MisusePreventionAndDetection", "EnforceSecurity", "Prevention of misuse", "不正利用の防止"),
    (
        "FraudPreventionAndDetection",
        "MisusePreventionAndDetection",
        "Prevention of fraud",
        "詐欺の防止",
    ),
    (
        "CounterMoneyLaundering",
        "FraudPreventionAndDetection",
        "Prevention of money laundering",
        "資金洗浄の防止",
    ),
    ("Verification", "EnforceSecurity", "Verification", "確認"),
    ("AgeVerification", "Verification", "Age verification", "年齢確認"),
    ("IdentityVerification", "Verification", "Identity verification", "本人確認"),
    ("EstablishContractualAgreement", None, "Making a contract", "契約の締結"),
    ("FulfilmentOfObligation", None, "Fulfilment of an obligation", "義務の履行"),
    (
        "FulfilmentOfContractualObligation",
        "FulfilmentOfObligation",
        "Fulfilment of a contract",
        "契約の履行",
    ),
    ("LegalCompliance", "FulfilmentOfObligation", "Compliance with the law", "法令の遵守"),
    ("HumanResourceManagement", None, "Human resources", "人事"),
    ("PersonnelHiring", "HumanResourceManagement", "Hiring", "採用"),
    ("Marketing", None, "Marketing", "販売促進"),
    ("Advertising", "Marketing", "Advertising", "広告"),
    ("DirectMarketing", "Marketing", "Direct marketing", "ダイレクトマーケティング"),
    ("Personalisation", None, "Personalisation", "個人向けの調整"),
    ("PublicBenefit", None, "Public benefit", "公益"),
    ("ImproveHealthcare", "PublicBenefit", "Better healthcare", "医療の改善"),
    ("ImprovePublicServices", "PublicBenefit", "Better public services", "公共サービスの改善"),
    ("ProtectionOfPublicSecurity", "PublicBenefit", "Public security", "公共の安全"),
    ("ProvideOfficialStatistics", "PublicBenefit", "Official statistics", "公的統計"),
    ("RecordManagement", None, "Keeping records", "記録の管理"),
    ("ResearchAndDevelopment", None, "Research and development", "研究開発"),
    ("AcademicResearch", "ResearchAndDevelopment", "Academic research", "学術研究"),
    ("ScientificResearch", "ResearchAndDevelopment", "Scientific research", "科学研究"),
    ("ServiceProvision", None, "Provision of a service", "サービスの提供"),
    ("PaymentManagement", "ServiceProvision", "Payment", "支払い"),
    (
        "RequestedServiceProvision",
        "ServiceProvision",
        "A service that you asked for",
        "依頼されたサービスの提供",
    ),
    ("DeliveryOfGoods", "RequestedServiceProvision", "Delivery of goods", "商品の配達"),
    ("SellProducts", "ServiceProvision", "Sale", "販売"),
    ("SellDataToThirdParties", "SellProducts", "Sale of data to others", "第三者へのデータ販売"),
    ("ServiceRegistration", "ServiceProvision", "Registration for a service", "サービスへの登録"),
)

PURPOSE_TERMS: Final = {
    name: PurposeTerm(name=name, broader=broader, english=english, japanese=japanese)
    for name, broader, english, japanese in _ROWS
}
"""Every term, by its name."""
DEFAULT_TERM: Final = PURPOSE_TERMS["RequestedServiceProvision"]
"""What a request is for where its verifier names no term: the holder came to ask for something."""
