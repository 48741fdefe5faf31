"""Programs as Theano's users wrote them, run with `theano` replaced by `arignote`, against NumPy.

They are written for this test, in the words of the tutorials: the imports, the order of arguments, and the
habits (casts of shared labels, `numpy.asarray(..., dtype=theano.config.floatX)`, slices in `givens`).
"""

import numpy as np
import pytest

from arignote import config


@pytest.fixture
def run(monkeypatch):
    """Return the function that runs a program, and returns its variables."""

    def run(source, floatX="float64", **given):
        monkeypatch.setattr(config, "floatX", floatX)
        variables = {"__name__": "program", **given}
        exec(compile(source.replace("theano", "arignote"), "program", "exec"), variables)
        return variables

    return run


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


LOGISTIC_REGRESSION = """
import numpy
import theano
import theano.tensor as T

class LogisticRegression(object):
    def __init__(self, input, n_in, n_out):
        self.W = theano.shared(
            value=numpy.zeros((n_in, n_out), dtype=theano.config.floatX), name='W', borrow=True)
        self.b = theano.shared(
            value=numpy.zeros((n_out,), dtype=theano.config.floatX), name='b', borrow=True)
        self.p_y_given_x = T.nnet.softmax(T.dot(input, self.W) + self.b)
        self.y_pred = T.argmax(self.p_y_given_x, axis=1)
        self.params = [self.W, self.b]

    def negative_log_likelihood(self, y):
        return -T.mean(T.log(self.p_y_given_x)[T.arange(y.shape[0]), y])

    def errors(self, y):
        return T.mean(T.neq(self.y_pred, y))

def shared_dataset(data_x, data_y, borrow=True):
    shared_x = theano.shared(numpy.asarray(data_x, dtype=theano.config.floatX), borrow=borrow)
    shared_y = theano.shared(numpy.asarray(data_y, dtype=theano.config.floatX), borrow=borrow)
    return shared_x, T.cast(shared_y, 'int32')

train_set_x, train_set_y = shared_dataset(data_x, data_y)
index = T.lscalar()
x = T.matrix('x')
y = T.ivector('y')
classifier = LogisticRegression(input=x, n_in=6, n_out=3)
cost = classifier.negative_log_likelihood(y)
g_W, g_b = T.grad(cost=cost, wrt=classifier.W), T.grad(cost=cost, wrt=classifier.b)
updates = [(classifier.W, classifier.W - learning_rate * g_W),
           (classifier.b, classifier.b - learning_rate * g_b)]
train_model = theano.function(
    inputs=[index], outputs=cost, updates=updates,
    givens={
        x: train_set_x[index * batch_size: (index + 1) * batch_size],
        y: train_set_y[index * batch_size: (index + 1) * batch_size]
    })
test_model = theano.function(
    inputs=[index], outputs=classifier.errors(y),
    givens={
        x: train_set_x[index * batch_size: (index + 1) * batch_size],
        y: train_set_y[index * batch_size: (index + 1) * batch_size]
    })
n_batches = train_set_x.get_value(borrow=True).shape[0] // batch_size
costs = [[train_model(i) for i in range(n_batches)] for epoch in range(3)]
errors = [test_model(i) for i in range(n_batches)]
W = classifier.W.get_value(borrow=True)
"""


@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_logistic_regression(run, floatX):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 6)), rng.integers(0, 3, 60)
    ran = run(LOGISTIC_REGRESSION, floatX, data_x=x, data_y=y, learning_rate=0.3, batch_size=20)
    w, b, costs = np.zeros((6, 3)), np.zeros(3), []
    for step in range(9):
        rows = slice(step % 3 * 20, step % 3 * 20 + 20)
        p = softmax(x[rows] @ w + b)
        costs.append(-np.log(p[np.arange(20), y[rows]]).mean())
        p[np.arange(20), y[rows]] -= 1
        w, b = w - 0.3 * x[rows].T @ p / 20, b - 0.3 * p.mean(0)
    precision = 1e-5 if floatX == "float32" else 1e-12
    np.testing.assert_allclose(np.ravel(ran["costs"]), costs, rtol=precision)
    np.testing.assert_allclose(ran["W"], w, atol=precision)
    assert ran["W"].dtype == floatX
    wrong = [(softmax(x[i : i + 20] @ w + b).argmax(1) != y[i : i + 20]).mean() for i in (0, 20, 40)]
    np.testing.assert_allclose(ran["errors"], wrong)


MLP = """
import numpy
import theano
import theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStreams

rng = numpy.random.RandomState(1234)
srng = RandomStreams(rng.randint(999999))

class HiddenLayer(object):
    def __init__(self, rng, input, n_in, n_out, W=None, b=None, activation=T.tanh):
        if W is None:
            W_values = numpy.asarray(
                rng.uniform(
                    low=-numpy.sqrt(6. / (n_in + n_out)),
                    high=numpy.sqrt(6. / (n_in + n_out)),
                    size=(n_in, n_out)),
                dtype=theano.config.floatX)
            if activation == theano.tensor.nnet.sigmoid:
                W_values *= 4
            W = theano.shared(value=W_values, name='W', borrow=True)
        if b is None:
            b = theano.shared(value=numpy.zeros((n_out,), dtype=theano.config.floatX), name='b', borrow=True)
        self.W, self.b = W, b
        lin_output = T.dot(input, self.W) + self.b
        self.output = lin_output if activation is None else activation(lin_output)
        self.params = [self.W, self.b]

def _dropout_from_layer(rng, layer, p):
    mask = srng.binomial(n=1, p=1 - p, size=layer.shape)
    return layer * T.cast(mask, theano.config.floatX)

index, x, y = T.lscalar(), T.matrix('x'), T.ivector('y')
hidden = HiddenLayer(rng, x, 5, 8, activation=T.nnet.sigmoid)
dropped = _dropout_from_layer(srng, hidden.output, p=0.25)
out = HiddenLayer(rng, dropped, 8, 2, activation=None)
p_y = T.nnet.softmax(out.output)
params = hidden.params + out.params
L2_sqr = (hidden.W ** 2).sum() + (out.W ** 2).sum()
cost = T.mean(T.nnet.categorical_crossentropy(p_y, y)) + 0.001 * L2_sqr
gparams = [T.grad(cost, param) for param in params]
momentum = [theano.shared(param.get_value() * 0.) for param in params]
updates = []
for param, gparam, velocity in zip(params, gparams, momentum):
    updates.append((velocity, 0.9 * velocity - 0.1 * gparam))
    updates.append((param, param + 0.9 * velocity - 0.1 * gparam))
set_x = theano.shared(numpy.asarray(data_x, dtype=theano.config.floatX))
set_y = T.cast(theano.shared(numpy.asarray(data_y, dtype=theano.config.floatX)), 'int32')
start = [param.get_value() for param in params]
rows = slice(index * 10, (index + 1) * 10)
train = theano.function([index], [cost, dropped], updates=updates, givens={x: set_x[rows], y: set_y[rows]})
results = [train(i % 4) for i in range(8)]
end = [param.get_value() for param in params]
"""


def test_a_perceptron_with_dropout_and_momentum(run):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 5)), rng.integers(0, 2, 40)
    ran = run(MLP, data_x=x, data_y=y)
    params = [p.copy() for p in ran["start"]]
    velocity = [np.zeros_like(p) for p in params]
    for step, (cost, dropped) in enumerate(ran["results"]):
        rows = slice(step % 4 * 10, step % 4 * 10 + 10)
        w1, b1, w2, b2 = params
        hidden = 1 / (1 + np.exp(-(x[rows] @ w1 + b1)))
        mask = dropped != 0
        np.testing.assert_allclose(dropped, hidden * mask, rtol=1e-12)
        p = softmax(dropped @ w2 + b2)
        expected = -np.log(p[np.arange(10), y[rows]]).mean() + 0.001 * ((w1**2).sum() + (w2**2).sum())
        np.testing.assert_allclose(cost, expected, rtol=1e-12)
        p[np.arange(10), y[rows]] -= 1
        p /= 10
        back = p @ w2.T * mask * hidden * (1 - hidden)
        slopes = [x[rows].T @ back + 0.002 * w1, back.sum(0), dropped.T @ p + 0.002 * w2, p.sum(0)]
        velocity = [0.9 * v - 0.1 * g for v, g in zip(velocity, slopes, strict=True)]
        params = [w + v for w, v in zip(params, velocity, strict=True)]
    for ours, theirs in zip(ran["end"], params, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    assert 0.6 < np.mean([dropped != 0 for _, dropped in ran["results"]]) < 0.9


OPS = """
import numpy
import theano
import theano.tensor as T
from theano import gof
from theano.compile.ops import as_op

class DoubleOp(theano.Op):
    __props__ = ()

    def make_node(self, x):
        x = theano.tensor.as_tensor_variable(x)
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node, inputs, output_storage):
        x = inputs[0]
        z = output_storage[0]
        z[0] = x * 2

    def infer_shape(self, node, i0_shapes):
        return i0_shapes

    def grad(self, inputs, output_grads):
        return [output_grads[0] * 2]

    def R_op(self, inputs, eval_points):
        if eval_points[0] is None:
            return eval_points
        return self.grad(inputs, eval_points)

def infer_shape_numpy_dot(node, input_shapes):
    ashp, bshp = input_shapes
    return [ashp[:-1] + bshp[-1:]]

@as_op(itypes=[theano.tensor.fmatrix, theano.tensor.fmatrix],
       otypes=[theano.tensor.fmatrix], infer_shape=infer_shape_numpy_dot)
def numpy_dot(a, b):
    return numpy.dot(a, b)

x = theano.tensor.matrix()
f = theano.function([x], [DoubleOp()(x), theano.grad((DoubleOp()(x) ** 2).sum(), x)])
doubled, slope = f(value)
theano.gradient.verify_grad(DoubleOp(), [value], rng=numpy.random.RandomState(0))
a, b = theano.tensor.fmatrix(), theano.tensor.fmatrix()
product = theano.function([a, b], numpy_dot(a, b))(value.astype('float32'), value.T.astype('float32'))
nodes = [type(node.op).__name__ for node in gof.graph.io_toposort([x], [DoubleOp()(x) + 1])]
"""


def test_ops_of_the_users_own(run):
    value = np.random.default_rng(2).normal(size=(5, 4))
    ran = run(OPS, value=value)
    np.testing.assert_array_equal(ran["doubled"], value * 2)
    np.testing.assert_allclose(ran["slope"], 8 * value, rtol=1e-14)
    narrow = value.astype("float32")
    np.testing.assert_allclose(ran["product"], narrow @ narrow.T, rtol=1e-6)
    assert ran["nodes"][-1] == "Add"


GPU_CHECK = """
from theano import function, config, shared, tensor, sandbox
import numpy

vlen = 10 * 30 * 8
rng = numpy.random.RandomState(22)
x = shared(numpy.asarray(rng.rand(vlen), config.floatX))
f = function([], tensor.exp(x))
for i in range(3):
    r = f()
if numpy.any([isinstance(x.op, tensor.Elemwise) and ('Gpu' not in type(x.op).__name__)
              for x in f.maker.fgraph.toposort()]):
    used = 'cpu'
else:
    used = 'gpu'
value = x.get_value()
"""


def test_the_check_for_a_gpu_says_cpu(run):
    ran = run(GPU_CHECK, "float32")
    np.testing.assert_allclose(ran["r"], np.exp(ran["value"]), rtol=3e-7)
    assert ran["used"] == "cpu"


ACCUMULATOR = """
import pickle
import theano
import theano.tensor as T
from theano import In, pp

state = theano.shared(0)
inc = T.iscalar('inc')
accumulator = theano.function([inc], state, updates=[(state, state + inc)])
new_state = theano.shared(0)
new_accumulator = accumulator.copy(swap={state: new_state})
accumulator(10)
accumulator(200)
new_accumulator(100)
seen = int(state.get_value()), int(new_state.get_value())
foo = T.scalar(dtype=state.dtype)
skip_shared = theano.function([inc, foo], state * 2 + inc, givens=[(state, foo)])(1, 3)

x, y, w = T.dscalars('x', 'y', 'w')
z = (x + y) * w
f = theano.function([x, In(y, value=1), In(w, value=2, name='w_by_name')], z)
calls = [float(each) for each in
         (f(33), f(33, 2), f(33, 0, 1), f(33, w_by_name=1), f(33, w_by_name=1, y=0))]
gradient = T.grad(x ** 2, x)
text = pp(gradient)
slope = float(gradient.eval({x: 4.0}))
again = pickle.loads(pickle.dumps(f))
"""


def test_the_functions_of_the_tutorial(run):
    ran = run(ACCUMULATOR)
    assert ran["seen"] == (210, 100)
    assert ran["skip_shared"] == 7
    assert ran["calls"] == [68.0, 70.0, 33.0, 34.0, 33.0]
    assert (ran["slope"], ran["again"](33)) == (8.0, 68.0)
    assert "x" in ran["text"]


BOLTZMANN_MACHINE = """
import numpy
import theano
import theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStreams

class RBM(object):
    def __init__(self, input=None, n_visible=6, n_hidden=4, numpy_rng=None, theano_rng=None):
        self.W = theano.shared(numpy_rng.uniform(-1, 1, (n_visible, n_hidden)), name='W', borrow=True)
        self.hbias = theano.shared(numpy.zeros(n_hidden), name='hbias', borrow=True)
        self.vbias = theano.shared(numpy.zeros(n_visible), name='vbias', borrow=True)
        self.input = input
        if not input:
            self.input = T.matrix('input')
        self.theano_rng = theano_rng
        self.params = [self.W, self.hbias, self.vbias]

    def free_energy(self, v_sample):
        wx_b = T.dot(v_sample, self.W) + self.hbias
        return -T.sum(T.log(1 + T.exp(wx_b)), axis=1) - T.dot(v_sample, self.vbias)

    def sample_h_given_v(self, v0_sample):
        h1_mean = T.nnet.sigmoid(T.dot(v0_sample, self.W) + self.hbias)
        h1_sample = self.theano_rng.binomial(size=h1_mean.shape, n=1, p=h1_mean, dtype=theano.config.floatX)
        return [h1_mean, h1_sample]

    def sample_v_given_h(self, h0_sample):
        v1_mean = T.nnet.sigmoid(T.dot(h0_sample, self.W.T) + self.vbias)
        v1_sample = self.theano_rng.binomial(size=v1_mean.shape, n=1, p=v1_mean, dtype=theano.config.floatX)
        return [v1_mean, v1_sample]

    def gibbs_hvh(self, h0_sample):
        v1_mean, v1_sample = self.sample_v_given_h(h0_sample)
        h1_mean, h1_sample = self.sample_h_given_v(v1_sample)
        return [v1_mean, v1_sample, h1_mean, h1_sample]

    def get_cost_updates(self, lr=0.1, persistent=None, k=1):
        ph_mean, ph_sample = self.sample_h_given_v(self.input)
        chain_start = persistent if persistent else ph_sample
        ([nv_means, nv_samples, nh_means, nh_samples], updates) = theano.scan(
            self.gibbs_hvh, outputs_info=[None, None, None, chain_start], n_steps=k, name='gibbs_hvh')
        chain_end = nv_samples[-1]
        cost = T.mean(self.free_energy(self.input)) - T.mean(self.free_energy(chain_end))
        gparams = T.grad(cost, self.params, consider_constant=[chain_end])
        for gparam, param in zip(gparams, self.params):
            updates[param] = param - gparam * T.cast(lr, dtype=theano.config.floatX)
        if persistent:
            updates[persistent] = nh_samples[-1]
        return cost, chain_end, updates

rng = numpy.random.RandomState(123)
theano_rng = RandomStreams(rng.randint(2 ** 30))
index, x = T.lscalar(), T.matrix('x')
train_set_x = theano.shared(data, borrow=True)
persistent_chain = theano.shared(numpy.zeros((10, 4), dtype=theano.config.floatX), borrow=True)
rbm = RBM(input=x, numpy_rng=rng, theano_rng=theano_rng)
cost, chain_end, updates = rbm.get_cost_updates(lr=0.2, persistent=persistent_chain, k=3)
train_rbm = theano.function([index], [cost, chain_end], updates=updates, name='train_rbm',
                            givens={x: train_set_x[index * 10: (index + 1) * 10]})
steps = []
for i in range(4):
    before = [param.get_value() for param in rbm.params]
    steps.append((before, train_rbm(i % 2), [param.get_value() for param in rbm.params]))
"""


def test_a_boltzmann_machine(run):
    data = (np.random.default_rng(4).random((20, 6)) < 0.4).astype("float64")
    chains = []
    for step, (before, (cost, chain), after) in enumerate(run(BOLTZMANN_MACHINE, data=data)["steps"]):
        w, hidden, visible = before
        x = data[step % 2 * 10 : step % 2 * 10 + 10]
        assert set(np.unique(chain)) <= {0.0, 1.0}
        chains.append(chain)

        def free_energy(v, w=w, hidden=hidden, visible=visible):
            return -np.log1p(np.exp(v @ w + hidden)).sum(1) - v @ visible

        np.testing.assert_allclose(cost, free_energy(x).mean() - free_energy(chain).mean(), atol=1e-12)
        h_x, h_chain = (1 / (1 + np.exp(-(v @ w + hidden))) for v in (x, chain))
        slopes = [(chain.T @ h_chain - x.T @ h_x) / 10, (h_chain - h_x).mean(0), (chain - x).mean(0)]
        for old, slope, new in zip(before, slopes, after, strict=True):
            np.testing.assert_allclose(new, old - 0.2 * slope, rtol=0, atol=1e-12)
    assert len({chain.tobytes() for chain in chains}) == 4


STREAMS = """
import theano
import theano.tensor as T
from theano.tensor.shared_randomstreams import RandomStreams
from theano.sandbox.rng_mrg import MRG_RandomStreams

srng = RandomStreams(seed=234)
rv_u = srng.uniform((2, 2))
rv_n = srng.normal((2, 2))
f = theano.function([], rv_u)
g = theano.function([], rv_n, no_default_updates=True)
nearly_zeros = theano.function([], rv_u + rv_u - 2 * rv_u)
first, second, same, again = f(), f(), g(), g()
zeros = nearly_zeros()
state_after_v0 = rv_u.rng.get_value(borrow=True)
v1 = f()
rv_u.rng.set_value(state_after_v0, borrow=True)
v2 = f()

class Graph():
    def __init__(self, seed=123):
        self.rng = MRG_RandomStreams(seed)
        self.y = self.rng.uniform(size=(1,))

g1, g2 = Graph(seed=123), Graph(seed=987)
f1, f2 = theano.function([], g1.y), theano.function([], g2.y)
different = f1(), f2()
for (su1, su2) in zip(g1.rng.state_updates, g2.rng.state_updates):
    su2[0].set_value(su1[0].get_value())
equal = f1(), f2()
"""


def test_the_random_numbers_of_the_tutorial(run):
    ran = run(STREAMS)
    assert (ran["first"] != ran["second"]).all()
    assert (ran["same"] == ran["again"]).all()
    assert (ran["zeros"] == 0).all()
    assert (ran["v1"] == ran["v2"]).all()
    assert ran["different"][0] != ran["different"][1]
    assert ran["equal"][0] == ran["equal"][1]


GAUSSIAN_PROCESS = """
import numpy as np
import theano
import theano.tensor as tt
from theano.tensor import slinalg, nlinalg

X, y = tt.dmatrix('X'), tt.dvector('y')
length = theano.shared(1.5, 'length')
noise = theano.shared(0.3, 'noise')
square = tt.sum(X ** 2, 1)
distance = square.dimshuffle(0, 'x') + square.dimshuffle('x', 0) - 2 * tt.dot(X, X.T)
K = tt.exp(-0.5 * distance / length ** 2) + noise ** 2 * tt.eye(X.shape[0])
L = slinalg.cholesky(K)
alpha = slinalg.solve_lower_triangular(L, y)
nll = 0.5 * tt.dot(alpha, alpha) + tt.sum(tt.log(nlinalg.diag(L))) + 0.5 * X.shape[0] * np.log(2 * np.pi)
f = theano.function([X, y], [nll] + theano.grad(nll, [length, noise]))
other = theano.function([X, y], 0.5 * y.dot(slinalg.solve(K, y)) + 0.5 * tt.log(nlinalg.det(K)))
value, slopes = f(points, targets)[0], f(points, targets)[1:]
without_constant = other(points, targets)
"""


def test_a_gaussian_process(run):
    scipy_stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    points, targets = rng.normal(size=(7, 2)), rng.normal(size=7)

    def likelihood(length, noise):
        distance = ((points[:, None] - points[None]) ** 2).sum(-1)
        covariance = np.exp(-0.5 * distance / length**2) + noise**2 * np.eye(7)
        return -scipy_stats.multivariate_normal(np.zeros(7), covariance).logpdf(targets)

    ran = run(GAUSSIAN_PROCESS, points=points, targets=targets)
    np.testing.assert_allclose(ran["value"], likelihood(1.5, 0.3), rtol=1e-10)
    np.testing.assert_allclose(ran["without_constant"], ran["value"] - 3.5 * np.log(2 * np.pi), rtol=1e-10)
    step = 1e-5
    expected = [
        (likelihood(1.5 + step, 0.3) - likelihood(1.5 - step, 0.3)) / (2 * step),
        (likelihood(1.5, 0.3 + step) - likelihood(1.5, 0.3 - step)) / (2 * step),
    ]
    np.testing.assert_allclose(ran["slopes"], expected, rtol=1e-6)


IMPORTS = """
import theano
import theano.tensor as T
import theano.tensor.nnet
import theano.tensor.signal.pool
from theano import config, function, shared, Op, Apply, Variable, OpFromGraph, In, Out, Mode
from theano import gof, printing, gradient
from theano.compile import SharedVariable, as_op, get_mode
from theano.compile.mode import get_default_mode
from theano.compile.io import In as AlsoIn
from theano.gof.graph import ancestors, inputs, is_same_graph
from theano.ifelse import ifelse
from theano.printing import debugprint, pprint
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.scalar import upcast
from theano.tensor import TensorType, TensorVariable, as_tensor_variable
from theano.tensor.basic import concatenate
from theano.tensor.elemwise import Elemwise
from theano.tensor.extra_ops import repeat
from theano.tensor.nlinalg import matrix_inverse
from theano.tensor.nnet import conv2d, sigmoid
from theano.tensor.nnet.abstract_conv import bilinear_upsampling
from theano.tensor.nnet.bn import batch_normalization
from theano.tensor.nnet.neighbours import images2neibs
from theano.tensor.shared_randomstreams import RandomStreams
from theano.tensor.sharedvar import TensorSharedVariable
from theano.tensor.signal import downsample, pool
from theano.tensor.signal.conv import conv2d as signal_conv2d
from theano.tensor.slinalg import cholesky
from theano.tensor.subtensor import inc_subtensor, set_subtensor
from theano.tensor.type import TensorType as AlsoTensorType
from theano.tensor.var import TensorConstant, TensorVariable as AlsoTensorVariable
from theano.tensor.xlogx import xlogx

theano.config.device = 'cpu'
kinds = [isinstance(shared(1.0), SharedVariable), isinstance(T.matrix(), TensorVariable),
         isinstance(T.constant(1), TensorConstant), isinstance(T.dmatrix, TensorType),
         not isinstance(shared(1.0), TensorVariable), not isinstance(T.constant(1), TensorVariable)]
"""


def test_the_homes_of_names(run):
    assert all(run(IMPORTS)["kinds"])


RESPONSE_NORMALIZATION = """
import theano
import theano.tensor as T

def lrn(input, alpha=1e-2, k=2, beta=0.75, n=5):
    half_n = n // 2
    input_sqr = T.sqr(input)
    b, ch, r, c = input.shape
    extra_channels = T.alloc(0., b, ch + 2*half_n, r, c)
    input_sqr = T.set_subtensor(extra_channels[:, half_n:half_n+ch, :, :], input_sqr)
    scale = k
    for i in range(n):
        scale += alpha * input_sqr[:, i:i+ch, :, :]
    scale = scale ** beta
    return input / scale

x = T.tensor4('x')
y = theano.function([x], lrn(x))(images)
"""


def test_response_normalization(run):
    images = np.random.default_rng(5).normal(size=(2, 7, 3, 4))
    squares = np.pad(images**2, [(0, 0), (2, 2), (0, 0), (0, 0)]).astype("float32")
    scale = 2 + 1e-2 * sum(squares[:, i : i + 7] for i in range(5))
    np.testing.assert_allclose(
        run(RESPONSE_NORMALIZATION, images=images)["y"], images / scale**0.75, rtol=1e-5
    )
