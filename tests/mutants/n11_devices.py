"""Planted bugs of N11: devices, timing, half precision, the program to repair, and wrong answers to questions."""

import time

import torch
from torch.nn import functional

from tests.mutants import bug, wrong_answer


@bug("torch-pick_device", symptom="needs-a-gpu")
def always_cuda(available):
    return torch.device("cuda")


@bug("torch-pick_device", symptom="order")
def always_cpu(available):
    return torch.device("cpu")


@bug("torch-pick_device", symptom="order")
def never_apple(available):
    return "cuda" if available("cuda") else "cpu"


@bug("torch-pick_device", symptom="order")
def apple_first(available):
    return next(name for name in ("mps", "cuda", "cpu") if available(name))


@bug("torch-pick_device", symptom="order")
def a_flag(available):
    return available("cuda")


TIMING = "torch-images_per_second"


def measure(
    step,
    batch_size,
    synchronize,
    clock,
    warmup,
    repeats,
    *,
    before=True,
    after=True,
    rate=lambda seconds, batch, repeats: batch * repeats / seconds,
):
    """The right measurement, unless an option asks for a mistake."""
    for _ in range(warmup):
        step()
    if before:
        synchronize()
    start = clock()
    for _ in range(repeats):
        step()
    if after:
        synchronize()
    return rate(clock() - start, batch_size, repeats)


def planted(name, symptom, **mistake):
    def wrong(step, batch_size, *, synchronize, clock=time.perf_counter, warmup=3, repeats=10):
        return measure(step, batch_size, synchronize, clock, warmup, repeats, **mistake)

    wrong.__name__ = name
    bug(TIMING, symptom=symptom)(wrong)


planted("no_wait_at_the_end", "no-sync-end", after=False)
planted("never_waits", "no-sync-end", before=False, after=False)
planted("no_wait_at_the_start", "no-sync-start", before=False)
planted("seconds", "seconds", rate=lambda seconds, batch, repeats: seconds)
planted("seconds_a_step", "seconds", rate=lambda seconds, batch, repeats: seconds / repeats)
planted("batches", "batches", rate=lambda seconds, batch, repeats: repeats / seconds)
planted("one_step_counted", "no-repeats", rate=lambda seconds, batch, repeats: batch / seconds)
planted("as_text", "not-a-number", rate=lambda seconds, batch, repeats: f"{batch * repeats / seconds:.1f}")


@bug(TIMING, symptom="steps")
def no_warmup(step, batch_size, *, synchronize, clock=time.perf_counter, warmup=3, repeats=10):
    return measure(step, batch_size, synchronize, clock, 0, repeats)


@bug(TIMING, symptom="no-sync-start")
def times_the_warmup(step, batch_size, *, synchronize, clock=time.perf_counter, warmup=3, repeats=10):
    start = clock()
    for _ in range(warmup + repeats):
        step()
    synchronize()
    return batch_size * repeats / (clock() - start)


@bug(TIMING, symptom="own-clock")
def own_clock(step, batch_size, *, synchronize, clock=time.perf_counter, warmup=3, repeats=10):
    return measure(step, batch_size, synchronize, time.perf_counter, warmup, repeats)


HALF = "torch-autocast_scores"


@bug(HALF, symptom="no-autocast")
def only_floats(model, x, *, dtype=torch.bfloat16):
    return model(x)


@bug(HALF, symptom="no-autocast")
def autocast_for_cuda(model, x, *, dtype=torch.bfloat16):
    with torch.autocast("cuda", dtype=dtype):
        return model(x).float()


@bug(HALF, symptom="half-scores")
def scores_in_half(model, x, *, dtype=torch.bfloat16):
    with torch.autocast(x.device.type, dtype=dtype):
        return model(x)


@bug(HALF, symptom="weights-cast")
def model_in_half(model, x, *, dtype=torch.bfloat16):
    return model.to(dtype)(x.to(dtype)).float()


@bug(HALF, symptom="casts-by-hand")
def images_in_half(model, x, *, dtype=torch.bfloat16):
    return model(x.to(dtype)).float()


@bug(HALF, symptom="rounds-late")
def rounds_the_scores(model, x, *, dtype=torch.bfloat16):
    return model(x).to(dtype).float()


REPAIR = "torch-train_and_score"


def rows_of(images):
    return (images / 255).permute(0, 3, 1, 2).reshape(len(images), -1)


def program(
    net,
    images,
    labels,
    new_images,
    device,
    epochs,
    batch_size,
    learning_rate,
    *,
    rows=rows_of,
    late_move=False,
    move=lambda t, device: t.to(device),
    loss_of=functional.cross_entropy,
    clear=True,
    quiet=True,
    record=False,
    log=False,
    switch=True,
    step=True,
    train=lambda net: net.train(),
):
    """The right program, unless an option asks for one of the mistakes."""
    if not late_move:
        net.to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate)
    net.to(device)
    train(net)
    x = rows(images)
    for _ in range(epochs):
        for i in range(0, len(x), batch_size):
            batch, target = move(x[i : i + batch_size], device), move(labels[i : i + batch_size], device)
            if clear:
                optimizer.zero_grad()
            loss = loss_of(net(batch), target)
            loss.backward()
            if step:
                optimizer.step()
            if log:
                loss.item()
    if quiet:
        net.eval()
    with torch.set_grad_enabled(record):
        return net(move(rows(new_images), device))


def planted_program(name, symptom, **mistake):
    def wrong(net, images, labels, new_images, *, device, epochs, batch_size, learning_rate):
        return program(net, images, labels, new_images, device, epochs, batch_size, learning_rate, **mistake)

    wrong.__name__ = name
    bug(REPAIR, symptom=symptom)(wrong)


def keeps_in_place(tensor, device):
    tensor.to(device)
    return tensor


def softmax_twice(scores, y):
    return functional.cross_entropy(scores.softmax(dim=1), y)


def viewed(images):
    return (images / 255).permute(0, 3, 1, 2).view(len(images), -1)


planted_program("view_of_a_permuted_tensor", "view", rows=viewed)
planted_program("permute_dropped", "scrambled", rows=lambda images: (images / 255).view(len(images), -1))
planted_program("bytes", "bytes", rows=lambda images: images.permute(0, 3, 1, 2).reshape(len(images), -1))
planted_program("gradients_add_up", "zero_grad", clear=False)
planted_program("softmax_twice", "softmax", loss_of=softmax_twice)
planted_program("both_of_them", "softmax", loss_of=softmax_twice, clear=False)
planted_program("tests_in_train_mode", "eval", quiet=False)
planted_program("batch_stays", "device", move=keeps_in_place)
planted_program("optimizer_before_the_move", "optimizer-before-move", late_move=True)
planted_program("logs_every_loss", "item", log=True)
planted_program("scores_with_a_record", "graph", record=True)
planted_program("no_step", "not-trained", step=False)
planted_program("trains_in_eval_mode", "training", train=lambda net: net.eval())


@bug(REPAIR, symptom="device")
def device_ignored(net, images, labels, new_images, *, device, epochs, batch_size, learning_rate):
    return program(net.cpu(), images, labels, new_images, "cpu", epochs, batch_size, learning_rate)


@bug(REPAIR, symptom="view")
def all_six(net, images, labels, new_images, *, device, epochs, batch_size, learning_rate):
    mistakes = {"rows": viewed, "late_move": True, "move": keeps_in_place, "loss_of": softmax_twice}
    sizes = device, epochs, batch_size, learning_rate
    return program(net, images, labels, new_images, *sizes, **mistakes, clear=False, quiet=False, record=True)


for letters in ("A", "BF", "BFGC", "ABCDEFG"):
    true = {"B", "F", "G"}
    right, wrong = len(true & set(letters)), len(set(letters) - true)
    wrong_answer("torch-quiz", f"letters_{letters}", set(letters), points=max(0, right - wrong) / len(true))

COUNTS = {
    "lenet_parameters": 61706,
    "alexnet_parameters": 61100840,
    "alexnet_dense_share": 0.96,
    "alexnet_megabytes": 244,
}
for name, change in (
    ("no_biases", {"lenet_parameters": 61470}),
    ("megabytes_of_bfloat16", {"alexnet_megabytes": 122}),
    ("percent_and_bits", {"alexnet_dense_share": 96.0, "alexnet_megabytes": 1955}),
    ("original_with_groups", {"alexnet_parameters": 60965224, "alexnet_dense_share": 0.962, "lenet_parameters": 60000}),
):
    wrong_answer("torch-audit", name, COUNTS | change, points=2 * (1 - len(change) / 4))
wrong_answer("torch-audit", "one_missing", {"lenet_parameters": 61706}, symptom="keys")
wrong_answer("torch-audit", "as_text", COUNTS | {"lenet_parameters": "61,706"}, symptom="not-number")
