"""Files in Amazon S3, the adapter of the port `Files`."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from chalicelib.documents.model import Document


class S3Files:
    """`client` is a boto3 s3 client, made only when a file is needed."""

    def __init__(self, client: Callable[[], Any], bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, document: Document, body: bytes) -> None:
        """S3 refuses bytes that are not those of the digest."""
        self._client().put_object(
            Bucket=self._bucket,
            Key=document.key,
            Body=body,
            ContentType=document.content_type,
            ChecksumSHA256=base64.b64encode(bytes.fromhex(document.sha256)).decode(),
        )

    def link(self, document: Document, life: timedelta) -> str:
        """Signed here, without a call; it opens in the browser under a name of its own."""
        asked = {
            "Bucket": self._bucket,
            "Key": document.key,
            "ResponseContentDisposition": f'inline; filename="{document.file_name}"',
            "ResponseCacheControl": "no-store",
        }
        url: str = self._client().generate_presigned_url(
            "get_object", Params=asked, ExpiresIn=int(life.total_seconds())
        )
        return url
