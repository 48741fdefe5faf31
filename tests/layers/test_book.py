"""The classes of `network3.py`, as its readers have them, run with `theano` replaced by `arignote`.

The code between the two rules is that of M. Nielsen, "Neural Networks and Deep Learning", chapter 6 (MIT
licence), with `xrange` written as `range`, and without what prints and loads.
"""

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote.layers import load_digits
from arignote.tensor import shared_randomstreams
from arignote.tensor.nnet import conv, sigmoid, softmax
from arignote.tensor.signal import downsample, pool

# fmt: off
# ruff: noqa: N802, UP004, B007, B905
# ----------------------------------------------------------------------------------------------------


class Network(object):

    def __init__(self, layers, mini_batch_size):
        self.layers = layers
        self.mini_batch_size = mini_batch_size
        self.params = [param for layer in self.layers for param in layer.params]
        self.x = T.matrix("x")
        self.y = T.ivector("y")
        init_layer = self.layers[0]
        init_layer.set_inpt(self.x, self.x, self.mini_batch_size)
        for j in range(1, len(self.layers)):
            prev_layer, layer  = self.layers[j-1], self.layers[j]
            layer.set_inpt(
                prev_layer.output, prev_layer.output_dropout, self.mini_batch_size)
        self.output = self.layers[-1].output
        self.output_dropout = self.layers[-1].output_dropout

    def SGD(self, training_data, epochs, mini_batch_size, eta,
            validation_data, test_data, lmbda=0.0):
        """Train the network using mini-batch stochastic gradient descent."""
        training_x, training_y = training_data
        validation_x, validation_y = validation_data

        # compute number of minibatches for training, validation and testing
        num_training_batches = int(size(training_data)/mini_batch_size)
        num_validation_batches = int(size(validation_data)/mini_batch_size)

        # define the (regularized) cost function, symbolic gradients, and updates
        l2_norm_squared = sum([(layer.w**2).sum() for layer in self.layers])
        cost = self.layers[-1].cost(self)+\
               0.5*lmbda*l2_norm_squared/num_training_batches
        grads = T.grad(cost, self.params)
        updates = [(param, param-eta*grad)
                   for param, grad in zip(self.params, grads)]

        # define functions to train a mini-batch, and to compute the
        # accuracy in validation and test mini-batches.
        i = T.lscalar() # mini-batch index
        train_mb = arignote.function(
            [i], cost, updates=updates,
            givens={
                self.x:
                training_x[i*self.mini_batch_size: (i+1)*self.mini_batch_size],
                self.y:
                training_y[i*self.mini_batch_size: (i+1)*self.mini_batch_size]
            })
        validate_mb_accuracy = arignote.function(
            [i], self.layers[-1].accuracy(self.y),
            givens={
                self.x:
                validation_x[i*self.mini_batch_size: (i+1)*self.mini_batch_size],
                self.y:
                validation_y[i*self.mini_batch_size: (i+1)*self.mini_batch_size]
            })
        # Do the actual training
        costs, accuracies = [], []
        for epoch in range(epochs):
            for minibatch_index in range(num_training_batches):
                costs.append(train_mb(minibatch_index))
            accuracies.append(np.mean(
                [validate_mb_accuracy(j) for j in range(num_validation_batches)]))
        return costs, accuracies


class ConvPoolLayer(object):
    """Used to create a combination of a convolutional and a max-pooling
    layer.  A more sophisticated implementation would separate the
    two, but for our purposes we'll always use them together, and it
    simplifies the code, so it makes sense to combine them.
    """

    def __init__(self, filter_shape, image_shape, poolsize=(2, 2),
                 activation_fn=sigmoid):
        self.filter_shape = filter_shape
        self.image_shape = image_shape
        self.poolsize = poolsize
        self.activation_fn=activation_fn
        # initialize weights and biases
        n_out = (filter_shape[0]*np.prod(filter_shape[2:])/np.prod(poolsize))
        self.w = arignote.shared(
            np.asarray(
                np.random.normal(loc=0, scale=np.sqrt(1.0/n_out), size=filter_shape),
                dtype=arignote.config.floatX),
            borrow=True)
        self.b = arignote.shared(
            np.asarray(
                np.random.normal(loc=0, scale=1.0, size=(filter_shape[0],)),
                dtype=arignote.config.floatX),
            borrow=True)
        self.params = [self.w, self.b]

    def set_inpt(self, inpt, inpt_dropout, mini_batch_size):
        self.inpt = inpt.reshape(self.image_shape)
        conv_out = conv.conv2d(
            input=self.inpt, filters=self.w, filter_shape=self.filter_shape,
            image_shape=self.image_shape)
        pooled_out = pool.pool_2d(
            input=conv_out, ds=self.poolsize, ignore_border=True)
        self.output = self.activation_fn(
            pooled_out + self.b.dimshuffle('x', 0, 'x', 'x'))
        self.output_dropout = self.output # no dropout in the convolutional layers


class FullyConnectedLayer(object):

    def __init__(self, n_in, n_out, activation_fn=sigmoid, p_dropout=0.0):
        self.n_in = n_in
        self.n_out = n_out
        self.activation_fn = activation_fn
        self.p_dropout = p_dropout
        # Initialize weights and biases
        self.w = arignote.shared(
            np.asarray(
                np.random.normal(
                    loc=0.0, scale=np.sqrt(1.0/n_out), size=(n_in, n_out)),
                dtype=arignote.config.floatX),
            name='w', borrow=True)
        self.b = arignote.shared(
            np.asarray(np.random.normal(loc=0.0, scale=1.0, size=(n_out,)),
                       dtype=arignote.config.floatX),
            name='b', borrow=True)
        self.params = [self.w, self.b]

    def set_inpt(self, inpt, inpt_dropout, mini_batch_size):
        self.inpt = inpt.reshape((mini_batch_size, self.n_in))
        self.output = self.activation_fn(
            (1-self.p_dropout)*T.dot(self.inpt, self.w) + self.b)
        self.y_out = T.argmax(self.output, axis=1)
        self.inpt_dropout = dropout_layer(
            inpt_dropout.reshape((mini_batch_size, self.n_in)), self.p_dropout)
        self.output_dropout = self.activation_fn(
            T.dot(self.inpt_dropout, self.w) + self.b)

    def accuracy(self, y):
        "Return the accuracy for the mini-batch."
        return T.mean(T.eq(y, self.y_out))


class SoftmaxLayer(object):

    def __init__(self, n_in, n_out, p_dropout=0.0):
        self.n_in = n_in
        self.n_out = n_out
        self.p_dropout = p_dropout
        # Initialize weights and biases
        self.w = arignote.shared(
            np.zeros((n_in, n_out), dtype=arignote.config.floatX),
            name='w', borrow=True)
        self.b = arignote.shared(
            np.zeros((n_out,), dtype=arignote.config.floatX),
            name='b', borrow=True)
        self.params = [self.w, self.b]

    def set_inpt(self, inpt, inpt_dropout, mini_batch_size):
        self.inpt = inpt.reshape((mini_batch_size, self.n_in))
        self.output = softmax((1-self.p_dropout)*T.dot(self.inpt, self.w) + self.b)
        self.y_out = T.argmax(self.output, axis=1)
        self.inpt_dropout = dropout_layer(
            inpt_dropout.reshape((mini_batch_size, self.n_in)), self.p_dropout)
        self.output_dropout = softmax(T.dot(self.inpt_dropout, self.w) + self.b)

    def cost(self, net):
        "Return the log-likelihood cost."
        return -T.mean(T.log(self.output_dropout)[T.arange(net.y.shape[0]), net.y])

    def accuracy(self, y):
        "Return the accuracy for the mini-batch."
        return T.mean(T.eq(y, self.y_out))


def size(data):
    "Return the size of the dataset `data`."
    return data[0].get_value(borrow=True).shape[0]

def dropout_layer(layer, p_dropout):
    srng = shared_randomstreams.RandomStreams(
        np.random.RandomState(0).randint(999999))
    mask = srng.binomial(n=1, p=1-p_dropout, size=layer.shape)
    return layer*T.cast(mask, arignote.config.floatX)


def shared(data):
    """Place the data into shared variables."""
    shared_x = arignote.shared(
        np.asarray(data[0], dtype=arignote.config.floatX), borrow=True)
    shared_y = arignote.shared(
        np.asarray(data[1], dtype=arignote.config.floatX), borrow=True)
    return shared_x, T.cast(shared_y, "int32")


# ----------------------------------------------------------------------------------------------------
# fmt: on

BATCH = 10


class OlderConvPoolLayer(ConvPoolLayer):
    """As printed in the book's first edition: with `downsample`."""

    def set_inpt(self, inpt, inpt_dropout, mini_batch_size):
        self.inpt = inpt.reshape(self.image_shape)
        conv_out = conv.conv2d(
            input=self.inpt, filters=self.w, filter_shape=self.filter_shape, image_shape=self.image_shape
        )
        pooled_out = downsample.max_pool_2d(input=conv_out, ds=self.poolsize, ignore_border=True)
        self.output = self.activation_fn(pooled_out + self.b.dimshuffle("x", 0, "x", "x"))
        self.output_dropout = self.output


def build(kind=ConvPoolLayer, p_dropout=0.0):
    np.random.seed(1)
    return Network(
        [
            kind(image_shape=(BATCH, 1, 28, 28), filter_shape=(20, 1, 5, 5), poolsize=(2, 2)),
            FullyConnectedLayer(n_in=20 * 12 * 12, n_out=100, p_dropout=p_dropout),
            SoftmaxLayer(n_in=100, n_out=10, p_dropout=p_dropout),
        ],
        BATCH,
    )


@pytest.fixture
def digits(float32):
    training, validation, _ = load_digits()
    return [(part.images[:2000], part.labels[:2000]) for part in (training, validation)]


@pytest.mark.parametrize("kind", [ConvPoolLayer, OlderConvPoolLayer])
def test_it_learns(digits, kind):
    training, validation = (shared(part) for part in digits)
    costs, accuracies = build(kind).SGD(training, 8, BATCH, 0.2, validation, validation, lmbda=0.01)
    assert np.mean(costs[-40:]) < 0.5 * np.mean(costs[:40])
    assert accuracies[-1] > 0.85


def test_it_learns_with_dropout(digits):
    training, validation = (shared(part) for part in digits)
    costs, accuracies = build(p_dropout=0.2).SGD(training, 8, BATCH, 0.2, validation, validation)
    assert np.mean(costs[-40:]) < 0.5 * np.mean(costs[:40])
    assert accuracies[-1] > 0.85


def test_its_steps_equal_those_of_pytorch(digits):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    network = build()
    params = [torch.tensor(param.get_value(), requires_grad=True) for param in network.params]
    w0, b0, w1, b1, w2, b2 = params
    images, labels = digits[0]
    expected = []
    for start in range(0, 50, BATCH):
        batch = torch.tensor(images[start : start + BATCH]).reshape(BATCH, 1, 28, 28)
        maps = torch.nn.functional.conv2d(batch, w0.flip(2, 3))
        pooled = torch.sigmoid(torch.nn.functional.max_pool2d(maps, 2) + b0[:, None, None])
        scores = torch.sigmoid(pooled.flatten(1) @ w1 + b1) @ w2 + b2
        cost = torch.nn.functional.cross_entropy(scores, torch.tensor(labels[start : start + BATCH]).long())
        cost = cost + 0.5 * 0.1 / 5 * sum((w**2).sum() for w in (w0, w1, w2))
        expected.append(cost.item())
        for param, gradient in zip(params, torch.autograd.grad(cost, params), strict=True):
            param.data -= 0.1 * gradient
    training = shared((images[:50], labels[:50]))
    costs, _ = network.SGD(training, 1, BATCH, 0.1, training, training, lmbda=0.1)
    np.testing.assert_allclose(costs, expected, rtol=1e-6)
    for ours, theirs in zip(network.params, params, strict=True):
        np.testing.assert_allclose(ours.get_value(), theirs.detach().numpy(), rtol=1e-4, atol=1e-5)
