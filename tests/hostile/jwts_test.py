# SPDX-License-Identifier: Apache-2.0
"""JWTs that their issuer did not make, or made for others: each row is one hostile input, and what must come of it."""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import time

import hostile
from authority import openssl
from callers import CONFIG, Case

ISSUER = "https://issuer.example"


def base64url(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """An OIDC provider: keys, their JWKS, JWTs."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.key = self.folder / "issuer.key"
        openssl("genrsa", "-out", self.key, "2048")
        self.public_pem = openssl("rsa", "-in", self.key, "-pubout")
        modulus = bytes.fromhex(openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().split("=")[1])
        self.jwks = self.folder / "jwks.json"
        self.jwks.write_text(json.dumps({"keys": [
            {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": base64url(modulus), "e": "AQAB"}]}))

    def claims(self, **more):
        now = int(time.time())
        return {"iss": ISSUER, "aud": "covey-test", "sub": "repo:plant/models", "exp": now + 600, "nbf": now - 5,
                "repository": "plant/models", **more}

    def sign(self, claims, header=None, secret=None):
        header = {"alg": "RS256", "kid": "one", **(header or {})}
        text = f"{base64url(header)}.{base64url(claims)}"
        if secret is not None:
            signature = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        else:
            signature = openssl("dgst", "-sha256", "-sign", self.key, input=text.encode())
        return f"{text}.{base64url(signature)}"


class Jwts(Case):
    def test_jwts(self):
        issuer = Issuer(self.folder)
        access = self.folder / "access.yaml"
        access.write_text("oidc:\n  - {name: forge, issuer: '%s', audience: covey-test, jwks_file: jwks.json,\n"
                          "     rules: [{claims: {repository: plant/*}, role: ci, models: [press-*]}]}\n" % ISSUER)
        site = self.start(CONFIG % "" + f"access: {{file: {access}}}\n")
        good = issuer.sign(issuer.claims())
        self.assertEqual(self.cli(site, "status", token=good).returncode, 0)
        done = self.cli(site, "device", "accept", "--all", token=good)
        self.refused(done, "ROLE_MISSING")
        self.assertIn("forge:repo:plant/models (jwt) has ci", done.stderr)
        head, body, signature = good.split(".")
        now = int(time.time())
        sign, claims = issuer.sign, issuer.claims
        rows = [
            ("alg none", f"{base64url({'alg': 'none', 'kid': 'one'})}.{body}.", "JWT_ALGORITHM"),
            ("alg None", f"{base64url({'alg': 'None', 'kid': 'one'})}.{body}.{signature}", "JWT_ALGORITHM"),
            ("no alg", f"{base64url({'kid': 'one'})}.{body}.{signature}", "JWT_ALGORITHM"),
            ("HS256 with the public key", sign(claims(), {"alg": "HS256"}, issuer.public_pem), "JWT_ALGORITHM"),
            ("RS512", sign(claims(), {"alg": "RS512"}), "JWT_ALGORITHM"),
            ("ES256 of an RSA key", sign(claims(), {"alg": "ES256"}), "JWT_KEY"),
            ("an unknown key", sign(claims(), {"kid": "two"}), "JWT_KEY"),
            ("no key", f"{base64url({'alg': 'RS256'})}.{body}.{signature}", "JWT_KEY"),
            ("a key that is a path", sign(claims(), {"kid": "../../issuer.key"}), "JWT_KEY"),
            ("a key of its own", sign(claims(), {"kid": "mine", "jwk": {"kty": "oct", "k": "AAAA"}}), "JWT_KEY"),
            ("critical extensions", sign(claims(), {"crit": ["b64"], "b64": False}), "JWT_MALFORMED"),
            ("another body", f"{head}.{base64url(claims(repository='plant/root'))}.{signature}", "JWT_SIGNATURE"),
            ("no signature", f"{head}.{body}.", "JWT_SIGNATURE"),
            ("another audience", sign(claims(aud="elsewhere")), "JWT_AUDIENCE"),
            ("no audience", sign({k: v for k, v in claims().items() if k != "aud"}), "JWT_AUDIENCE"),
            ("another issuer", sign(claims(iss="https://evil.example")), "JWT_ISSUER"),
            ("expired", sign(claims(exp=now - 3600)), "JWT_EXPIRED"),
            ("of the future", sign(claims(nbf=now + 3600)), "JWT_NOT_YET"),
            ("without an end", sign({k: v for k, v in claims().items() if k != "exp"}), "JWT_MALFORMED"),
            ("an end that is no number", sign(claims(exp="never")), "JWT_MALFORMED"),
            ("an end beyond all time", sign(claims(exp=1e308)), "JWT_MALFORMED"),
            ("no subject", sign({k: v for k, v in claims().items() if k != "sub"}), "JWT_MALFORMED"),
            ("no rule", sign(claims(repository="other/models")), "JWT_NO_RULE"),
            ("not base64", f"{head}.{body}!.{signature}", "JWT_MALFORMED"),
            ("not JSON", f"{base64url(b'{')}.{body}.{signature}", "JWT_MALFORMED"),
            ("a list", f"{base64url([1])}.{body}.{signature}", "JWT_MALFORMED"),
            ("deep", f"{head}.{base64url(b'[' * 3000)}.{signature}", "JWT_MALFORMED"),
            ("huge", sign(claims(pad="x" * 7_000)), "JWT_MALFORMED"),
        ]
        for what, token, reason in rows:
            with self.subTest(what):
                self.refused(self.cli(site, "status", token=token), reason)
        with self.subTest("a key that the issuer has taken back"):
            issuer.jwks.write_text(Issuer(self.make_folder("other")).jwks.read_text())
            hostile.until(lambda: "[JWT_SIGNATURE]" in self.cli(site, "status", token=good).stderr,
                          "the new keys are taken")
        self.served(site)

    def make_folder(self, name):
        folder = self.folder / name
        folder.mkdir()
        return folder


if __name__ == "__main__":
    sys.exit(hostile.main())
