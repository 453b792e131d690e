"""A store in a bucket, through the minio SDK (MinIO, SeaweedFS).

The endpoint comes from NASOA_S3_ENDPOINT, the region from AWS_REGION if it is set, and the keys
from the variables in `nasoa/store/s3_keys.py`. Messages never contain keys.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Object
from minio.error import MinioException, S3Error

from nasoa.errors import ObjectNotFound, StoreFailed, StoreUnavailable
from nasoa.store.counted_retry import CountedRetry
from nasoa.store.protocol import ObjectStat, check_key
from nasoa.store.s3_keys import s3_keys

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 30.0
T = TypeVar("T")

# A restart of the server within two seconds goes unnoticed.
RETRIES = 3
PAUSE_S = 0.4  # pauses between attempts start with this and double
PIECE_BYTES = 1024**2
_MISSING = {"NoSuchKey", "NoSuchObject", "NotFound"}
# The server did not receive what was sent; the same request may succeed.
_DAMAGED = {"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "RequestTimeout"}


class S3Store:
    """Objects under a prefix of a bucket."""

    def __init__(
        self, client: Minio, bucket: str, prefix: str, endpoint: str, http: urllib3.PoolManager
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix + "/" if prefix else ""
        self._endpoint = endpoint
        self._http = http
        self._bucket_is_there = False
        self._is_conditional = False

    @classmethod
    def from_uri(cls, uri: str) -> S3Store:
        """Open the store at `s3://bucket/prefix`, with endpoint and keys from the environment.

        Raises:
            StoreUnavailable: the URI or the environment is incomplete or invalid.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if not bucket:
            raise StoreUnavailable(f"expected a store like s3://bucket/prefix, got {uri!r}")
        endpoint = os.environ.get("NASOA_S3_ENDPOINT", "")
        address = urlsplit(endpoint)
        if (
            address.scheme not in ("http", "https")
            or not address.hostname
            or address.path.strip("/")
        ):
            raise StoreUnavailable(
                "expected NASOA_S3_ENDPOINT to be like http://minio.example:9000, "
                f"got {endpoint!r}; set it to use {uri}"
            )
        keys = s3_keys(uri)
        http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            retries=CountedRetry(
                total=RETRIES, backoff_factor=PAUSE_S, status_forcelist=[500, 502, 503, 504]
            ),
            maxsize=16,
        )
        client = Minio(
            address.netloc,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            session_token=keys.session_token,
            region=os.environ.get("AWS_REGION", "us-east-1"),
            secure=address.scheme == "https",
            http_client=http,
        )
        return cls(client, bucket, prefix.strip("/"), endpoint, http)

    @property
    def uri(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def get(self, key: str) -> bytes:
        """See `ArtifactStore.get`."""
        return self._received(key, lambda response: response.read())

    def download(self, key: str, path: Path) -> None:
        """See `ArtifactStore.download`."""

        def write(response: urllib3.BaseHTTPResponse) -> None:
            with path.open("wb") as file:
                for piece in response.stream(PIECE_BYTES):
                    file.write(piece)

        self._received(key, write)

    def put(self, key: str, data: bytes) -> None:
        """See `ArtifactStore.put`."""
        name = self._name(key)
        with self._requests(key):
            for attempt in range(RETRIES + 1):
                _pause(attempt)
                try:
                    self._client.put_object(self._bucket, name, io.BytesIO(data), len(data))
                except S3Error as error:
                    # The keys were accepted before, so the content is not what was signed.
                    is_damaged = error.code in {*_DAMAGED, "SignatureDoesNotMatch"}
                    if not is_damaged or attempt == RETRIES:
                        raise
                else:
                    return

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See `ArtifactStore.put_if_absent`.

        The SDK has no argument for conditional writes, so it only signs the URL, and the request
        is sent with `If-None-Match: *`. A retry may find the object that an earlier attempt wrote.
        So after a failed attempt, and only then, equal content counts as written by this call.

        Raises:
            StoreUnavailable: the server ignores the condition.
        """
        name = self._name(key)
        with self._requests(key):
            self._check_conditions()
            for attempt in range(RETRIES + 1):
                _pause(attempt)
                answer = self._put_once(name, data)
                if answer is True:
                    return True
                if answer is False:
                    return attempt > 0 and self.get(key) == data
        raise self._failed("it does not answer, or answers with a server error")

    def _check_conditions(self) -> None:
        """Check, once, that the server does not overwrite an object in a conditional write.

        If it ignored `If-None-Match`, two tasks could make the same version.
        """
        if self._is_conditional:
            return
        name = self._name(f"doctor/{secrets.token_hex(8)}")
        try:
            first = self._put_once(name, b"first")
            second = self._put_once(name, b"second") if first else None
            self._client.remove_object(self._bucket, name)
        except (StoreUnavailable, MinioException):
            return  # there is no permission to write there, so this cannot be checked
        if second:
            raise StoreUnavailable(
                f"{self._endpoint} ignores If-None-Match, so that two tasks could write one "
                f"object of {self.uri}; use MinIO, SeaweedFS, or S3 itself"
            )
        self._is_conditional = second is False

    def _put_once(self, name: str, data: bytes) -> bool | None:
        """Return whether the object was absent and is now written; None if the server failed.

        The server compares the content with its MD5. A conflict of two writers (409) is resolved by
        the next attempt.
        """
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        url = self._client.get_presigned_url(
            "PUT", self._bucket, name, expires=timedelta(minutes=10)
        )
        try:
            response = self._http.request(
                "PUT",
                url,
                body=data,
                headers={"If-None-Match": "*", "Content-MD5": digest},
                retries=False,
            )
        except urllib3.exceptions.HTTPError:
            return None
        if response.status == 200:
            return True
        if response.status == 412:
            return False
        answer = response.data.decode(errors="replace")
        if response.status in (409, 429) or response.status >= 500:
            return None
        if any(code in answer for code in _DAMAGED):
            return None
        raise self._refused(answer, response.status)

    def list(self, prefix: str = "", after: str = "") -> list[str]:
        """See `ArtifactStore.list`."""
        return sorted(name for name, _ in self._listed(prefix, after))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """See `ArtifactStore.sizes`."""
        return {name: item.size or 0 for name, item in self._listed(prefix)}

    def etags(self, prefix: str = "") -> dict[str, str]:
        """See `ArtifactStore.etags`."""
        return {name: item.etag or "" for name, item in self._listed(prefix)}

    def stat(self, key: str) -> ObjectStat:
        """See `ArtifactStore.stat`."""
        with self._requests(key):
            found = self._client.stat_object(self._bucket, self._name(key))
        if found.size is None or found.last_modified is None:
            raise StoreUnavailable(f"{self._endpoint} reports no size and time of {key!r}")
        return ObjectStat(found.size, found.last_modified)

    def delete(self, key: str) -> None:
        """See `ArtifactStore.delete`."""
        with self._requests(key):
            self._client.remove_object(self._bucket, self._name(key))

    def _received(self, key: str, take: Callable[[urllib3.BaseHTTPResponse], T]) -> T:
        """Return what `take` makes of an object's content; retry if a response breaks off."""
        name = self._name(key)
        attempt = 0
        with self._requests(key):
            while True:
                _pause(attempt)
                attempt += 1
                response = self._client.get_object(self._bucket, name)
                try:
                    return take(response)
                except urllib3.exceptions.HTTPError:
                    if attempt > RETRIES:
                        raise
                finally:
                    response.close()
                    response.release_conn()

    def _listed(self, prefix: str, after: str = "") -> Sequence[tuple[str, Object]]:
        """Return key and description of each object; each request lists up to a thousand."""
        with self._requests(prefix):
            found = self._client.list_objects(
                self._bucket,
                prefix=self._prefix + prefix,
                recursive=True,
                start_after=self._prefix + after if after else None,
            )
            return [
                (item.object_name.removeprefix(self._prefix), item)
                for item in found
                if item.object_name and not item.is_dir
            ]

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    @contextmanager
    def _requests(self, key: str) -> Iterator[None]:
        """Check the bucket before requests about a key, and translate their errors."""
        try:
            self._check_bucket()
            yield
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise self._explained(error, key) from None

    def _check_bucket(self) -> None:
        """Check once that the bucket exists, because some servers create one at the first write."""
        if self._bucket_is_there:
            return
        try:
            exists = self._client.bucket_exists(self._bucket)
        except S3Error as error:
            if error.code != "AccessDenied":
                raise
            # Rights for some prefixes of a bucket do not include this request.
            exists = self._are_keys_valid()
        if not exists:
            raise self._refused("NoSuchBucket", None)
        self._bucket_is_there = True

    def _are_keys_valid(self) -> bool:
        """Check that the server accepts the keys, whatever they allow.

        The answer to a request for the bucket has no body, so invalid keys and missing rights look
        the same there.

        Raises:
            S3Error: the keys are invalid, or there is no such bucket.
        """
        try:
            next(iter(self._client.list_objects(self._bucket, f"{self._prefix}doctor/")), None)
        except S3Error as error:
            if error.code != "AccessDenied":
                raise
        return True

    def _explained(self, error: Exception, key: str) -> Exception:
        """Return an error whose message says in one line what is wrong and what to do."""
        if isinstance(error, S3Error):
            if error.code in _MISSING:
                return ObjectNotFound(self.uri, key)
            if error.response.status >= 500 or error.code in _DAMAGED:
                return self._failed(f"{error.code} {error.message}")
            return self._refused(f"{error.code} {error.message}", None)
        return StoreFailed(
            f"the store {self.uri} cannot be reached at {self._endpoint}; "
            "check NASOA_S3_ENDPOINT and that the server is running"
        )

    def _failed(self, answer: str) -> StoreFailed:
        return StoreFailed(
            f"{self._endpoint} failed for {self.uri}: {' '.join(answer.split())[:200]}"
        )

    def _refused(self, answer: str, status: int | None) -> StoreUnavailable:
        if "NoSuchBucket" in answer:
            return StoreUnavailable(
                f"the bucket {self._bucket!r} is not at {self._endpoint}; create it or name another"
            )
        denied = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
        if status in (401, 403) or any(code in answer for code in denied):
            return StoreUnavailable(
                f"{self._endpoint} refuses these credentials for {self.uri}; "
                "check the keys in the environment"
            )
        first_line = " ".join(answer.split())[:200]
        return StoreUnavailable(f"{self._endpoint} refuses {self.uri}: {first_line or status}")


def _pause(attempt: int) -> None:
    """Wait before an attempt, unless it is the first."""
    if attempt:
        time.sleep(PAUSE_S * 2 ** (attempt - 1))
