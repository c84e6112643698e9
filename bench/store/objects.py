"""What PyArrow cannot ask of a storage, and the package of the extra `s3` can: to create an object
only where there is none, so that the storage decides between two writers, and to delete one without
creating another for its folder.
"""

import os
from typing import Any
from urllib.parse import urlsplit

from bench.errors import InputError


def create(uri: str, path: str, content: bytes) -> None:
    """uri: of the folder; path: of the object, its bucket first. Raises FileExistsError, OSError,
    and InputError where the extra is missing."""
    store, key = _store(uri, path)
    from obstore.exceptions import AlreadyExistsError

    try:
        store.put(key, content, mode="create")
    except AlreadyExistsError as error:
        raise FileExistsError(key) from error
    except OSError as error:
        raise OSError(str(error).splitlines()[0]) from None


def delete(uri: str, path: str) -> None:
    """Delete an object; nothing where there is none. Raises as `create` does."""
    store, key = _store(uri, path)
    try:
        store.delete(key)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OSError(str(error).splitlines()[0]) from None


def _store(uri: str, path: str) -> tuple[Any, str]:
    """The bucket of a path, and the key in it."""
    from datetime import timedelta

    try:
        from obstore.store import GCSStore, S3Store
    except ModuleNotFoundError:
        raise InputError(
            uri,
            "nothing here can ask the storage whether another run writes there",
            "allowed: with the extra `s3` installed: pip install 'ptq-vs-qat[s3]'",
        ) from None

    from bench.store.remote import CONNECT_S, REQUEST_S, TRIES, endpoint

    client: Any = {
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "timeout": timedelta(seconds=REQUEST_S),
    }
    bucket, _, key = path.partition("/")
    retry: Any = {"max_retries": TRIES, "retry_timeout": timedelta(seconds=TRIES * REQUEST_S)}
    if urlsplit(uri).scheme == "gs":
        return GCSStore(bucket, client_options=client, retry_config=retry), key
    where, secure = endpoint(uri)
    options: Any = {"region": os.environ.get("AWS_REGION", "us-east-1")}
    if where is not None:
        options["endpoint"] = f"http{'s' if secure else ''}://{where}"
        options["virtual_hosted_style_request"] = False
        client["allow_http"] = not secure
    return S3Store(bucket, client_options=client, retry_config=retry, **options), key
