"""The store and the import: what a student calls, and what must not go wrong on disk."""

import io
import multiprocessing
import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cs231n_lib import data as data_module
from cs231n_lib import store
from cs231n_lib.data import (
    DataError,
    Dataset,
    Split,
    data_status,
    get_dataset,
    import_images,
    load_dataset,
    remove_dataset,
)

REPO = Path(__file__).resolve().parents[1]
CIFAR_ZIP = REPO.parent / "shared" / "datasets" / "cifar10-jpeg.zip"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CS231N_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv("CS231N_DATASET", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def few_shapes(monkeypatch):
    """shapes10 with few images: the store does not care how many."""
    from cs231n_lib import shapes10

    whole = shapes10.draw_splits
    monkeypatch.setattr(shapes10, "draw_splits", lambda: whole(train=60, test=20))


def png(colour, size=(4, 4), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def members(per_class=6):
    """A tiny image set: the colour of each image says which file it was."""
    return {
        f"{split}/{name}/{i}.png": png((label * 100, i, 7 if split == "test" else 0))
        for split in ("train", "test")
        for label, name in enumerate(["ant", "bee"])
        for i in range(per_class)
    }


def make_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, blob in files.items():
            archive.writestr(name, blob)
    return path


def leftovers(cache):
    return sorted(p.name for p in cache.iterdir()) if cache.exists() else []


def test_import_from_a_zip_stores_every_pixel_and_label(tmp_path, cache):
    import_images("insects", make_zip(tmp_path / "a.zip", members()), quiet=True)
    data = load_dataset("insects", quiet=True)
    assert data.classes == ("ant", "bee")
    for split, mark in ((data.train, 0), (data.test, 7)):
        assert split.images.shape == (12, 4, 4, 3)
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.int64)
        np.testing.assert_array_equal(split.images[:, 0, 0, 0], split.labels * 100)
        np.testing.assert_array_equal(split.images[:, 0, 0, 2], mark)
        assert sorted(zip(split.labels.tolist(), split.images[:, 3, 3, 1].tolist(), strict=True)) == [
            (label, i) for label in (0, 1) for i in range(6)
        ]
    assert leftovers(cache) == ["insects"]


def test_the_stored_order_mixes_classes_and_depends_on_names_alone(tmp_path, cache):
    files = members(50)
    import_images("forward", make_zip(tmp_path / "a.zip", files), quiet=True)
    backwards = {f"wrapped/{name}": files[name] for name in reversed(files)}
    import_images("backward", make_zip(tmp_path / "b.zip", backwards), quiet=True)
    for name, blob in files.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob)
    import_images("folder", tmp_path / "folder", quiet=True)
    first = load_dataset("forward", quiet=True)
    for other in ("backward", "folder"):
        np.testing.assert_array_equal(first.train.images, load_dataset(other, quiet=True).train.images)
    # 20 of 100 from two equal classes: fewer than 4 of one has a chance of about 1 in 1,000; sorted names would give 0.
    assert 4 <= first.train.labels[:20].sum() <= 16


def test_greyscale_becomes_rgb_and_strange_files_are_ignored(tmp_path, cache):
    files = members() | {
        "train/ant/0.png": png(90, mode="L"),
        "README.txt": b"hello",
        "__MACOSX/train/ant/._0.png": b"not an image",
        "train/ant/.hidden.png": b"not an image",
    }
    import_images("grey", make_zip(tmp_path / "a.zip", files), quiet=True)
    images = load_dataset("grey", quiet=True).train.images
    assert len(images) == 12
    assert (images == 90).all(axis=(1, 2, 3)).sum() == 1


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"../evil.png": b"x"}, r"members of .*a\.zip must lie inside it, got '\.\./evil\.png'; refused"),
        ({"/etc/evil.png": b"x"}, "must lie inside it, got '/etc/evil.png'"),
        ({"C:/evil.png": b"x"}, "must lie inside it"),
        (
            {"train/ant/big.png": b"0" * ((16 << 20) + 1)},
            r"big.png in .* must have at most 16,777,216 bytes, got 16,777,217",
        ),
        (
            {"train/bee/5.png": png(0, (5, 4))},
            r"train/bee/5.png in .* must be 4x4 pixels like .*, got 4x5; make all images",
        ),
        (
            {"train/bee/5.png": png(0)[:40]},
            r"train/bee/5.png in .*a\.zip must be a readable JPEG or PNG, got .*replace or",
        ),
        ({"train/bee/5.png": b"GIF89a"}, "must be a readable JPEG or PNG, got UnidentifiedImageError"),
        ({"test/wasp/0.png": png(0)}, "each class of test/ must also be in train/, got 'wasp'"),
    ],
)
def test_a_bad_member_is_refused_by_name_and_nothing_stays(tmp_path, cache, extra, message):
    path = make_zip(tmp_path / "a.zip", members() | extra)
    with pytest.raises(DataError, match=message) as caught:
        import_images("bad", path, quiet=True)
    assert "\n" not in str(caught.value)
    assert leftovers(cache) == []


def test_a_zip_with_a_link_is_refused(tmp_path, cache):
    path = make_zip(tmp_path / "a.zip", members())
    link = zipfile.ZipInfo("train/ant/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match=r"must be plain files, got link 'train/ant/link.png'"):
        import_images("bad", path, quiet=True)


def test_a_damaged_zip_and_a_wrong_layout_and_no_path_are_explained(tmp_path, cache):
    path = make_zip(tmp_path / "a.zip", members())
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="must be a readable, whole, plain zip file"):
        import_images("bad", path, quiet=True)
    with pytest.raises(DataError, match="got 0 training images in 0 classes and 0 test images"):
        import_images("bad", make_zip(tmp_path / "b.zip", {"ant/0.png": png(0)}), quiet=True)
    with pytest.raises(DataError, match="path must be a zip file or a folder"):
        import_images("bad", tmp_path / "nowhere", quiet=True)
    assert leftovers(cache) == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "UPPER", "a" * 65])
def test_a_name_that_could_climb_is_refused_everywhere(tmp_path, cache, name):
    for call in (lambda: import_images(name, tmp_path), lambda: remove_dataset(name), lambda: load_dataset(name)):
        with pytest.raises(DataError, match="name must be 1 to 64 of a-z"):
            call()


def test_a_failed_import_keeps_the_older_set_and_a_good_one_replaces_it(tmp_path, cache):
    import_images("insects", make_zip(tmp_path / "a.zip", members(3)), quiet=True)
    bad = make_zip(tmp_path / "b.zip", members(4) | {"train/ant/0.png": b"?", "train/bee/0.png": b"?"})
    with pytest.raises(DataError):
        import_images("insects", bad, quiet=True)
    assert len(load_dataset("insects", quiet=True).train) == 6
    import_images("insects", make_zip(tmp_path / "c.zip", members(5)), quiet=True)
    assert len(load_dataset("insects", quiet=True).train) == 10
    assert leftovers(cache) == ["insects"]


def test_images_are_a_read_only_view_of_a_memory_map(tmp_path, cache):
    import_images("insects", make_zip(tmp_path / "a.zip", members()), quiet=True)
    images = load_dataset("insects", quiet=True).subset(train=5).train.images
    base = images
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert type(images) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


@pytest.fixture
def tiny():
    images = np.arange(10 * 2 * 2 * 3, dtype=np.uint8).reshape(10, 2, 2, 3)
    split = Split(images, np.arange(10))
    return Dataset("tiny", "ten images", tuple("abcdefghij"), split, split[:0], split[:4])


def test_subset_takes_the_first_images_and_validation_the_next(tiny):
    part = tiny.subset(train=5, val=2, test=3)
    assert part.train.labels.tolist() == [0, 1, 2, 3, 4]
    assert part.val.labels.tolist() == [5, 6]
    assert part.test.labels.tolist() == [0, 1, 2]
    assert np.shares_memory(part.train.images, tiny.train.images)
    rest = tiny.subset(val=3)
    assert (len(rest.train), rest.val.labels.tolist(), len(rest.test)) == (7, [7, 8, 9], 4)
    assert repr(part) == "Dataset(tiny: 10 classes, train 5, val 2, test 3 images of 2x2x3)"


def test_rows_are_new_float32_rows_in_pixel_order(tiny):
    rows = tiny.train.rows()
    assert (rows.dtype, rows.shape) == (np.float32, (10, 12))
    np.testing.assert_array_equal(rows[1], np.arange(12, 24))
    rows[:] = 0
    assert tiny.train.images[1, 0, 0, 0] == 12


def test_wrong_subsets_say_what_is_there(tiny):
    with pytest.raises(DataError, match=r"train \+ val must be at most the 10 training images of tiny, got 8 \+ 3"):
        tiny.subset(train=8, val=3)
    with pytest.raises(DataError, match="test must be at most the 4 test images of tiny, got 5"):
        tiny.subset(test=5)
    with pytest.raises(DataError, match="val must be a whole number of images, 0 or more, got -1"):
        tiny.subset(val=-1)
    with pytest.raises(TypeError, match="index must be a slice"):
        tiny.train[0]


def test_load_dataset_takes_the_best_one_present_and_says_which(tmp_path, cache, few_shapes, monkeypatch, capsys):
    assert load_dataset().name == "shapes10"
    shown = capsys.readouterr().out
    assert "Drawing shapes10" in shown
    assert "Loaded shapes10: ten outlines drawn by the library; 60 training and 20 test images of 32x32x3." in shown
    assert load_dataset(quiet=True).name == "shapes10"
    assert capsys.readouterr().out == ""
    import_images("cifar10-jpeg", make_zip(tmp_path / "a.zip", members()), quiet=True)
    assert load_dataset(quiet=True).name == "cifar10-jpeg"
    monkeypatch.setenv("CS231N_DATASET", "shapes10")
    assert load_dataset().name == "shapes10"
    assert "shapes10 (chosen by CS231N_DATASET)" in capsys.readouterr().out
    assert load_dataset("cifar10-jpeg", quiet=True).name == "cifar10-jpeg"
    monkeypatch.setenv("CS231N_DATASET", "absent")
    with pytest.raises(
        DataError, match=r"is here \(cifar10-jpeg, shapes10\), got 'absent' \(chosen by CS231N_DATASET\)"
    ):
        load_dataset()


def test_a_stored_shapes10_of_another_version_is_drawn_anew(cache, few_shapes, monkeypatch):
    from cs231n_lib import shapes10

    load_dataset("shapes10", quiet=True)
    assert store.read_meta("shapes10")["version"] == shapes10.VERSION
    monkeypatch.setattr(shapes10, "VERSION", 99)
    load_dataset("shapes10", quiet=True)
    assert store.read_meta("shapes10")["version"] == 99
    assert leftovers(cache) == ["shapes10"]


def test_a_populated_cache_may_be_read_only(cache, few_shapes, monkeypatch):
    """Root may write anywhere, so the test forbids the calls that write instead of changing the folder's mode."""
    load_dataset("shapes10", quiet=True)

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    for module, name in ((os, "mkdir"), (os, "rename"), (os, "replace"), (os, "unlink"), (store.tempfile, "mkdtemp")):
        monkeypatch.setattr(module, name, forbidden)
    assert len(load_dataset(quiet=True).train) == 60
    assert data_status()[2]["present"]


def test_a_cache_that_cannot_be_written_says_how_to_choose_another(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CS231N_DATA", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=r"cache folder must be writable to store shapes10, got .*set CS231N_DATA to"):
        load_dataset("shapes10", quiet=True)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, cache, monkeypatch):
    path = make_zip(tmp_path / "a.zip", members())
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(
        DataError, match=r"cache must take them, got .*576 bytes needed and 100 free.*; free some space"
    ):
        import_images("insects", path, quiet=True)
    assert leftovers(cache) == []


def test_a_damaged_set_is_named_and_listed(tmp_path, cache):
    import_images("insects", make_zip(tmp_path / "a.zip", members()), quiet=True)
    images = cache / "insects" / "train_images.npy"
    images.write_bytes(images.read_bytes()[:200])
    with pytest.raises(
        DataError, match=r"must hold a complete data set, got ValueError on train_images.npy; run `cs231n"
    ):
        load_dataset("insects")
    assert "complete" in next(row for row in data_status() if row["name"] == "insects")["problem"]


def test_status_and_remove(tmp_path, cache):
    import_images("insects", make_zip(tmp_path / "a.zip", members()), title="Two insects", quiet=True)
    rows = {row["name"]: row for row in data_status()}
    assert list(rows) == ["cifar10", "cifar10-jpeg", "shapes10", "insects"]
    assert (rows["insects"]["title"], rows["insects"]["train"], rows["insects"]["test"]) == ("Two insects", 12, 12)
    assert (rows["cifar10"]["present"], rows["cifar10"]["get"]) == (False, "cs231n data get cifar10")
    assert remove_dataset("insects") > 0
    assert leftovers(cache) == []
    with pytest.raises(DataError, match=r"must be a stored data set \(none\), got 'insects'"):
        remove_dataset("insects")


def test_get_dataset_knows_its_names(cache, few_shapes):
    get_dataset("shapes10", quiet=True)
    assert leftovers(cache) == ["shapes10"]
    with pytest.raises(DataError, match="name must be cifar10 or shapes10, got 'mnist'; run `cs231n data import"):
        get_dataset("mnist")
    with pytest.raises(DataError, match="source must be absent for shapes10"):
        get_dataset("shapes10", "x.zip")


def test_an_interrupted_drawing_leaves_nothing(cache, monkeypatch):
    from cs231n_lib import shapes10

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(shapes10, "draw_splits", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_dataset("shapes10", quiet=True)
    assert leftovers(cache) == []


def _store_at_once(cache, barrier, replace):
    os.environ["CS231N_DATA"] = str(cache)
    with store.new_folder("test", "shared", replace=replace) as folder:
        for key in store.ARRAYS:
            shape = (20, 2, 2, 3) if "images" in key else (20,)
            store.write_array(folder, key, shape, np.uint8 if "images" in key else np.int64)[:] = 1
        store.write_meta(folder, title="t", classes=["a", "b"])
        barrier.wait(30)  # both are complete: now both rename


@pytest.mark.parametrize("replace", [True, False])
def test_two_processes_may_store_the_same_set_at_once(cache, replace):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [context.Process(target=_store_at_once, args=(cache, barrier, replace)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert leftovers(cache) == ["shared"]
    assert load_dataset("shared", quiet=True).train.images.sum() == 20 * 12


def test_importing_the_module_loads_neither_torch_nor_anything_slow():
    heavy = ["torch", "matplotlib", "requests", "PIL", "tqdm", "tarfile", "pandas"]
    script = f"import sys, cs231n_lib.data; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout.strip() == "[]"


def test_shared_cache_lies_beside_the_package_unless_chosen(monkeypatch):
    monkeypatch.delenv("CS231N_DATA", raising=False)
    assert store.cache_folder() in (REPO / "datasets" / "cache", Path("~/.cache/cs231n").expanduser())
    monkeypatch.setattr(store, "DATASETS", REPO / "absent")
    assert store.cache_folder() == Path("~/.cache/cs231n").expanduser()


def test_preference_and_registry_agree():
    registry = store.read_registry()
    assert set(registry) == set(data_module.PREFERENCE)
    for entry in registry.values():
        assert len(entry["classes"]) == 10
        assert {"title", "terms", "train", "test", "targets", "ladder"} <= set(entry)


@pytest.mark.skipif(not CIFAR_ZIP.is_file(), reason="needs ../shared/datasets/cifar10-jpeg.zip beside the repository")
def test_real_images_import_in_the_official_class_order(tmp_path, cache):
    """A tenth of a per cent of the real thing, cut from the zip, so that the test stays short."""
    with zipfile.ZipFile(CIFAR_ZIP) as archive:
        part = [n for n in archive.namelist() if n.endswith(("/0000.jpg", "/0001.jpg", "/0002.jpg"))]
        path = make_zip(tmp_path / "part.zip", {name: archive.read(name) for name in part})
        import_images("cifar10-jpeg", path, quiet=True)
        data = load_dataset("cifar10-jpeg", quiet=True)
        assert data.classes == tuple(store.read_registry()["cifar10"]["classes"])
        frog = np.asarray(Image.open(io.BytesIO(archive.read("train/frog/0001.jpg"))))
    matches = (data.train.images == frog).all(axis=(1, 2, 3))
    assert data.train.labels[matches].tolist() == [data.classes.index("frog")]


def test_the_registry_has_a_target_for_every_model_that_a_notebook_trains(cache):
    from tests.cells import NOTEBOOKS, cells

    asked = {
        model
        for notebook in NOTEBOOKS
        for cell in cells(notebook)
        for model in re.findall(r"data\.target\(\"(\w+)\"\)", cell.text)
    }
    assert asked == {"softmax", "two_layer", "features", "deep", "convnet"}
    for name, entry in store.read_registry().items():
        assert set(entry["targets"]) == asked, name
        assert all(0.1 < value < 1 for value in entry["targets"].values())
    numbers = Split(np.zeros((1, 4, 4, 3), dtype=np.uint8), np.zeros(1, dtype=np.int64))
    shapes = Dataset("shapes10", "shapes", ("a",), numbers, numbers, numbers)
    assert shapes.target("two_layer") == 0.5
    with pytest.raises(DataError, match=r"^target: model must be one of softmax, .*, got 'svm'"):
        shapes.target("svm")
    mine = Dataset("mine", "mine", ("a",), numbers, numbers, numbers)
    with pytest.raises(DataError, match=r"^target: data set must have a table \[mine.targets\]"):
        mine.target("softmax")


def test_a_notebook_says_the_registrys_targets_and_has_none_of_its_own():
    from tests.cells import NOTEBOOKS, cells

    for notebook in NOTEBOOKS:
        prose = " ".join(cell.text for cell in cells(notebook) if cell.kind == "markdown")
        for cell in cells(notebook):
            for model in re.findall(r"data\.target\(\"(\w+)\"\)", cell.text):
                for name, entry in store.read_registry().items():
                    percent = f"{100 * entry['targets'][model]:.0f} %"
                    assert percent in prose, f"{notebook} must say that {name} asks for {percent}"
            if cell.kind == "code":
                assert not re.search(r"\btargets?\b[^=\n]* = (\{.*)?0\.\d", cell.text), (notebook, cell.text[:200])
