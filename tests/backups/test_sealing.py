"""A sealed file opens with its key as it was, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guitaronline.backups import sealing
from guitaronline.backups.errors import BackupFailed
from guitaronline.backups.sealing import CHANCE, FRAME, TAG

KEY = b"k" * 32
WHOLE = CHANCE + FRAME + TAG  # a file of one full frame


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """Two full frames and a bit."""
    (tmp_path / "plain").write_bytes(os.urandom(2 * FRAME + 7))
    sealing.seal(tmp_path / "plain", tmp_path / "sealed", KEY)
    return tmp_path / "sealed"


@pytest.mark.parametrize("size", [0, 1, FRAME - 1, FRAME, FRAME + 1])
def test_it_opens_as_it_was(tmp_path: Path, size: int) -> None:
    plain = os.urandom(size)
    (tmp_path / "plain").write_bytes(plain)

    sealing.seal(tmp_path / "plain", tmp_path / "sealed", KEY)
    sealing.unseal(tmp_path / "sealed", tmp_path / "again", KEY)

    assert (tmp_path / "again").read_bytes() == plain


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[:-1],
        lambda content: content[:WHOLE],  # cut off after a whole frame
        lambda content: (
            content[:CHANCE]
            + content[WHOLE : WHOLE + FRAME + TAG]
            + content[CHANCE:WHOLE]
            + content[WHOLE + FRAME + TAG :]
        ),
        lambda content: content[:WHOLE] + bytes([content[WHOLE] ^ 1]) + content[WHOLE + 1 :],
        lambda content: content + b"more",
    ],
    ids=["a byte short", "a frame short", "two frames exchanged", "a bit turned", "something added"],
)
def test_what_was_changed_does_not_open(sealed: Path, tmp_path: Path, harm: object) -> None:
    assert callable(harm)
    sealed.write_bytes(harm(sealed.read_bytes()))

    with pytest.raises(BackupFailed, match="does not open"):
        sealing.unseal(sealed, tmp_path / "again", KEY)


def test_another_key_does_not_open_it(sealed: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="another key"):
        sealing.unseal(sealed, tmp_path / "again", b"x" * 32)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    sealing.make_key(tmp_path / "key")

    with pytest.raises(BackupFailed, match="never overwritten"):
        sealing.make_key(tmp_path / "key")

    assert len(sealing.read_key(str(tmp_path / "key"))) == 32
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
