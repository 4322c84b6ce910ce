#!/usr/bin/env python3
"""Writes optimizers_more.*, schedules_more.json and losses_more.*: what generate.py has not, in the same form.

    pip install torch safetensors numpy
    python3 generate_more.py [--seed N] [--out DIR]

What PyTorch has comes from PyTorch; Lamb (You et al. 2019), Lars (You et al. 2017), Lion (Chen et
al. 2023), Muon (Jordan et al. 2024; PyTorch's is in bfloat16), SGD by exponential averages (fastai), L1, inverse_sqrt and wsd are formulas in double.
"""
import argparse
import json
import math
import os

import torch
from safetensors.torch import save_file

parser = argparse.ArgumentParser()
parser.add_argument('--seed', type=int, default=11)
parser.add_argument('--out', default='.')
args = parser.parse_args()
os.makedirs(args.out, exist_ok=True)
torch.set_num_threads(1)
g = torch.Generator().manual_seed(args.seed)
shapes = [(5, 3), (7,)]
start = [torch.randn(*s, generator=g) for s in shapes]
grads = [[torch.randn(*s, generator=g) for s in shapes] for _ in range(20)]
tensors = {f'param.{k}': p for k, p in enumerate(start)}
tensors |= {f'grad.{i}.{k}': q for i, step in enumerate(grads) for k, q in enumerate(step)}
meta = {}


def keep(name, i, params):
    if i in (0, 1, 9, 19):
        for k, p in enumerate(params):
            tensors[f'{name}.after.{i + 1}.{k}'] = p.detach().clone().float()


def by_torch(name, cls, **kw):
    params = [torch.nn.Parameter(p.clone()) for p in start]
    rule = cls(params, **kw)
    for i, step in enumerate(grads):
        for p, q in zip(params, step):
            p.grad = q.clone()
        rule.step()
        keep(name, i, params)
    meta[name] = {k: list(v) if isinstance(v, tuple) else v for k, v in kw.items()}


def by_formula(name, rule, **kw):
    params = [p.double() for p in start]
    state = [{} for _ in params]
    for i, step in enumerate(grads):
        params = [rule(p, q.double(), s, i + 1, **kw) for p, q, s in zip(params, step, state)]
        keep(name, i, params)
    meta[name] = {k: list(v) if isinstance(v, tuple) else v for k, v in kw.items()}


def average(s, key, beta, value):
    s[key] = beta * s.get(key, torch.zeros_like(value)) + (1 - beta) * value
    return s[key]


def lion(p, q, s, t, lr, betas, weight_decay):
    m = s.get('m', torch.zeros_like(p))
    p = p * (1 - lr * weight_decay) - lr * torch.sign(betas[0] * m + (1 - betas[0]) * q)
    s['m'] = betas[1] * m + (1 - betas[1]) * q
    return p


def lamb(p, q, s, t, lr, betas, eps, weight_decay):
    m = average(s, 'm', betas[0], q) / (1 - betas[0] ** t)
    v = average(s, 'v', betas[1], q * q) / (1 - betas[1] ** t)
    d = m / (v.sqrt() + eps) + weight_decay * p
    return p - lr * p.norm() / d.norm() * d


def lars(p, q, s, t, lr, momentum, trust, eps, weight_decay):
    ratio = trust * p.norm() / (q.norm() + weight_decay * p.norm() + eps)
    s['b'] = momentum * s.get('b', torch.zeros_like(p)) + ratio * (q + weight_decay * p)
    return p - lr * s['b']


def muon(p, q, s, t, lr, betas, eps, weight_decay):
    m = average(s, 'm', betas[0], q)
    p = p * (1 - lr * weight_decay)
    if p.ndim < 2:
        v = average(s, 'v', betas[1], q * q) / (1 - betas[1] ** t)
        return p - lr * m / (1 - betas[0] ** t) / (v.sqrt() + eps)
    x = betas[0] * m + (1 - betas[0]) * q
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (2.0315 * a @ a - 4.7750 * a) @ x
    return p - lr * .2 * max(p.shape) ** .5 * x


def ewma(p, q, s, t, lr, momentum):
    return p - lr * average(s, 'b', momentum, q)


def l1(p, q, s, t, lr, l1):
    return p - lr * (q + l1 * torch.sign(p))


O = torch.optim
by_torch('adagrad_decay_initial', O.Adagrad, lr=.1, lr_decay=.05, initial_accumulator_value=.3, eps=1e-10, weight_decay=.01)
by_torch('adadelta_l2', O.Adadelta, lr=.5, rho=.8, eps=1e-6, weight_decay=.02)
by_torch('adamax_l2', O.Adamax, lr=.02, betas=(.8, .95), eps=1e-8, weight_decay=.05)
by_torch('nadam_l2', O.NAdam, lr=.02, betas=(.8, .95), eps=1e-8, momentum_decay=.01, weight_decay=.05)
by_torch('nadam_decoupled', O.NAdam, lr=.02, weight_decay=.1, decoupled_weight_decay=True)
by_torch('radam_l2', O.RAdam, lr=.02, betas=(.8, .95), eps=1e-8, weight_decay=.05)
by_torch('radam_decoupled', O.RAdam, lr=.02, betas=(.9, .9), weight_decay=.1, decoupled_weight_decay=True)
by_torch('rprop', O.Rprop, lr=.01)
by_torch('rprop_bounds', O.Rprop, lr=.1, etas=(.4, 1.5), step_sizes=(.05, .2))
by_torch('rmsprop_momentum', O.RMSprop, lr=.01, momentum=.8)
by_torch('sgd_dampening_l2', O.SGD, lr=.05, momentum=.8, dampening=.2, weight_decay=.1)
by_formula('lion', lion, lr=.01, betas=(.9, .99), weight_decay=.1)
by_formula('lamb', lamb, lr=.01, betas=(.9, .999), eps=1e-6, weight_decay=.1)
by_formula('lars', lars, lr=.5, momentum=.9, trust=.01, eps=1e-8, weight_decay=.05)
by_formula('sgd_ewma', ewma, lr=.1, momentum=.9)
by_formula('sgd_l1', l1, lr=.05, l1=.1)
by_formula('muon', muon, lr=.05, betas=(.9, .98), eps=1e-8, weight_decay=.1)
assert all(math.isfinite(v.abs().max()) for v in tensors.values())
save_file(tensors, os.path.join(args.out, 'optimizers_more.safetensors'))
with open(os.path.join(args.out, 'optimizers_more.json'), 'w') as f:
    json.dump(meta, f, indent=1)

schedules = {}


def by_scheduler(name, make, steps, spec, metric=None):
    p = torch.nn.Parameter(torch.zeros(1))
    o = O.SGD([p], lr=.1, momentum=.9)
    s = make(o)
    lr, momentum = [], []
    for i in range(steps):
        lr.append(o.param_groups[0]['lr'])
        momentum.append(o.param_groups[0]['momentum'])
        p.grad = torch.zeros(1)
        o.step()
        s.step(metric[i]) if metric else s.step()
    if metric:
        spec = dict(spec, metric=metric)
    schedules[name] = {'spec': spec, 'lr': lr, 'momentum': momentum}


def by_rate(name, rate, steps, spec):
    schedules[name] = {'spec': spec, 'lr': [rate(t) for t in range(steps)], 'momentum': [.9] * steps}


def cycle(name, **kw):
    spec = {('anneal' if k == 'anneal_strategy' else k): v for k, v in kw.items()}
    by_scheduler(name, lambda o: L.OneCycleLR(o, **kw), kw['total_steps'], spec)


L = O.lr_scheduler
cycle('one_cycle_10', max_lr=.4, total_steps=10)
cycle('one_cycle_101_three_phase', max_lr=.4, total_steps=101, three_phase=True)
cycle('one_cycle_101_linear', max_lr=.4, total_steps=101, anneal_strategy='linear')
cycle('one_cycle_1000_linear_three_phase', max_lr=2., total_steps=1000, anneal_strategy='linear', three_phase=True, pct_start=.2)
by_scheduler('warmup_cosine', lambda o: L.SequentialLR(o, [L.LinearLR(o, .1, 1., 20), L.CosineAnnealingLR(o, 80)], [20]), 100,
             dict(warmup_steps=20, warmup_start_factor=.1))
by_rate('inverse_sqrt', lambda t: .1 * (t / 25 if t < 25 else math.sqrt(25 / t)), 100, dict(warmup_steps=25))
by_rate('wsd', lambda t: .1 * (t / 10 if t < 10 else 1 if t < 73 else .1 + .9 * (1 - math.sqrt((t - 73) / 27))), 100,
        dict(warmup_steps=10, decay_fraction=.3, min_factor=.1))
noise = torch.rand(60, generator=g, dtype=torch.float64).tolist()
falling = [1 / (1 + i) + .3 * n for i, n in enumerate(noise)]
by_scheduler('plateau', lambda o: L.ReduceLROnPlateau(o, factor=.5, patience=3, cooldown=2, min_lr=1e-3), 60,
             dict(factor=.5, patience=3, cooldown=2, min_lr=1e-3), falling)
by_scheduler('plateau_max_absolute', lambda o: L.ReduceLROnPlateau(o, mode='max', factor=.7, patience=4, threshold=.05, threshold_mode='abs'), 60,
             dict(factor=.7, patience=4, threshold=.05, absolute=True), [1 - f for f in falling])
with open(os.path.join(args.out, 'schedules_more.json'), 'w') as f:
    json.dump(schedules, f)

losses, lmeta = {}, {}


def by_loss(name, fn, x, t, **kw):
    x = x.clone().requires_grad_()
    y = fn(x, t)
    y.backward()
    losses[f'{name}.x'], losses[f'{name}.t'] = x.detach(), t.clone()
    losses[f'{name}.loss'], losses[f'{name}.grad'] = y.detach(), x.grad
    lmeta[name] = kw


F = torch.nn.functional
x, t = torch.randn(6, 5, generator=g) * 2, torch.randint(0, 5, (6,), generator=g)
n, m = torch.randn(7, 1, generator=g), torch.randn(7, 1, generator=g)


def focal(x, t, gamma=1.5):
    l = F.log_softmax(x, 1).gather(1, t[:, None])
    return -((1 - l.exp()) ** gamma * l).mean()


by_loss('focal', focal, x, t, gamma=1.5)
by_loss('hinge', lambda x, t: F.multi_margin_loss(x, t, margin=.7) + .7 / 5, x, t, margin=.7)
by_loss('smooth_l1', lambda x, t: F.smooth_l1_loss(x, t, beta=.4), n, m, beta=.4)
by_loss('quantile', lambda x, t: torch.maximum(.8 * (t - x), -.2 * (t - x)).mean(), n, m, quantile=.8)
save_file(losses, os.path.join(args.out, 'losses_more.safetensors'))
with open(os.path.join(args.out, 'losses_more.json'), 'w') as f:
    json.dump(lmeta, f, indent=1)
