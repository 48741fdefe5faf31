"""Every name that Theano's programs use is there, or stands with its reason in `docs/theano.md`."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from arignote import tensor as T

LEFT_OUT = Path(__file__).resolve().parents[2] / "docs" / "theano.md"

#: By module, with `arignote` for `theano`; a dotted name is an attribute of an attribute.
NAMES = {
    "arignote": """
        function shared config.floatX config.device config.mode config.warn config.compute_test_value clone
        Variable OpFromGraph In Out Op Apply grad scan map reduce foldl foldr ifelse printing gradient
        tensor scan_module.until
    """,
    "arignote.compile": "SharedVariable function In Out",
    "arignote.compile.ops": "as_op",
    "arignote.gof": "Op Apply Variable graph.inputs graph.is_same_graph graph.ancestors",
    "arignote.scalar": "upcast",
    "arignote.tensor": """
        TensorVariable TensorType matrix vector scalar tensor3 tensor4 tensor5 row col fmatrix ivector
        lscalar dmatrix ftensor4 imatrix bvector wvector iscalar matrices vectors scalars constant
        as_tensor_variable zeros ones zeros_like ones_like alloc eye arange full fill identity_like add sub
        mul true_div int_div mod pow neg abs_ sgn sqrt sqr square inv exp exp2 expm1 log log1p log2 log10
        tanh sin cos tan arcsin arccos arctan arctan2 sinh cosh erf erfc erfinv gamma gammaln psi floor ceil
        round trunc maximum minimum clip switch where eq neq lt le gt ge isnan isinf isclose allclose and_
        or_ xor invert cast real imag conj xlogx.xlogx xlogx.xlogy0 sum prod mean var std max min argmax
        argmin max_and_argmax any all ptp cumsum cumprod diff sort argsort topk argtopk unique bincount
        reshape flatten transpose dimshuffle swapaxes squeeze concatenate stack split tile repeat
        shape_padleft shape_padright shape_padaxis addbroadcast unbroadcast patternbroadcast Rebroadcast
        roll flip join stacklists horizontal_stack vertical_stack moveaxis broadcast_to meshgrid mgrid tri
        tril triu diag diagonal extract_diag extra_ops.repeat extra_ops.to_one_hot set_subtensor
        inc_subtensor take choose nonzero dot batched_dot batched_tensordot tensordot outer nlinalg slinalg
        nnet signal grad Lop Rop jacobian hessian shared_randomstreams
    """,
    "arignote.tensor.nlinalg": "matrix_inverse pinv det svd qr eigh trace matrix_power",
    "arignote.tensor.slinalg": "cholesky solve expm kron",
    "arignote.tensor.nnet": """
        sigmoid ultra_fast_sigmoid hard_sigmoid softplus softsign relu elu selu softmax logsoftmax
        categorical_crossentropy binary_crossentropy sigmoid_binary_crossentropy crossentropy_softmax_1hot
        h_softmax confusion_matrix conv2d conv3d conv2d_transpose separable_conv2d bn.batch_normalization
        bn.batch_normalization_train bn.batch_normalization_test conv.conv2d
        abstract_conv.AbstractConv2d_gradInputs abstract_conv.AbstractConv2d_gradWeights
        abstract_conv.bilinear_upsampling neighbours.images2neibs neighbours.neibs2images
    """,
    "arignote.tensor.signal.conv": "conv2d",
    "arignote.tensor.signal.pool": "pool_2d pool_3d",
    "arignote.tensor.signal.downsample": "max_pool_2d",
    "arignote.tensor.shared_randomstreams": """
        RandomStreams.uniform RandomStreams.normal RandomStreams.binomial RandomStreams.multinomial
        RandomStreams.permutation RandomStreams.choice RandomStreams.random_integers
        RandomStreams.shuffle_row_elements RandomStreams.seed
    """,
    "arignote.sandbox.rng_mrg": """
        MRG_RandomStreams.uniform MRG_RandomStreams.normal MRG_RandomStreams.binomial
        MRG_RandomStreams.multinomial MRG_RandomStreams.choice MRG_RandomStreams.seed
    """,
    "arignote.gradient": """
        grad Lop Rop jacobian hessian grad_clip grad_scale disconnected_grad zero_grad grad_undefined
        verify_grad numeric_grad consider_constant
    """,
    "arignote.ifelse": "ifelse",
    "arignote.printing": "pprint debugprint pydotprint Print",
    "arignote.compile.SharedVariable": "get_value set_value",
}

#: Of every variable.
ATTRIBUTES = """
    eval type owner ndim dtype broadcastable tag name shape size reshape dimshuffle flatten ravel T swapaxes
    transpose squeeze repeat take choose nonzero sum prod mean var std max min argmax argmin any all ptp
    cumsum cumprod sort argsort norm dot astype clip fill diagonal conj round trace copy real imag
"""

ALL = [(module, name) for module, names in NAMES.items() for name in names.split()]


def found(module: str, name: str) -> bool:
    """Tell whether a dotted name can be reached from a module, or from a class in one."""
    try:
        place = importlib.import_module(module)
    except ModuleNotFoundError:
        parent, _, last = module.rpartition(".")
        try:
            place = getattr(importlib.import_module(parent), last)
        except (ModuleNotFoundError, AttributeError):
            return False
    for part in name.split("."):
        try:
            place = getattr(place, part)
        except AttributeError:
            try:
                place = importlib.import_module(f"{place.__name__}.{part}")
            except (ModuleNotFoundError, AttributeError):
                return False
    return True


def left_out() -> set[str]:
    """Return the names in the first column of the page's second table."""
    table = LEFT_OUT.read_text().split("## Left out")[1]
    return {
        name
        for line in table.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


@pytest.mark.parametrize(("module", "name"), ALL, ids=".".join)
def test_a_name_is_there_or_has_its_reason(module, name):
    assert found(module, name) != (name in left_out() or f"{module}.{name}" in left_out())


@pytest.mark.parametrize("name", ATTRIBUTES.split())
def test_a_variable_has_the_attribute(name):
    assert hasattr(T.matrix("x"), name)
