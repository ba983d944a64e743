"""Download one large file so that a broken connection costs nothing and a wrong file is never used."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from cs231n_lib.store import DataError

CHUNK = 1 << 20  # bytes read at a time
TIMEOUT = (10, 60)  # seconds to connect, and to wait for the next bytes


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, *, size: int, sha256: str, advice: str) -> None:
    """Raise DataError unless the file has this many bytes and this SHA-256; advice ends the message."""
    found = path.stat().st_size
    if found != size:
        raise DataError(f"check_file: {path} must have {size:,} bytes, got {found:,}; {advice}")
    digest = sha256_of(path)
    if digest != sha256:
        raise DataError(f"check_file: {path} must have SHA-256 {sha256}, got {digest}; {advice}")


def download(url: str, target: Path, *, size: int, sha256: str, advice: str, quiet: bool = False) -> None:
    """Fetch url into target, which must turn out to have `size` bytes and the given SHA-256.

    Bytes go to `<target>.part`. When the connection breaks, that file stays and the next call asks the server for
    the rest (HTTP Range); a file that is complete and wrong is deleted. `advice` (str) ends every error message.
    Raises DataError; target appears only when it is right.
    """
    import requests  # here, because `import cs231n_lib.data` must be fast
    from tqdm.auto import tqdm

    part = target.with_name(target.name + ".part")
    try:
        have = part.stat().st_size if part.exists() else 0
        if have < size:
            # Some servers label a .tar.gz "Content-Encoding: gzip"; asking for identity and reading the raw stream
            # below keep the archive's own bytes, whose hash we know.
            headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
            with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
                have = _check_response(url, response.status_code, response.headers, have, size, advice)
                with (
                    part.open("ab" if have else "wb") as file,
                    tqdm(
                        total=size, initial=have, desc=target.name, unit="B", unit_scale=True, disable=quiet
                    ) as progress,
                ):
                    for chunk in response.raw.stream(CHUNK, decode_content=False):
                        file.write(chunk)
                        progress.update(len(chunk))
                        if file.tell() > size:
                            break  # longer than the file we want: check_file below says so
    except (requests.RequestException, OSError) as error:
        raise _broken(url, part, size, advice, f"{type(error).__name__}: {error}") from error
    except Exception as error:
        if type(error).__module__.startswith("urllib3"):  # the raw stream raises urllib3's own errors
            raise _broken(url, part, size, advice, type(error).__name__) from error
        raise
    if part.stat().st_size < size:
        raise _broken(url, part, size, advice, "the connection closed early")
    try:
        check_file(part, size=size, sha256=sha256, advice=f"it came from {url}; {advice}")
    except DataError:
        part.unlink()
        raise
    os.replace(part, target)


def _check_response(url: str, status: int, headers: Mapping[str, str], have: int, size: int, advice: str) -> int:
    """Return how many bytes already on disk the answer continues; raise DataError when it is not the file."""
    if status not in (200, 206):
        raise DataError(f"download: {url} must answer with the file, got HTTP status {status}; {advice}")
    kind = headers.get("Content-Type", "")
    if kind.startswith("text/html"):  # a login page of the network, or an error page sent with status 200
        raise DataError(f"download: {url} must answer with an archive, got a web page ({kind}); {advice}")
    if status == 200:
        return 0  # the server ignored the range: start again
    if headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0] != str(have):
        found = headers.get("Content-Range")
        raise DataError(f"download: {url} must continue at byte {have}, got Content-Range {found!r}; {advice}")
    return have


def _broken(url: str, part: Path, size: int, advice: str, reason: str) -> DataError:
    have = part.stat().st_size if part.exists() else 0
    return DataError(
        f"download: {url} must deliver {part.stem} whole, got {have:,} of {size:,} bytes ({reason}); "
        f"run the command again to resume, or {advice}"
    )


def is_url(source: str) -> bool:
    """Tell a URL from a path; "C:\\data" has a colon too, but one letter is no scheme of ours."""
    return urlsplit(source).scheme in ("http", "https", "file")
