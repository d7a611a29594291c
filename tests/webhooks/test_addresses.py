"""Where partners may send us: to the public internet, encrypted; on a laptop also to the laptop itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from guitaronline import policy
from guitaronline.webhooks import sending
from guitaronline.webhooks.addresses import AddressRefused, is_public, resolve, url_problems
from tests.webhooks.partner import Partner, partner

INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("numeric", INSIDE)
def test_an_address_inside_a_network_is_not_public(numeric: str) -> None:
    assert not is_public(numeric)


@pytest.mark.parametrize("numeric", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public(numeric: str) -> None:
    assert is_public(numeric)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://partner.example/hook", "url_not_https"),
        ("https://user:word@partner.example/hook", "url_with_password"),
        ("https://partner.example/hook#part", "url_with_fragment"),
        ("https://10.0.0.1/hook", "url_not_public"),
        ("https://[::ffff:10.0.0.1]/hook", "url_not_public"),
        ("ftp://partner.example/hook", "url_unreadable"),
        ("https:///hook", "url_unreadable"),
        ("https://partner.example:99999/", "url_unreadable"),
        ("https://partner.example/\r\nX: y", "url_unreadable"),
        ("https://pärtner.example/", "url_unreadable"),
        ("javascript:alert(1)", "url_unreadable"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(app: object, url: str, code: str) -> None:
    assert [each.code for each in url_problems(url)] == [code]


def test_the_machine_itself_is_called_on_a_laptop_and_never_in_production(app: object, heard: Partner) -> None:
    on_a_laptop = (url_problems(heard.url), sending.post(heard.url, b"{}", {}).answer)
    with policy.changed(ENVIRONMENT="production"):
        codes = [each.code for each in url_problems(heard.url)]
        sent = sending.post(heard.url, b"{}", {}).answer

    assert on_a_laptop == ([], "200")
    assert codes == ["url_not_https", "url_not_public"]
    assert (sent, len(heard.got)) == ("address_refused", 1)


def test_a_name_that_leads_inside_is_refused_when_it_is_called(app: object) -> None:
    with policy.changed(ENVIRONMENT="production"), pytest.raises(AddressRefused):
        resolve("localhost", 443)


def test_nobody_listening_is_no_connection(app: object, heard: Partner) -> None:
    assert sending.post("http://127.0.0.1:1/", b"{}", {}).answer == "no_connection"


def test_a_certificate_that_nobody_vouches_for_is_refused(app: object) -> None:
    with partner(trustme.CA().issue_cert("127.0.0.1")) as stranger:
        outcome = sending.post(stranger.url, b"{}", {})

    assert (outcome.answer, stranger.got) == ("tls", [])


def test_an_encrypted_address_is_called_by_its_name(
    app: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    with partner(authority.issue_cert("127.0.0.1")) as known, partner(authority.issue_cert("other.example")) as other:
        answers = [sending.post(each.url, b"{}", {}).answer for each in (known, other)]

    assert answers == ["200", "tls"]


def test_an_answer_that_drips_is_cut_off(app: object, heard: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WHOLE_SECONDS", 0.4)
    heard.drips = True

    outcome = sending.post(heard.url, b"{}", {})

    assert outcome.answer == "timeout"
    assert outcome.milliseconds < 2000
