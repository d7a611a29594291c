"""`python -m tests.architecture.secrets`: nothing in the tree looks like a secret that nobody has looked at.

What detect-secrets finds and a person found to be none stands, hashed, in `.ci/no-secrets.json`, by file and without line numbers:
a line may move. `--keep` writes that file anew; its diff is what has to be looked at. In tests, words like `password = …` are
made up by the hundred, so there only what has the form of a provider's key counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from multiprocessing import Pool
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KNOWN = ROOT / ".ci" / "no-secrets.json"
NOT_READ = (".png", ".dump", ".woff2", ".ico", ".pdf", ".xlsx", "no-secrets.json")
ALSO_NOT_READ = ("guitaronline/static/vendor/", "tests/browser/vendor/", "requirements", "bench/requirements")
MADE_UP = ("tests/", "bench/", "guitaronline/demo/")
HANDS = 2
KEYS = """
    ArtifactoryDetector AWSKeyDetector AzureStorageKeyDetector CloudantDetector DiscordBotTokenDetector GitHubTokenDetector
    GitLabTokenDetector IbmCloudIamDetector JwtTokenDetector MailchimpDetector NpmDetector OpenAIDetector PrivateKeyDetector
    PypiTokenDetector SendGridDetector SlackDetector SquareOAuthDetector StripeDetector TelegramBotTokenDetector TwilioKeyDetector
    """.split()
WORDS: list[dict[str, Any]] = [
    {"name": "BasicAuthDetector"},
    {"name": "KeywordDetector"},
    {"name": "Base64HighEntropyString", "limit": 4.5},
    {"name": "HexHighEntropyString", "limit": 3.0},
]
FILTERS = """
    allowlist.is_line_allowlisted heuristic.is_sequential_string heuristic.is_potential_uuid heuristic.is_likely_id_string
    heuristic.is_templated_secret heuristic.is_indirect_reference heuristic.is_prefixed_with_dollar_sign
    heuristic.is_not_alphanumeric_string
    """.split()
Found = dict[str, dict[str, str]]  # file → hash → where and what
Known = dict[str, list[str]]  # file → hashes


def files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [each for each in listed if not each.endswith(NOT_READ) and not each.startswith(ALSO_NOT_READ)]


def scanned(paths: Iterable[str]) -> Found:
    """What looks like a secret, file by file; two processes share the reading."""
    with Pool(HANDS) as pool:
        found = pool.map(look_into, sorted(paths), chunksize=40)
    return {path: hashes for path, hashes in found if hashes}


def look_into(path: str) -> tuple[str, dict[str, str]]:
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import transient_settings

    plugins = [{"name": each} for each in KEYS] + ([] if path.startswith(MADE_UP) else WORDS)
    filters = [{"path": f"detect_secrets.filters.{each}"} for each in FILTERS]
    with transient_settings({"plugins_used": plugins, "filters_used": filters}):
        return path, {each.secret_hash: f"{each.line_number}: {each.type}" for each in scan_file(str(ROOT / path))}


def news(found: Found, known: Known) -> list[str]:
    """What nobody has looked at, and what is kept for nothing."""
    new = [f"{path}:{found[path][each]}" for path in found for each in set(found[path]) - set(known.get(path, []))]
    idle = [
        f"{path}: {each} is there no more" for path in known for each in set(known[path]) - set(found.get(path, {}))
    ]
    return sorted(new) + sorted(idle)


def main(keep: bool) -> int:
    found = scanned(files())
    if keep:
        KNOWN.write_text(
            json.dumps({path: sorted(hashes) for path, hashes in found.items()}, indent=1, sort_keys=True) + "\n"
        )
        return 0
    wrong = news(found, json.loads(KNOWN.read_text()))
    sys.stderr.writelines(f"{each}; see tests/architecture/secrets.py\n" for each in wrong)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(keep=sys.argv[1:] == ["--keep"]))
