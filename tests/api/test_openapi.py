"""The published description: complete, valid, and readable without another host."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest

from guitaronline.api.errors import STATUS
from guitaronline.api.resources import RESOURCES
from tests.api.conftest import Api

ABSENT = [
    "password/forgot",
    "password/reset",
    "verify-email",
]


def operations(documented: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, item[method])
        for path, item in documented["paths"].items()
        for method in item
        if method != "parameters"
    ]


def test_it_is_served_to_anybody_as_openapi_3_1(api: Api, documented: dict[str, Any]) -> None:
    with api.app.test_client() as client:
        answer = client.get("/api/v1/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.get_json() == documented
    assert documented["openapi"] == "3.1.0"


def test_every_schema_in_it_is_a_valid_one(documented: dict[str, Any]) -> None:
    for name in documented["components"]["schemas"]:
        schema = {"$ref": f"#/components/schemas/{name}", "components": documented["components"]}
        assert jsonschema_rs.validator_for(schema)


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_not_built_is_not_published(documented: dict[str, Any], path: str) -> None:
    assert not [each for each in documented["paths"] if path in each]


def test_every_address_of_the_api_is_published(api: Api, documented: dict[str, Any]) -> None:
    rules = {
        re.sub(r"<(?:uuid:)?(\w+)>", r"{\1}", rule.rule)
        for rule in api.app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
    }
    assert rules - {"/api/v1/openapi.json"} == set(documented["paths"])


def test_every_operation_says_who_may_and_what_may_go_wrong(documented: dict[str, Any]) -> None:
    for path, method, operation in operations(documented):
        assert operation["summary"], path
        assert operation["x-who"], path
        assert operation["security"] in ([], [{"bearer": []}]), path
        wrong = {status for status in operation["responses"] if status >= "400"}
        assert {"422", "429", "500", "503"} <= wrong, (path, method)
        assert ("401" in wrong) or not operation["security"], (path, method)
        assert {"400", "413", "415"} <= wrong or method == "get", (path, method)
        assert all("application/problem+json" in operation["responses"][status]["content"] for status in wrong)


def test_every_body_has_limits_and_an_example_that_fits(documented: dict[str, Any]) -> None:
    for path, _, operation in operations(documented):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            name = content["schema"]["$ref"].rpartition("/")[2]
            for field, schema in documented["components"]["schemas"][name]["properties"].items():
                text = (
                    schema.get("type") in ("string", ["string", "null"])
                    and "format" not in schema
                    and "enum" not in schema
                )
                assert "maxLength" in schema or not text, (path, field)
                assert {"minimum", "maximum"} <= set(schema) or schema.get("type") not in (
                    "integer",
                    ["integer", "null"],
                ), (path, field)
            assert documented["components"]["schemas"][name]["additionalProperties"] is False


def test_the_endpoints_declare_only_refusals_that_have_a_number() -> None:
    kinds = {kind for resource in RESOURCES for endpoint in resource.declared for kind in endpoint.refuses}
    assert all(set(kind.__mro__) & set(STATUS) for kind in kinds)


def test_the_page_needs_no_script_and_no_other_host(api: Api) -> None:
    with api.app.test_client() as client:
        page = client.get("/docs")
        style = client.get(re.search(r'href="(/static/[^"]+)"', page.text)[1])  # type: ignore[index]
    assert page.status_code == style.status_code == 200
    look = style.text
    style.close()
    assert "<script" not in page.text
    assert " style=" not in page.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)
    assert "url(" not in look
    assert '<html lang="en">' in page.text
    assert page.text.count("<h1") == 1


def test_every_problem_code_has_its_place_on_the_page(api: Api, documented: dict[str, Any]) -> None:
    with api.app.test_client() as client:
        page = client.get("/docs").text
    said = {
        code
        for _, _, operation in operations(documented)
        for each in operation["responses"].values()
        for code in re.findall(r"`(\w+)`", each["description"])
    }
    assert said >= {
        "slot_taken",
        "hold_expired",
        "no_lessons_left",
        "cancellation_window_closed",
        "invalid_credentials",
        "stale_version",
    }
    assert not [code for code in said | {"not_found", "method_not_allowed"} if f'id="{code}"' not in page]
