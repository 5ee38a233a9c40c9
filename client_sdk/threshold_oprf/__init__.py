"""A pseudorandom function whose key nobody holds: t of n parties evaluate it, and see nothing."""

from client_sdk.threshold_oprf.sharing import KeyShare as KeyShare
from client_sdk.threshold_oprf.sharing import SharedKey as SharedKey
from client_sdk.threshold_oprf.sharing import public_share as public_share
from client_sdk.threshold_oprf.sharing import share_key as share_key
from client_sdk.threshold_oprf.sharing import verify_share as verify_share
from client_sdk.threshold_oprf.threshold import Evaluation as Evaluation
from client_sdk.threshold_oprf.threshold import ThresholdOutput as ThresholdOutput
from client_sdk.threshold_oprf.threshold import combine as combine
from client_sdk.threshold_oprf.threshold import evaluate as evaluate
from client_sdk.threshold_oprf.threshold import verify_evaluation as verify_evaluation
from client_sdk.threshold_oprf.voprf import BlindedInput as BlindedInput
from client_sdk.threshold_oprf.voprf import blind as blind
