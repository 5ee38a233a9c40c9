"""JSON from outside: its text, and the members of an object, each of its kind or an error."""

from client_sdk.strict_json.fields import JsonFields as JsonFields
from client_sdk.strict_json.json_text import MAX_DEPTH as MAX_DEPTH
from client_sdk.strict_json.json_text import encode_json as encode_json
from client_sdk.strict_json.json_text import encode_validated_json as encode_validated_json
from client_sdk.strict_json.json_text import parse_strict_json as parse_strict_json
from client_sdk.strict_json.json_text import parse_strict_json_object as parse_strict_json_object
from client_sdk.strict_json.json_text import text_list as text_list
from client_sdk.strict_json.json_text import validate_json as validate_json
