"""The keys that the store reads from the environment, and its errors if they are missing."""

from __future__ import annotations

import pytest

from nasoa.errors import StoreUnavailable
from nasoa.store.s3_keys import S3Keys, s3_keys

OWN = {"NASOA_S3_ACCESS_KEY_ID": "own-id", "NASOA_S3_SECRET_ACCESS_KEY": "own-secret"}
AWS = {
    "AWS_ACCESS_KEY_ID": "aws-id",
    "AWS_SECRET_ACCESS_KEY": "aws-secret",
    "AWS_SESSION_TOKEN": "aws-token",
}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (OWN, S3Keys("own-id", "own-secret", None)),
        (AWS, S3Keys("aws-id", "aws-secret", "aws-token")),
        ({**AWS, **OWN}, S3Keys("own-id", "own-secret", None)),
        (
            {**AWS, **OWN, "NASOA_S3_SESSION_TOKEN": "own-token"},
            S3Keys("own-id", "own-secret", "own-token"),
        ),
        ({**AWS, "NASOA_S3_ACCESS_KEY_ID": ""}, S3Keys("aws-id", "aws-secret", "aws-token")),
    ],
)
def test_own_names_come_first_and_pairs_are_not_mixed(
    environment: dict[str, str], expected: S3Keys
) -> None:
    assert s3_keys("s3://bucket", environment) == expected


@pytest.mark.parametrize("name", [*OWN, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_half_a_pair_is_refused(name: str) -> None:
    given = {**AWS, **OWN} if name in OWN else dict(AWS)
    del given[name]
    with pytest.raises(StoreUnavailable, match=f"expected {name} to be set"):
        s3_keys("s3://bucket", given)


def test_no_key_is_ever_shown() -> None:
    shown = repr(s3_keys("s3://bucket", AWS))
    assert not any(value in shown for value in AWS.values())
