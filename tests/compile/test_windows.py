"""Everything that moves windows over images, in one program: all of it native."""

import numpy as np
import pytest
from cases import TABLE

from arignote import function, grad
from arignote import tensor as T
from arignote.compile.lowering import is_native
from arignote.engine.graph import walk

pytestmark = pytest.mark.usefixtures("own_cache")
nnet, signal = T.nnet, T.signal
MODULES = ("conv", "pool", "neighbours", "normalization")


def test_a_network_of_all_of_them_is_one_native_call():
    x, deep, sequences = (
        T.ftensor4("x"),
        T.TensorType("float32", (None,) * 5)("deep"),
        T.ftensor3("sequences"),
    )
    parameters = [np.random.default_rng(0).standard_normal(shape).astype("float32") for shape in SHAPES]
    w, depthwise, unshared, volume, line, gamma, beta = kinds = [
        T.TensorType("float32", (None,) * p.ndim)() for p in parameters
    ]
    maps = nnet.conv2d(x, w, border_mode="half", num_groups=2)
    maps, _, _ = nnet.bn.batch_normalization_train(maps, gamma, beta, "spatial")
    maps = nnet.relu(nnet.conv2d(maps, depthwise, filter_dilation=(2, 1), num_groups=6))
    maps = nnet.local_response_normalization(signal.pool.pool_2d(maps, 3, stride=(2, 2)))
    maps = nnet.layer_normalization(nnet.conv2d(maps, unshared, unshared=True), axes=(1, 2, 3))
    maps = nnet.abstract_conv.bilinear_upsampling(maps, ratio=2)
    volumes = signal.pool.pool_3d(nnet.conv3d(deep, volume), 2, True, mode="average_exc_pad")
    lines = signal.pool.pool_1d(nnet.conv1d(sequences, line, subsample=2), 2)
    patches = nnet.neighbours.images2neibs(maps, (2, 2))
    cost = sum((each**2).sum() for each in (patches, volumes, lines))
    inputs = [x, deep, sequences, *kinds]
    f = function(inputs, [cost, *grad(cost, inputs)], profile=True)
    arrays = [np.ones(shape, "float32") for shape in ((2, 4, 12, 11), (1, 2, 5, 6, 7), (2, 3, 20))]
    f(*arrays, *parameters)
    assert (f.profile.runs, f.profile.native_calls) == (1, 1)


# filters: in two groups, depthwise, unshared, of volumes, of sequences; scale and shift
SHAPES = [(6, 2, 3, 3), (6, 1, 3, 3), (4, 3, 3, 6, 2, 2), (3, 2, 2, 3, 3), (4, 3, 3), (6,), (6,)]


def test_every_case_is_native():
    rows = [case for case in TABLE if case.make.__module__.rpartition(".")[2] in MODULES]
    assert len(rows) > 100
    for case in rows:
        variables = case.variables()
        expression = case.make(*variables)
        wrt = [x for x in variables if x.type.is_float]
        slopes = grad((expression**2).sum(), wrt, disconnected_inputs="ignore") if case.order else []
        outputs = [expression, *slopes]
        assert [node for node in walk(outputs) if not is_native(node.op)] == [], case.name
