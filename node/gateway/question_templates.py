"""Questions that verifiers ask often, ready to be asked; each can be changed before it is."""

from dataclasses import dataclass
from typing import Final

from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.purposes import PURPOSE_TERMS, PurposeTerm
from node.gateway.question import FacePolicy, Question
from node.web.languages import gettext_noop

GRANT_SECONDS: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionTemplate:
    """A question that many verifiers ask.

    Attributes:
        name: By which forms name it.
        label: What it is called.
        explanation: What it is good for, for the verifier.
        purpose: What the holder reads as the reason.
        purpose_term: The purpose's term in the vocabulary.
        attributes: What is asked for.
    """

    name: str
    label: str
    explanation: str
    purpose: str
    purpose_term: PurposeTerm
    attributes: tuple[str, ...]

    def question(self, purpose: str, *, face: FacePolicy | None = None) -> Question:
        """Return the question.

        Args:
            purpose: The reason, in the words that the holder is to read.
            face: The face test that is demanded; None for none.
        """
        return Question.for_attributes(
            self.attributes,
            credential_type=RESIDENT_CREDENTIAL_TYPE,
            purpose=purpose,
            grant_seconds=GRANT_SECONDS,
            purpose_term=self.purpose_term,
            face=face,
        )


TEMPLATES: Final = {
    template.name: template
    for template in (
        QuestionTemplate(
            name="residence",
            label=gettext_noop("Certificate of residence"),
            explanation=gettext_noop("Where the person lives, and nothing else."),
            purpose=gettext_noop("Proof of residence"),
            purpose_term=PURPOSE_TERMS["RequestedServiceProvision"],
            attributes=("address",),
        ),
        QuestionTemplate(
            name="age",
            label=gettext_noop("Age check"),
            explanation=gettext_noop("Whether the person is 18 or over; not the date of birth."),
            purpose=gettext_noop("Age check"),
            purpose_term=PURPOSE_TERMS["AgeVerification"],
            attributes=("age_over_18",),
        ),
        QuestionTemplate(
            name="account",
            label=gettext_noop("Bank account"),
            explanation=gettext_noop("What a bank must know of who opens an account."),
            purpose=gettext_noop("Opening a bank account"),
            purpose_term=PURPOSE_TERMS["IdentityVerification"],
            attributes=("name", "address", "birth_date"),
        ),
    )
}
