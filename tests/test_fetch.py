"""The CIFAR-10 archive: download, resume, refusal. A small fake archive comes from a server on this machine."""

import hashlib
import io
import os
import pickle
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from cs231n_lib import store
from cs231n_lib.batches import read_batch
from cs231n_lib.cifar10 import FOLDER, Archive, get_cifar10, official_archive
from cs231n_lib.data import DataError, load_dataset

CLASSES = ("ant", "bee", "cow")
PER_BATCH, TEST = 4, 6  # images
IMAGES = np.random.default_rng(0).integers(0, 256, (5 * PER_BATCH + TEST, 32, 32, 3), dtype=np.uint8)
LABELS = [i % 3 for i in range(len(IMAGES))]


def python2_pickle(rows, labels):
    """A batch as Python 2 and its NumPy wrote it, opcode by opcode: byte strings, and numpy.core.multiarray."""
    raw = rows.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"  # _reconstruct(ndarray, (0,), "b")
        + b"(K\x01(M" + len(rows).to_bytes(2, "little") + b"M\x00\x0ct"  # state: version 1, shape (n, 3072),
        + b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"  # dtype,
        + b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb"  # row-major, the bytes
    )  # fmt: skip
    names = b"(" + b"".join(b"K" + bytes([k]) for k in labels) + b"l"
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels" + names + b"u."


def batch_files():
    """File name to pickle for a whole fake archive; some written as by Python 2 and some by Python 3."""
    rows = IMAGES.transpose(0, 3, 1, 2).reshape(len(IMAGES), 3072)
    files = {"batches.meta": pickle.dumps({b"label_names": [c.encode() for c in CLASSES]}, protocol=2)}
    for i in range(6):
        part = slice(i * PER_BATCH, (i + 1) * PER_BATCH if i < 5 else None)
        name = f"data_batch_{i + 1}" if i < 5 else "test_batch"
        if i % 2:
            files[name] = pickle.dumps({b"data": rows[part], b"labels": LABELS[part]}, protocol=2)
        else:
            files[name] = python2_pickle(rows[part], LABELS[part])
    return files


def tarball(files, extra=()):
    """Bytes of a tar.gz with `files` in the official folder, and (TarInfo, bytes) members as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, blob in files.items():
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size = len(blob)
            tar.addfile(member, io.BytesIO(blob))
        for member, blob in extra:
            tar.addfile(member, io.BytesIO(blob))
    return buffer.getvalue()


def expected(blob, url="http://127.0.0.1:9/cifar-10-python.tar.gz"):
    digest = hashlib.sha256(blob).hexdigest()
    return Archive(
        title="CIFAR-10", url=url, size=len(blob), sha256=digest, classes=CLASSES, train=5 * PER_BATCH, test=TEST
    )


@pytest.fixture(scope="module")
def good():
    return tarball(batch_files())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CS231N_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server():
    """A server with faults to order: `server.blob`, `.status`, `.kind`, `.ranges`, `.cut`; it notes `.asked`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            httpd = self.server
            asked = self.headers.get("Range")
            httpd.asked.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and httpd.ranges else 0
            body = httpd.blob[start:]
            self.send_response(206 if start else httpd.status)
            self.send_header("Content-Type", httpd.kind)
            self.send_header("Content-Encoding", httpd.encoding)
            self.send_header("Content-Length", str(len(body)))
            if start:
                self.send_header(
                    "Content-Range", f"bytes {start + httpd.shift}-{len(httpd.blob) - 1}/{len(httpd.blob)}"
                )
            self.end_headers()
            self.wfile.write(body[: httpd.cut])

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.asked, httpd.status, httpd.kind, httpd.ranges, httpd.cut = [], 200, "application/x-gzip", True, None
    httpd.encoding, httpd.shift = "identity", 0
    httpd.url = f"http://127.0.0.1:{httpd.server_address[1]}/cifar-10-python.tar.gz"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def leftovers(cache):
    return sorted(p.name for p in cache.iterdir()) if cache.exists() else []


def check_stored():
    data = load_dataset("cifar10", quiet=True)
    assert data.classes == CLASSES
    np.testing.assert_array_equal(data.train.images, IMAGES[: 5 * PER_BATCH])
    np.testing.assert_array_equal(data.test.images, IMAGES[5 * PER_BATCH :])
    assert data.train.labels.tolist() + data.test.labels.tolist() == LABELS


def test_a_download_is_stored_in_the_official_order(cache, server, good):
    server.blob = good
    get_cifar10(archive=expected(good, server.url), quiet=True)
    check_stored()
    assert leftovers(cache) == ["cifar10"]


def test_a_server_that_calls_the_archive_gzip_encoded_changes_nothing(cache, server, good):
    server.blob, server.encoding = good, "gzip"
    get_cifar10(archive=expected(good, server.url), quiet=True)
    check_stored()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_resumes_where_it_stopped(cache, server, good, ranges):
    server.blob, server.cut, server.ranges = good, 1000, ranges
    with pytest.raises(
        DataError, match=r"must deliver .*cifar-10-python.tar.gz whole, got 1,000 of .* again to resume, or"
    ):
        get_cifar10(archive=expected(good, server.url), quiet=True)
    assert leftovers(cache) == [".cifar-10-python.tar.gz.part"]
    server.cut = None
    get_cifar10(archive=expected(good, server.url), quiet=True)
    check_stored()
    assert server.asked == [None, "bytes=1000-"]
    assert leftovers(cache) == ["cifar10"]


def test_a_complete_part_file_needs_no_server(cache, good):
    cache.mkdir()
    (cache / ".cifar-10-python.tar.gz.part").write_bytes(good)
    get_cifar10(archive=expected(good), quiet=True)
    check_stored()


def test_an_answer_for_another_range_is_refused(cache, server, good):
    server.blob, server.shift = good, 5
    cache.mkdir()
    (cache / ".cifar-10-python.tar.gz.part").write_bytes(good[:100])
    with pytest.raises(DataError, match="must continue at byte 100, got Content-Range 'bytes 105-"):
        get_cifar10(archive=expected(good, server.url), quiet=True)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"status": 404}, "must answer with the file, got HTTP status 404"),
        ({"kind": "text/html; charset=utf-8"}, r"must answer with an archive, got a web page \(text/html"),
        ({"change": lambda b: b[:-1] + b"?"}, "must have SHA-256 .*, got "),
        ({"change": lambda b: b + b"more"}, "must have .* bytes, got "),
    ],
)
def test_a_wrong_answer_is_refused_with_the_way_by_hand_and_nothing_stays(cache, server, good, fault, message):
    archive = expected(good, server.url)
    server.blob = fault.get("change", bytes)(good)
    server.status, server.kind = fault.get("status", 200), fault.get("kind", server.kind)
    with pytest.raises(DataError, match=message) as caught:
        get_cifar10(archive=archive, quiet=True)
    assert server.url in str(caught.value)
    assert "cs231n data get cifar10 --from FILE" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert leftovers(cache) == []


def test_no_server_at_all_is_one_clear_line(cache, good):
    with pytest.raises(DataError, match=r"must deliver .* whole, got 0 of .*ConnectionError.*--from FILE"):
        get_cifar10(archive=expected(good), quiet=True)
    assert leftovers(cache) == []


def test_a_mirror_a_file_url_a_tarball_and_a_folder_all_do(tmp_path, cache, server, good):
    server.blob = good
    path = tmp_path / "mine.tar.gz"
    path.write_bytes(good)
    folder = tmp_path / FOLDER
    folder.mkdir()
    for name, blob in batch_files().items():
        (folder / name).write_bytes(blob)
    for source in (server.url, path.as_uri(), path, str(path), folder, tmp_path):
        get_cifar10(source, archive=expected(good), quiet=True)
        check_stored()
        store.remove_dataset("cifar10")
    assert path.read_bytes() == good
    assert leftovers(cache) == []


def test_a_truncated_wrong_or_absent_file_is_refused(tmp_path, cache, good):
    path = tmp_path / "mine.tar.gz"
    path.write_bytes(good[:-100])
    with pytest.raises(DataError, match=r"mine.tar.gz must have .* bytes, got .*; to import it by hand, fetch http"):
        get_cifar10(path, archive=expected(good), quiet=True)
    path.write_bytes(bytes(len(good)))
    with pytest.raises(DataError, match=r"mine.tar.gz must have SHA-256"):
        get_cifar10(path, archive=expected(good), quiet=True)
    with pytest.raises(DataError, match=r"source must be a tarball, a folder or a URL, got .* not found"):
        get_cifar10(tmp_path / "nowhere", archive=expected(good), quiet=True)
    with pytest.raises(DataError, match=r"must be the folder cifar-10-batches-py with batches.meta in it"):
        get_cifar10(cache.parent, archive=expected(good), quiet=True)
    assert leftovers(cache) == []


def member(name, kind=tarfile.REGTYPE, size=0, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, target
    return info, bytes(size)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (member(f"{FOLDER}/../../evil", size=3), r"must lie in cifar-10-batches-py/, got .*evil'; refused"),
        (member("/etc/evil", size=3), "must lie in"),
        (member("elsewhere/evil", size=3), "must lie in"),
        (member(f"{FOLDER}/link", tarfile.SYMTYPE, target="/etc/passwd"), "must be plain files, got a link"),
        (member(f"{FOLDER}/link", tarfile.LNKTYPE, target="/etc/passwd"), "must be plain files, got a link"),
        (member(f"{FOLDER}/null", tarfile.CHRTYPE), "must be plain files, got a device"),
        (member(f"{FOLDER}/big", size=2 << 20), r"big in .* must have at most .* bytes, got 2,097,152; refused"),
        (member(f"{FOLDER}/test_batch", size=3), "must hold test_batch once, got it twice"),
    ],
)
def test_a_hostile_member_condemns_the_archive(tmp_path, cache, extra, message):
    path = tmp_path / "evil.tar.gz"
    path.write_bytes(tarball(batch_files(), [extra]))
    with pytest.raises(DataError, match=message):
        get_cifar10(path, archive=expected(path.read_bytes()), quiet=True)
    assert leftovers(cache) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "evil.tar.gz"]


def test_a_file_that_is_no_archive_is_refused_even_under_the_right_hash(tmp_path, cache, good):
    path = tmp_path / "a.tar.gz"
    for blob in (b"<html>not found</html>", good[: len(good) // 2]):
        path.write_bytes(blob)
        with pytest.raises(DataError, match=r"a.tar.gz must be a whole tar.gz archive, got "):
            get_cifar10(path, archive=expected(blob), quiet=True)
    assert leftovers(cache) == []


class Runs:
    """Pickles as a call of `function(*args)`."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize(
    ("function", "args"),
    [(os.system, ("touch ran",)), (eval, ("1",)), (getattr, (1, "real")), (np.load, ("x",)), (bytes, (10**12,))],
)
def test_a_pickle_that_names_a_function_is_refused_before_it_runs(tmp_path, monkeypatch, protocol, function, args):
    monkeypatch.chdir(tmp_path)
    blob = pickle.dumps({b"data": Runs(function, *args)}, protocol=protocol)
    with pytest.raises(
        DataError, match=r"test_batch must be a CIFAR-10 batch, got a pickle refused because it asks for "
    ):
        read_batch(blob, "test_batch")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\x80\x02}",
        b"garbage",
        pickle.dumps([1]),
        pickle.dumps({b"data": np.zeros(3)}, protocol=2),  # float64
        pickle.dumps({b"data": np.array([None])}, protocol=2),
        b"c_codecs\nencode\n(U\x01xU\x03zip\x86R.",
    ],
)
def test_a_damaged_or_strange_pickle_is_refused(blob):
    with pytest.raises(DataError, match="get_cifar10: test_batch must "):
        read_batch(blob, "test_batch")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_2", {b"data": IMAGES[:4].reshape(4, 3072)}, "labels of data_batch_2 must be a list of 4 integers"),
        ("data_batch_2", {b"labels": [0] * 4}, r"data of data_batch_2 must be uint8 \(4, 3072\), got NoneType"),
        ("test_batch", {b"data": np.zeros((5, 3072), np.uint8)}, r"must be uint8 \(6, 3072\), got \(5, 3072\)"),
        ("test_batch", {b"data": np.zeros((6, 3072), np.uint8), b"labels": [3] * 6}, "integers from 0 to 2"),
        ("batches.meta", {b"label_names": [b"ant", b"cow", b"bee"]}, "label_names must be .* refused"),
    ],
)
def test_a_batch_of_the_wrong_content_is_refused(tmp_path, cache, name, content, message):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(tarball(batch_files() | {name: pickle.dumps(content, protocol=2)}))
    with pytest.raises(DataError, match=message):
        get_cifar10(path, archive=expected(path.read_bytes()), quiet=True)
    assert leftovers(cache) == []


def test_a_missing_batch_is_named(tmp_path, cache):
    files = batch_files()
    del files["data_batch_3"]
    path = tmp_path / "a.tar.gz"
    path.write_bytes(tarball(files))
    with pytest.raises(DataError, match="the archive must hold data_batch_3, got none"):
        get_cifar10(path, archive=expected(path.read_bytes()), quiet=True)


def test_column_major_arrays_keep_their_pixels():
    rows = np.asfortranarray(IMAGES[:4].reshape(4, 3072))
    content = read_batch(pickle.dumps({b"data": rows}, protocol=2), "data_batch_1")
    np.testing.assert_array_equal(content[b"data"].value, rows)


def test_the_registry_describes_the_official_archive(monkeypatch, tmp_path):
    archive = official_archive()
    assert (archive.size, archive.train, archive.test, len(archive.classes)) == (170_498_071, 50_000, 10_000, 10)
    assert archive.sha256 == "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    monkeypatch.setattr(store, "REGISTRY", tmp_path / "registry.toml")
    with pytest.raises(DataError, match=r"registry.toml must describe cifar10, got no 'classes'; work in a clone"):
        official_archive()
