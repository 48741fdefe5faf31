"""Convolutions and their two gradients, on register tiles over flattened image positions.

A convolution here is, with zeros outside the image,

    Y[n,k,p,q] = sum over c,r,s of W[k,c,r,s] · X[n,c, p·sh + r·dh - top, q·sw + s·dw - left]

(a cross-correlation; `flip` turns the filters around), with a third axis for images with a depth: those
without one are of a depth of 1. A group of channels, with its own filters, counts as an image of its own.

**Packing** (`conv_pack.py`). Images, whatever their strides, are first copied into padded planes, split into
stride phases: phase ``(a, b)`` holds the padded pixels ``(u·sh + a, v·sw + b)``. Within a phase every output
position reads pixels at one distance from itself, so over positions flattened with the width of the phase
(its *pitch*) a tap (r, s) of the filter is a single offset, and a vector of consecutive positions reads a
vector of consecutive pixels. The price is a few positions between the rows that belong to no output; they are
computed and dropped.

**Forward** (`conv_correlate.py`).
``Y[k, position] = sum over c and taps of W[k, c, tap] · packed[c, position + offset(tap)]``:
outer tiles of filters by vectors of positions. A tap in another plane is only another offset. With one or two
filters, bands of rows take the place of tiles (`conv_bands.py`).

**Gradient of the input.** ``dX[c,h,w]`` sums ``W[k,c,r,s] · dY[k,p,q]`` over the taps with
``p·sh = h + top - r·dh``. For each residue ``a`` of h modulo sh these are some of the rows of the filter, and
``p = u + (a + top - r·dh)/sh`` for ``h = u·sh + a``. So it is one correlation of dY for every residue, each
with some of the taps, and without a stride: nothing is multiplied by an inserted zero.

**Gradient of the filters** (`conv_filter_gradient.py`).
``dW[k, c, tap]`` sums ``dY[k, position] · packed[c, position + offset(tap)]``
over images and positions, with dY packed at the pitch of X and zeros between its rows: inner tiles of filters
by taps. As it adds products with those zeros, an infinite or NaN pixel may turn more taps of its channel into
NaN than the definition does.
"""

from __future__ import annotations

from arignote.compile.kernels import conv_pooled
from arignote.compile.kernels.conv_bands import Bands
from arignote.compile.kernels.conv_correlate import Correlation
from arignote.compile.kernels.conv_filter_gradient import FilterGradient
from arignote.compile.kernels.conv_geometry import ConvGeometry
from arignote.compile.kernels.conv_maxima import is_pooled
from arignote.compile.kernels.conv_pack import packed_images
from arignote.compile.kernels.conv_unshared import IMAGES, Unshared
from arignote.compile.kernels.plan import promises_planes
from arignote.compile.lowering import Steps, lowers, shape_of
from arignote.compile.simd import VectorUnit, host
from arignote.compile.spec import KernelSpec
from arignote.compile.views import View
from arignote.engine.graph import Apply
from arignote.engine.ops.conv import Conv, ConvFilterGradient, ConvInputGradient, Convolution


def _flat(geometry: ConvGeometry, images: View, promised: bool) -> ConvGeometry:
    """Return the geometry of images as one row, if it is pointwise and they are dense."""
    return geometry.flat if promised and images.is_contiguous else geometry


def correlation(
    dtype: str, unit: VectorUnit, geometry: ConvGeometry, gradient: bool, *, promised: bool
) -> Correlation | Bands:
    """Return the plan that serves a convolution, or the gradient of its input, best."""
    bands = Bands(dtype, unit, geometry, gradient, promised=promised)
    return bands if bands.is_served else bands.whole


def _lower_correlation(
    steps: Steps, node: Apply, geometry: ConvGeometry, images: View, filters: View, gradient: bool
) -> None:
    promised = promises_planes(node.inputs[1 if gradient else 0], node.outputs[0])
    geometry = _flat(geometry, images, promised)
    plan = correlation(images.dtype, host(), geometry, gradient, promised=promised)
    target = steps.allocate(node.outputs[0])
    if not target.size:
        return
    packed = packed_images(steps, plan.packing, images, geometry.groups, node)
    count = images.shape[0]
    steps.step(
        KernelSpec.of(plan.kernel, **plan.parameters),
        node,
        reads=[packed, filters],
        writes=[target],
        arguments=[packed, filters, target, count * geometry.groups, *plan.words],
        tasks=plan.tasks(count),
        scratch=plan.scratch_bytes,
        flops=count * geometry.flops,
    )


def _lower_unshared(
    steps: Steps, kernel: str, op: Convolution, node: Apply, images: View, filters: View, maps: View
) -> None:
    """Add the step of a convolution with unshared filters, which writes one of the three arrays."""
    geometry = ConvGeometry.between(op, images.shape, filters.shape)
    promised = promises_planes(*(x for x in (*node.inputs[:2], node.outputs[0]) if x.ndim == 4))
    plan = Unshared(images.dtype, host(), geometry, promised=promised)
    arrays, count = [images, filters, maps], images.shape[0]
    written = steps.views[node.outputs[0]]
    over_images = -(-count // plan.outer_tile(IMAGES)[0])
    tasks = geometry.groups * (over_images if written is images else geometry.rows.outputs)
    steps.step(
        KernelSpec.of(f"conv_unshared:{kernel}", **plan.parameters),
        node,
        reads=[array for array in arrays if array is not written],
        writes=[written],
        arguments=[*arrays, count, *plan.words],
        tasks=tasks if written.size else 0,
        scratch=plan.scratch_bytes,
        flops=count * geometry.flops,
    )


@lowers(Conv)
def lower_conv(steps: Steps, op: Conv, node: Apply) -> None:
    """Pack the images, and correlate, unless the pooling does it."""
    if is_pooled(steps, node):
        return
    if op.unshared:
        operands = (steps.contiguous(x, node) for x in node.inputs)
        _lower_unshared(steps, "forward", op, node, *operands, steps.allocate(node.outputs[0]))
        return
    images, filters = steps.view(node.inputs[0]), steps.contiguous(node.inputs[1], node)
    geometry = ConvGeometry.between(op, images.shape, filters.shape)
    _lower_correlation(steps, node, geometry, images, filters, gradient=False)


@lowers(ConvInputGradient)
def lower_input_gradient(steps: Steps, op: ConvInputGradient, node: Apply) -> None:
    """Pack the gradient of the maps, and correlate it with the filters transposed."""
    if conv_pooled.lower_input_gradient(steps, op, node):
        return
    if op.unshared:
        operands = (steps.contiguous(x, node) for x in node.inputs[:2])
        images = steps.allocate(node.outputs[0])
        _lower_unshared(steps, "input_gradient", op, node, images, *operands)
        return
    filters, maps = steps.contiguous(node.inputs[0], node), steps.view(node.inputs[1])
    geometry = ConvGeometry.between(op, shape_of(node.outputs[0]), filters.shape)
    _lower_correlation(steps, node, geometry, maps, filters, gradient=True)


@lowers(ConvFilterGradient)
def lower_filter_gradient(steps: Steps, op: ConvFilterGradient, node: Apply) -> None:
    """Pack the images and the gradient of the maps, and add up their products."""
    if conv_pooled.lower_filter_gradient(steps, op, node):
        return
    if op.unshared:
        images, maps = (steps.contiguous(x, node) for x in node.inputs[:2])
        filters = steps.allocate(node.outputs[0])
        _lower_unshared(steps, "filter_gradient", op, node, images, filters, maps)
        return
    images, maps = (steps.view(x) for x in node.inputs[:2])
    target = steps.allocate(node.outputs[0])
    if not target.size:
        return
    geometry = ConvGeometry.between(op, images.shape, target.shape)
    promised = promises_planes(*node.inputs[:2])
    if maps.is_contiguous:
        geometry = _flat(geometry, images, promised)
    plan = FilterGradient(images.dtype, host(), geometry, promised=promised)
    packed = packed_images(steps, plan.image_packing, images, geometry.groups, node)
    gradient = packed_images(steps, plan.gradient_packing, maps, geometry.groups, node)
    count = images.shape[0]
    steps.step(
        KernelSpec.of("conv_filter_gradient:filter_gradient", **plan.parameters),
        node,
        reads=[packed, gradient],
        writes=[target],
        arguments=[packed, gradient, target, count, *plan.words],
        tasks=plan.tasks(count),
        scratch=plan.scratch_bytes,
        flops=count * geometry.flops,
    )
