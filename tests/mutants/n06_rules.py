"""Planted bugs of N06, second third: momentum, RMSprop, Adam, and the lengths of their steps."""

import numpy as np

from tests.mutants import bug

MOMENTUM, RMSPROP, ADAM = "deep-sgd_momentum", "deep-rmsprop", "deep-adam"


def momentum(w, dw, config, *, fresh=lambda mu, v, lr, dw: mu * v - lr * dw, step=lambda mu, v, lr, dw: v):
    mu, lr = config.get("momentum", 0.9), config["learning_rate"]
    v = fresh(mu, config.get("velocity", np.zeros_like(w)), lr, dw)
    return w + step(mu, v, lr, dw), config | {"momentum": mu, "velocity": v}


@bug(MOMENTUM, symptom="uphill")
def climbs(w, dw, config):
    return momentum(w, dw, config, fresh=lambda mu, v, lr, dw: mu * v + lr * dw)


@bug(MOMENTUM, symptom="velocity-sign")
def keeps_the_velocity_upside_down(w, dw, config):
    return momentum(w, dw, config, fresh=lambda mu, v, lr, dw: mu * v + lr * dw, step=lambda mu, v, lr, dw: -v)


@bug(MOMENTUM, symptom="velocity-sign")
def brakes(w, dw, config):
    return momentum(w, dw, config, fresh=lambda mu, v, lr, dw: -mu * v - lr * dw)


@bug(MOMENTUM, symptom="nesterov")
def nesterov(w, dw, config):
    return momentum(w, dw, config, step=lambda mu, v, lr, dw: mu * v - lr * dw)


@bug(MOMENTUM, symptom="dampened")
def averages_the_steps(w, dw, config):
    return momentum(w, dw, config, fresh=lambda mu, v, lr, dw: mu * v - (1 - mu) * lr * dw)


@bug(MOMENTUM, symptom="momentum-swapped")
def momentum_on_the_gradient(w, dw, config):
    return momentum(w, dw, config, fresh=lambda mu, v, lr, dw: v - mu * lr * dw)


@bug(MOMENTUM, symptom="rate-outside")
def learning_rate_outside(w, dw, config):
    return momentum(w, dw, config, fresh=lambda mu, v, lr, dw: mu * v + dw, step=lambda mu, v, lr, dw: -lr * v)


@bug(MOMENTUM, symptom="momentum-fixed")
def always_nine_tenths(w, dw, config):
    return momentum(w, dw, config, fresh=lambda mu, v, lr, dw: 0.9 * v - lr * dw)


@bug(MOMENTUM, symptom="velocity-not-kept")
def forgets_the_velocity(w, dw, config):
    return momentum(w, dw, config)[0], config


@bug(MOMENTUM, symptom="config-lost")
def returns_the_velocity_only(w, dw, config):
    next_w, after = momentum(w, dw, config)
    return next_w, {"velocity": after["velocity"]}


@bug(MOMENTUM, symptom="stands-still")
def moves_by_the_old_velocity(w, dw, config):
    next_w, after = momentum(w, dw, config)
    return next_w - after["velocity"] + config.get("velocity", 0), after


@bug(MOMENTUM, symptom="velocity-ignored")
def own_name_for_the_velocity(w, dw, config):
    inner = config | ({"velocity": config["mine"]} if "mine" in config else {"velocity": np.zeros_like(w)})
    next_w, after = momentum(w, dw, inner)
    return next_w, config | {"mine": after["velocity"]}


@bug(MOMENTUM, RMSPROP, ADAM, symptom="not-a-pair")
def config_is_not_returned(w, dw, config):
    return w - config["learning_rate"] * dw


@bug(MOMENTUM, RMSPROP, ADAM, symptom="mutates")
def steps_in_place(w, dw, config):
    w -= config["learning_rate"] * dw
    return w, config


memory_of_all: dict = {}


@bug(MOMENTUM, symptom="shared-memory")
def one_velocity_for_all(w, dw, config):
    old = memory_of_all["v"] if "begun" in config else config.get("velocity", np.zeros_like(w))
    next_w, after = momentum(w, dw, config | {"velocity": old})
    memory_of_all["v"] = after["velocity"]
    return next_w, after | {"begun": True}


@bug(RMSPROP, symptom="shared-memory")
def one_cache_for_all(w, dw, config):
    old = memory_of_all["cache"] if "begun" in config else config.get("cache", np.zeros_like(w))
    next_w, after = rmsprop(w, dw, config | {"cache": old})
    memory_of_all["cache"] = after["cache"]
    return next_w, after | {"begun": True}


def rmsprop(w, dw, config, *, fresh=None, below=None):
    decay, eps = config.get("decay_rate", 0.99), config.get("epsilon", 1e-8)
    old = config.get("cache", np.zeros_like(w))
    cache = fresh(decay, old, dw) if fresh else decay * old + (1 - decay) * dw**2
    divisor = below(cache, eps) if below else np.sqrt(cache) + eps
    return w - config["learning_rate"] * dw / divisor, config | {"cache": cache}


@bug(RMSPROP, symptom="decay-swapped")
def decay_swapped(w, dw, config):
    return rmsprop(w, dw, config, fresh=lambda decay, old, dw: (1 - decay) * old + decay * dw**2)


@bug(RMSPROP, symptom="eps-inside")
def eps_inside_the_root(w, dw, config):
    return rmsprop(w, dw, config, below=lambda cache, eps: np.sqrt(cache + eps))


@bug(RMSPROP, symptom="no-root")
def divides_by_the_square(w, dw, config):
    return rmsprop(w, dw, config, below=lambda cache, eps: cache + eps)


@bug(RMSPROP, symptom="adagrad")
def adagrad(w, dw, config):
    return rmsprop(w, dw, config, fresh=lambda decay, old, dw: old + dw**2)


@bug(RMSPROP, symptom="no-one-minus")
def adds_the_whole_square(w, dw, config):
    return rmsprop(w, dw, config, fresh=lambda decay, old, dw: decay * old + dw**2)


@bug(RMSPROP, symptom="eps-missing")
def no_epsilon(w, dw, config):
    return rmsprop(w, dw, config, below=lambda cache, eps: np.sqrt(cache))


@bug(RMSPROP, symptom="decay-fixed")
def always_ninety_nine(w, dw, config):
    return rmsprop(w, dw, config, fresh=lambda decay, old, dw: 0.99 * old + 0.01 * dw**2)


@bug(RMSPROP, symptom="not-squared")
def averages_gradients(w, dw, config):
    return rmsprop(
        w,
        dw,
        config,
        fresh=lambda decay, old, dw: decay * old + (1 - decay) * dw,
        below=lambda c, eps: np.sqrt(abs(c)) + eps,
    )


@bug(RMSPROP, symptom="cache-not-kept")
def forgets_the_cache(w, dw, config):
    return rmsprop(w, dw, config)[0], config


@bug(RMSPROP, symptom="old-cache")
def divides_by_the_old_cache(w, dw, config):
    cache = config.get("cache", np.zeros_like(w))
    next_w, after = rmsprop(w, dw, config, below=lambda _, eps: np.sqrt(cache) + eps)
    return next_w, after


@bug(RMSPROP, symptom="uphill")
def rmsprop_uphill(w, dw, config):
    next_w, after = rmsprop(w, dw, config)
    return 2 * w - next_w, after


@bug(RMSPROP, symptom="config-lost")
def returns_the_cache_only(w, dw, config):
    next_w, after = rmsprop(w, dw, config)
    return next_w, {"cache": after["cache"]}


def adam(w, dw, config, *, t_used=lambda t: t, step=None, kept=lambda m, v, mt, vt: (m, v), betas=None):
    b1, b2 = betas or (config.get("beta1", 0.9), config.get("beta2", 0.999))
    eps, t = config.get("epsilon", 1e-8), config.get("t", 0) + 1
    m = b1 * config.get("m", np.zeros_like(w)) + (1 - b1) * dw
    v = b2 * config.get("v", np.zeros_like(w)) + (1 - b2) * dw**2
    with np.errstate(all="ignore"):
        mt, vt = m / (1 - b1 ** t_used(t)), v / (1 - b2 ** t_used(t))
        moved = step(m, v, mt, vt, eps) if step else mt / (np.sqrt(vt) + eps)
    m, v = kept(m, v, mt, vt)
    return w - config["learning_rate"] * moved, config | {"m": m, "v": v, "t": t}


@bug(ADAM, symptom="t-too-late")
def counts_after_use(w, dw, config):
    return adam(w, dw, config, t_used=lambda t: t - 1)


@bug(ADAM, symptom="t-too-late")
def counts_after_use_from_one(w, dw, config):
    return adam(w, dw, config, t_used=lambda t: max(1, t - 1))


@bug(ADAM, symptom="t-too-early")
def counts_twice_in_the_first_call(w, dw, config):
    return adam(w, dw, config, t_used=lambda t: t + 1)


@bug(ADAM, symptom="shared-memory")
def counts_once_for_all_parameters(w, dw, config):
    before = memory_of_all["t"] if "begun" in config else config.get("t", 0)
    next_w, after = adam(w, dw, config | {"t": before})
    memory_of_all["t"] = after["t"]
    return next_w, after | {"begun": True}


@bug(ADAM, symptom="t-not-kept")
def always_the_first_step(w, dw, config):
    return adam(w, dw, config, t_used=lambda t: 1)


@bug(ADAM, symptom="no-correction")
def no_correction(w, dw, config):
    return adam(w, dw, config, step=lambda m, v, mt, vt, eps: m / (np.sqrt(v) + eps))


@bug(ADAM, symptom="m-uncorrected")
def corrects_v_only(w, dw, config):
    return adam(w, dw, config, step=lambda m, v, mt, vt, eps: m / (np.sqrt(vt) + eps))


@bug(ADAM, symptom="v-uncorrected")
def corrects_m_only(w, dw, config):
    return adam(w, dw, config, step=lambda m, v, mt, vt, eps: mt / (np.sqrt(v) + eps))


@bug(ADAM, symptom="correction-stored")
def stores_both_corrected(w, dw, config):
    return adam(w, dw, config, kept=lambda m, v, mt, vt: (mt, vt))


@bug(ADAM, symptom="correction-stored")
def stores_m_corrected(w, dw, config):
    return adam(w, dw, config, kept=lambda m, v, mt, vt: (mt, v))


@bug(ADAM, symptom="correction-stored")
def stores_v_corrected(w, dw, config):
    return adam(w, dw, config, kept=lambda m, v, mt, vt: (m, vt))


@bug(ADAM, symptom="betas-swapped")
def betas_swapped(w, dw, config):
    return adam(w, dw, config, betas=(config.get("beta2", 0.999), config.get("beta1", 0.9)))


@bug(ADAM, symptom="eps-inside")
def adam_eps_inside(w, dw, config):
    return adam(w, dw, config, step=lambda m, v, mt, vt, eps: mt / np.sqrt(vt + eps))


@bug(ADAM, symptom="eps-missing")
def adam_without_epsilon(w, dw, config):
    return adam(w, dw, config, step=lambda m, v, mt, vt, eps: mt / np.sqrt(vt))


@bug(ADAM, symptom="memory-not-kept")
def forgets_m_and_v(w, dw, config):
    next_w, after = adam(w, dw, config)
    return next_w, config | {"t": after["t"]}


@bug(ADAM, symptom="memory-not-kept")
def forgets_everything(w, dw, config):
    return adam(w, dw, config)[0], config


@bug(ADAM, symptom="decay-swapped")
def weights_the_new_by_beta(w, dw, config):
    b1, b2 = config.get("beta1", 0.9), config.get("beta2", 0.999)
    t = config.get("t", 0) + 1
    m = (1 - b1) * config.get("m", 0 * w) + b1 * dw
    v = (1 - b2) * config.get("v", 0 * w) + b2 * dw**2
    moved = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + 1e-8)
    return w - config["learning_rate"] * moved, config | {"m": m, "v": v, "t": t}


@bug(ADAM, symptom="config-lost")
def returns_the_memory_only(w, dw, config):
    next_w, after = adam(w, dw, config)
    return next_w, {key: after[key] for key in "mvt"}


@bug(ADAM, symptom="uphill")
def adam_uphill(w, dw, config):
    next_w, after = adam(w, dw, config)
    return 2 * w - next_w, after
