"""Exact-integer networks: folding, steps, quantization-aware training, pruning.

A float network becomes exact in place and trains on in anyone's loop::

    config = compress.ExactConfig(target="ems", time_steps=4, calibration=loader)
    plan = compress.prepare(model, config, images)
    compress.apply_plan(fresh_model, plan).load_state_dict(state)      # before loading an exact checkpoint
    network = compress.integer_network(model)                          # the integers, numpy only
"""

from __future__ import annotations

from .apply import apply_plan
from .config import ExactConfig
from .exact_conv import ExactConv2d
from .exact_layer import exact_layers
from .exact_lif import ExactLIF
from .exact_output import ExactOutput
from .exact_stem import ExactStem
from .integer_network import IntegerNetwork, IntegerNode
from .lower import integer_network, outgrown_weights  # the function replaces the module's name on purpose
from .pending import PendingCurrent
from .plan import plan_of
from .prepare import prepare
from .pruning import Pruner, Pruning, cubic_sparsity, sparsity_of
from .recipe import cosine_rate, fit_exact
from .recorder import Recorder, recording

__all__ = [
    "ExactConfig",
    "ExactConv2d",
    "ExactLIF",
    "ExactOutput",
    "ExactStem",
    "IntegerNetwork",
    "IntegerNode",
    "PendingCurrent",
    "Pruner",
    "Pruning",
    "Recorder",
    "apply_plan",
    "cosine_rate",
    "cubic_sparsity",
    "exact_layers",
    "fit_exact",
    "integer_network",
    "outgrown_weights",
    "plan_of",
    "prepare",
    "recording",
    "sparsity_of",
]
