"""The page where a resident lets a wallet have the credential: Japanese and English, no script."""

from typing import Final
from urllib.parse import urlsplit

from flask import Response
from jinja2 import Environment, StrictUndefined

from node.issuer.authorizations import AuthorizationRequest

STYLE: Final = """
body{font-family:system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;
line-height:1.6}
h1{font-size:1.3rem}
p[lang=en],span[lang=en]{color:#555}
input{font-size:1.4rem;padding:.4rem;width:100%;box-sizing:border-box}
button{font-size:1.1rem;padding:.6rem 1.2rem;margin:.8rem .6rem 0 0}
.refused{border-left:.3rem solid #b00020;padding-left:.8rem}
"""
_HEAD: Final = """<!DOCTYPE html>
<html lang="ja">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ name }}</title>
<link rel="stylesheet" href="/authorize/style.css">
</head>
<body>
"""
_ASK: Final = (
    _HEAD
    + """<h1>{{ name }}</h1>
<p>ウォレット <b>{{ client_id }}</b> が証明書の交付を求めています。</p>
<p lang="en">The wallet <b>{{ client_id }}</b> asks for this credential.</p>
<p>ご自分のスマートフォンで始めた手続きでなければ「拒否」を押してください。</p>
<p lang="en">If you did not start this on your own phone, press Decline.</p>
{% if refused %}<p class="refused" role="alert">コードが正しくないか、期限が切れています。
<span lang="en">The code is wrong, used or expired.</span></p>{% endif %}
<form method="post" action="/authorize" autocomplete="off">
<input type="hidden" name="client_id" value="{{ client_id }}">
<input type="hidden" name="request_uri" value="{{ request_uri }}">
{% if has_offer %}
<label for="code">窓口でお伝えした6桁の番号 <span lang="en">The six digits from the counter</span>
</label>
<input id="code" name="tx_code" inputmode="numeric" maxlength="6">
{% else %}
<label for="code">市から受け取った認証コード
<span lang="en">The authentication code from the city</span></label>
<input id="code" name="authentication_code" maxlength="23" placeholder="XXXXX-XXXXX-XXXXX-XXXXX">
{% endif %}
<button name="decision" value="approve">交付を認める <span lang="en">Approve</span></button>
<button name="decision" value="deny">拒否 <span lang="en">Decline</span></button>
</form>
</body>
</html>
"""
)
_ERROR: Final = (
    _HEAD
    + """<h1>手続きを続けられません</h1>
<p>ウォレットからもう一度始めてください。</p>
<p lang="en">This cannot go on. Please begin again in your wallet.</p>
</body>
</html>
"""
)
_TEMPLATES: Final = Environment(autoescape=True, undefined=StrictUndefined)
_ASK_TEMPLATE: Final = _TEMPLATES.from_string(_ASK)
_ERROR_TEMPLATE: Final = _TEMPLATES.from_string(_ERROR)


def ask_page(
    request: AuthorizationRequest, *, request_uri: str, name: str, is_refused: bool
) -> Response:
    """Return the page that asks the holder.

    Args:
        request: What the wallet asks.
        request_uri: Its name.
        name: The credential's.
        is_refused: Whether an answer before was not acceptable.
    """
    html = _ASK_TEMPLATE.render(
        name=name,
        client_id=request.client_id,
        request_uri=request_uri,
        has_offer=request.issuer_state is not None,
        refused=is_refused,
    )
    # A browser applies form-action to where the form's answer redirects to as well.
    back = urlsplit(request.redirect_uri)
    target = (
        f"{back.scheme}://{back.netloc}" if back.scheme.startswith("http") else back.scheme + ":"
    )
    return _page(html, 400 if is_refused else 200, form_action=f"'self' {target}")


def error_page(name: str) -> Response:
    """Return the page of a request that is shown to nobody's wallet."""
    return _page(_ERROR_TEMPLATE.render(name=name), 400, form_action="'none'")


def _page(html: str, status: int, *, form_action: str) -> Response:
    response = Response(html, status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; form-action {form_action}; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return response
