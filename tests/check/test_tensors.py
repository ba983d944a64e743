"""Tensors across the wire: by value, with dtype and device, in one process and through the sandbox's pipe."""

import numpy as np
import pytest
import torch

from cs231n_lib.check import Report, StudentError, Subject, wire
from cs231n_lib.check.report import CheckFailed
from cs231n_lib.check.tensors import Tensor


def roundtrip(value):
    return wire.unpack(*wire.pack(value))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool])
def test_values_dtype_and_device_arrive(dtype):
    sent = torch.tensor([[1, 0, 3]], dtype=dtype)
    back = roundtrip(sent)
    assert (back.dtype, back.device, back.requires_grad, back.leaf) == (str(dtype)[6:], "cpu", False, True)
    assert back.values.dtype == sent.numpy().dtype
    np.testing.assert_array_equal(back.values, sent.numpy())


def test_bfloat16_arrives_as_float32_under_its_own_name():
    back = roundtrip(torch.tensor([1 + 2**-9, 3.0], dtype=torch.bfloat16))
    assert (back.dtype, back.values.dtype) == ("bfloat16", np.float32)
    np.testing.assert_array_equal(back.values, [1.0, 3.0])  # 1 + 2**-9 has no place in bfloat16


def test_views_transposes_parameters_and_what_was_computed_from_them():
    leaf = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    assert roundtrip(leaf).requires_grad
    assert roundtrip(leaf).leaf
    computed = roundtrip(leaf.T * 2)
    assert (computed.requires_grad, computed.leaf) == (True, False)
    np.testing.assert_array_equal(computed.values, 2 * np.arange(6.0).reshape(2, 3).T)
    shape_only = roundtrip(torch.empty(3, 4, device="meta"))
    assert (shape_only.device, shape_only.values.shape) == ("meta", (3, 4))


def test_a_tensor_without_dense_values_is_a_matter_of_form():
    with pytest.raises(wire.WireError, match="pack: a tensor must have dense values"):
        wire.pack(torch.eye(3).to_sparse())


@pytest.mark.parametrize(
    "forged",
    [
        {"tensor": 3, "dtype": "float32", "device": "cpu", "requires_grad": False, "leaf": True},
        {"tensor": {"array": "<f4", "shape": [1]}, "dtype": 32, "device": "cpu", "requires_grad": False, "leaf": True},
        {"tensor": {"array": "<f4", "shape": [1]}, "dtype": "x" * 99, "device": "", "requires_grad": 1, "leaf": 0},
        {"tensor": {"array": "<f4", "shape": [2]}, "dtype": "float32", "device": "cpu"},
    ],
)
def test_a_forged_tensor_is_refused(forged):
    with pytest.raises(wire.WireError):
        wire.unpack(forged, [b"1234"])


def arguments(transport_subject):
    """What a student's function was given, by its own words."""
    sent = Tensor(np.array([1.0, 2.0], np.float32), requires_grad=True), Tensor(np.ones(2, np.float32), "bfloat16")
    return transport_subject(*sent)


WORDS = "def words(a, b): return type(a).__name__, str(a.dtype), a.requires_grad, a.is_leaf, str(b.dtype), a * 3\n"
STEP = "def spoil(x):\n    x += 1\n    return x\n"


def test_arguments_become_torch_tensors_and_gradients_are_sent_back():
    names = {}
    exec(WORDS + STEP, names)
    *said, out = arguments(Subject.local(names["words"]))
    assert said == ["Tensor", "torch.float32", True, True, "torch.bfloat16"]
    assert isinstance(out, Tensor)
    np.testing.assert_array_equal(out.values, [3.0, 6.0])
    call = Subject.local(names["spoil"]).call(Tensor(np.zeros(2, np.float32)))
    assert call.mutated == (0,)


def examine_through(subject):
    """Build a layer on the student's side, run it, send a gradient back; compare with this process's PyTorch."""
    nn = subject.torch().attribute("nn")
    layer = nn.attribute("Linear")(3, 2)
    weight, bias = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1.0, -1.0], np.float32)
    layer.attribute("load_state_dict")({"weight": Tensor(weight), "bias": Tensor(bias)})
    out = layer(Tensor(np.eye(3, dtype=np.float32)))
    np.testing.assert_array_equal(out.values, weight.T + bias)
    assert out.handle is not None
    upstream = np.array([[1.0, 0], [0, 2], [0, 0]], np.float32)
    out.handle.attribute("backward")(Tensor(upstream))
    grad = layer.attribute("weight").get("grad")
    np.testing.assert_array_equal(grad.values, upstream.T @ np.eye(3))
    assert set(layer.attribute("state_dict")()) == {"weight", "bias"}
    assert subject(layer, 1)[0] == "Linear"


KIND = "def kind(layer, n): return type(layer).__name__, n\n"


def test_modules_stay_where_they_are_and_are_reached_by_handles():
    names = {}
    exec(KIND, names)
    examine_through(Subject.local(names["kind"]))


def test_all_of_it_through_the_sandbox(box_with_torch):
    assert box_with_torch.run("import torch\n" + KIND + WORDS)["error"] is None
    examine_through(Subject(box_with_torch, "kind"))
    *said, _ = arguments(Subject(box_with_torch, "words"))
    assert said == ["Tensor", "torch.float32", True, True, "torch.bfloat16"]


def test_a_box_without_torch_says_so(box_without_torch):
    box_without_torch.run("def f(x): return x")
    with pytest.raises(StudentError, match="torch is not available in this exercise"):
        Subject(box_without_torch, "f").torch()


@pytest.fixture
def box_with_torch():
    yield from _box(())


@pytest.fixture
def box_without_torch():
    yield from _box(("torch",))


def _box(forbid):
    from autograder.course import CourseError
    from autograder.sandbox import find_sandbox

    try:
        sandbox = find_sandbox()
    except CourseError as error:
        pytest.skip(f"no sandbox on this machine: {error}")
    running = sandbox.start(forbid=(*forbid, "scipy", "sklearn", "pandas", "numba"))
    yield running
    running.close()


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (None, "scores is None"),
        (np.zeros((2, 3), np.float32), "scores must be a torch tensor, got ndarray"),
        (Tensor(np.zeros((3, 2), np.float32)), r"scores must have shape \(2, 3\), got \(3, 2\)"),
        (Tensor(np.zeros((2, 3)), "float64"), "scores must have dtype torch.float32, got torch.float64"),
        (Tensor(np.zeros((2, 3)), "float32", "meta"), "scores must be on the device cpu, got meta"),
    ],
)
def test_a_report_says_what_is_wrong_with_a_tensor(got, words):
    with pytest.raises(CheckFailed, match=words):
        Report().tensor(got, (2, 3), name="scores")


def test_a_tensor_where_an_array_is_asked_gets_a_hint():
    with pytest.raises(CheckFailed, match="must be a NumPy array, got a torch tensor of float64") as failure:
        Report().array(Tensor(np.zeros(2), "float64"), (2,))
    assert "numpy()" in failure.value.hint
