"""Planted bugs of N03: gradients of a neuron and of a graph."""

import numpy as np

from tests.mutants import bug, wrong_answer


def right_neuron(w, x):
    score = w[:-1] @ x + w[-1]
    out = 1 / (1 + np.exp(-score)) if score > -700 else 0.0
    local = out * (1 - out)
    return out, local * np.append(x, 1.0), local * w[:-1]


@bug("grad-neuron", symptom="no-local")
def stops_at_the_score(w, x):
    return right_neuron(w, x)[0], np.append(x, 1.0), w[:-1]


@bug("grad-neuron", symptom="s-only")
def slope_is_the_output(w, x):
    out = right_neuron(w, x)[0]
    return out, out * np.append(x, 1.0), out * w[:-1]


@bug("grad-neuron", symptom="one-minus-s-only")
def slope_is_the_rest(w, x):
    out = right_neuron(w, x)[0]
    return out, (1 - out) * np.append(x, 1.0), (1 - out) * w[:-1]


@bug("grad-neuron", symptom="sign")
def falls_for_rises(w, x):
    out, dw, dx = right_neuron(w, x)
    return out, -dw, -dx


@bug("grad-neuron", symptom="own-input")
def each_gets_itself(w, x):
    out = right_neuron(w, x)[0]
    return out, out * (1 - out) * np.append(w[:-1], 1.0), out * (1 - out) * x


@bug("grad-neuron", symptom="bias-zero")
def bias_without_gradient(w, x):
    out, dw, dx = right_neuron(w, x)
    return out, np.append(dw[:-1], 0.0), dx


@bug("grad-neuron", symptom="bias-missing")
def bias_left_out(w, x):
    out, dw, dx = right_neuron(w, x)
    return out, dw[:-1], dx


@bug("grad-neuron", symptom="dx-with-bias")
def input_of_the_bias(w, x):
    out, dw, dx = right_neuron(w, x)
    return out, dw, np.append(dx, w[-1])


@bug("grad-neuron", symptom="no-sigmoid")
def score_for_output(w, x):
    return w[:-1] @ x + w[-1], *right_neuron(w, x)[1:]


@bug("grad-neuron", symptom="sigmoid-sign")
def falling_sigmoid(w, x):
    out, dw, dx = right_neuron(w, x)
    return 1 - out, dw, dx


@bug("grad-neuron", symptom="overflow")
def exp_over_exp(w, x):
    _, dw, dx = right_neuron(w, x)
    score = w[:-1] @ x + w[-1]
    return np.exp(score) / (1 + np.exp(score)), dw, dx


@bug("grad-neuron", symptom="not-three")
def gradients_only(w, x):
    return right_neuron(w, x)[1:]


LOCAL = {
    "add": lambda v, a, b: (1.0, 1.0),
    "mul": lambda v, a, b: (b, a),
    "max": lambda v, a, b: (float(a >= b), float(a < b)),
    "exp": lambda v, a: (v,),
    "inv": lambda v, a: (-v * v,),
}


def right_backward(nodes, values, *, order=-1, rules=LOCAL, seed=1.0, add=True):
    grads = dict.fromkeys(values, 0.0)
    grads[nodes[-1][0]] = seed
    for name, rule, parents in nodes[::order]:
        slopes = rules[rule](values[name], *(values[p] for p in parents))
        for parent, slope in zip(parents, slopes, strict=True):
            grads[parent] = (grads[parent] if add else 0.0) + slope * grads[name]
    return grads


def ruled(rule, slopes):
    """Return a backward whose local slopes of one rule are wrong."""
    return lambda nodes, values: right_backward(nodes, values, rules={**LOCAL, rule: slopes})


wrong_answer("grad-backward", "a factor gets itself", ruled("mul", lambda v, a, b: (a, b)), symptom="own-input")
wrong_answer("grad-backward", "both get the maximum", ruled("max", lambda v, a, b: (1.0, 1.0)), symptom="max-both")
wrong_answer("grad-backward", "the loser", ruled("max", lambda v, a, b: LOCAL["max"](v, b, a)), symptom="max-loser")
wrong_answer("grad-backward", "the input of exp", ruled("exp", lambda v, a: (a,)), symptom="exp-of-input")
wrong_answer("grad-backward", "1/x that rises", ruled("inv", lambda v, a: (v * v,)), symptom="inv-sign")
wrong_answer("grad-backward", "1/x not squared", ruled("inv", lambda v, a: (-v,)), symptom="inv-power")


@bug("grad-backward", symptom="wrong-order")
def first_to_last(nodes, values):
    return right_backward(nodes, values, order=1)


@bug("grad-backward", symptom="no-upstream")
def local_slopes(nodes, values):
    grads = dict.fromkeys(values, 0.0)
    grads[nodes[-1][0]] = 1.0
    for name, rule, parents in reversed(nodes):
        for parent, slope in zip(parents, LOCAL[rule](values[name], *(values[p] for p in parents)), strict=True):
            grads[parent] += slope
    return grads


@bug("grad-backward", symptom="overwrites")
def assigns(nodes, values):
    return right_backward(nodes, values, add=False)


@bug("grad-backward", symptom="keeps-first")
def sets_once(nodes, values):
    grads = {nodes[-1][0]: 1.0}
    for name, rule, parents in reversed(nodes):
        for parent, slope in zip(parents, LOCAL[rule](values[name], *(values[p] for p in parents)), strict=True):
            grads.setdefault(parent, slope * grads.get(name, 0.0))
    return {name: grads.get(name, 0.0) for name in values}


@bug("grad-backward", symptom="same-input-twice")
def one_share_per_name(nodes, values):
    grads = dict.fromkeys(values, 0.0)
    grads[nodes[-1][0]] = 1.0
    for name, rule, parents in reversed(nodes):
        slopes = LOCAL[rule](values[name], *(values[p] for p in parents))
        for parent, slope in dict(zip(parents, slopes, strict=True)).items():
            grads[parent] += slope * grads[name]
    return grads


@bug("grad-backward", symptom="no-seed")
def begins_with_nothing(nodes, values):
    return right_backward(nodes, values, seed=0.0)


@bug("grad-backward", symptom="missing-name")
def only_what_takes_part(nodes, values):
    return {name: grad for name, grad in right_backward(nodes, values).items() if grad != 0}


@bug("grad-backward", symptom="missing-name")
def inputs_only(nodes, values):
    made = {name for name, _, _ in nodes}
    return {name: grad for name, grad in right_backward(nodes, values).items() if name not in made}


@bug("grad-backward", symptom="mutates")
def writes_into_values(nodes, values):
    grads = right_backward(nodes, values)
    values.update(grads)
    return grads


@bug("grad-backward", symptom="not-dict")
def a_list_of_gradients(nodes, values):
    return list(right_backward(nodes, values).values())
