"""Register tiles for sums over a few places of an image: the places are listed, each with a number.

A *patch* is what a filter reads at a place: some *runs* of consecutive elements, of an image whose channels
come last. Both tiles keep a patch of sums in vector registers while they go through the list:

- :func:`gathered` adds up patches of an image, each times its number: a gradient of filters.
- :func:`scattered` adds up filters, each times its number, and adds the sum to one patch of an image: its
  gradient.
"""

# numba's types have no types, and neither has what is made with them.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from arignote.compile.tile import INDEX, LANE, Value, Vectors, repeat

PLACES = types.CPointer(types.int32)
LEAST_SUMS = 8  # a sum can be added to again after four cycles, and two are added to in each


def _pointer(dtype: str) -> Any:
    return types.CPointer(getattr(types, dtype))


def list_step(runs: int, vectors: int) -> int:
    """Return how many elements of the list are taken at once: enough to keep the adders busy."""
    return -(-LEAST_SUMS // (runs * vectors))


def _listed_sums(
    simd: Vectors,
    count: Value,
    places: Value,
    numbers: Value,
    patches: Value,
    offsets: Sequence[Value],
    step: int,
) -> list[Value]:
    """Emit the sum of patches, each times its number, over a list whose length is a multiple of `step`."""
    builder = simd.builder

    def element(index: Value, sums: list[Value]) -> list[Value]:
        following: list[Value] = []
        for part in range(step):
            at = builder.add(builder.mul(index, INDEX(step)), INDEX(part))
            place = builder.sext(builder.load(builder.gep(places, [at], source_etype=LANE), typ=LANE), INDEX)
            number, patch = simd.broadcast(simd.at(numbers, at)), simd.at(patches, place)
            for offset, total in zip(offsets, sums[part * len(offsets) :], strict=False):
                following.append(simd.multiply_add(number, simd.load(simd.at(patch, offset)), total))
        return following

    sums = repeat(builder, builder.sdiv(count, INDEX(step)), [simd.zero] * (step * len(offsets)), element)
    totals = sums[: len(offsets)]
    for part in range(1, step):
        rest = sums[part * len(offsets) :]
        totals = [builder.fadd(total, other) for total, other in zip(totals, rest, strict=False)]
    return totals


def _offsets(builder: Any, lanes: int, runs: int, vectors: int, run_step: Value) -> list[Value]:
    """Return where the vectors of a patch lie."""
    return [
        builder.add(builder.mul(INDEX(run), run_step), INDEX(vector * lanes))
        for run in range(runs)
        for vector in range(vectors)
    ]


def gathered(dtype: str, lanes: int, runs: int, vectors: int) -> Callable[..., Any]:
    """Make the tile that adds up patches of an image.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes, runs, vectors : int
        Elements of a vector; the runs of a patch, and the vectors of a run, which are read whole.

    Returns
    -------
    callable
        ``tile(count, places, numbers, image, run_step, sums)``, for use inside compiled code. The list has
        `count` elements, a multiple of :func:`list_step`. Runs are `run_step` elements apart; the sums are
        dense, and start from what is there.
    """
    pointer, index = _pointer(dtype), types.int64

    def codegen(context: Any, builder: Any, _: Any, arguments: Sequence[Value]) -> None:
        count, places, numbers, image, run_step, sums = arguments
        simd = Vectors(builder, dtype, lanes)
        offsets = _offsets(builder, lanes, runs, vectors, run_step)
        step = list_step(runs, vectors)
        totals = _listed_sums(simd, count, places, numbers, image, offsets, step)
        for number, total in enumerate(totals):
            place = simd.at(sums, INDEX(number * lanes))
            simd.store(builder.fadd(simd.load(place), total), place)

    @intrinsic
    def tile(
        typingctx: Any, count: Any, places: Any, numbers: Any, image: Any, run_step: Any, sums: Any
    ) -> Any:
        return types.void(index, PLACES, pointer, pointer, index, pointer), codegen

    return tile


def scattered(dtype: str, lanes: int, runs: int, vectors: int) -> Callable[..., Any]:
    """Make the tile that adds filters to a patch of an image.

    Parameters
    ----------
    dtype, lanes, runs, vectors
        As for :func:`gathered`.

    Returns
    -------
    callable
        ``tile(count, places, numbers, filters, filter_step, image, image_step, valid)``, for use inside
        compiled code. The list has any length; its places are those of filters, whose runs are `filter_step`
        elements apart. Those of the patch are `image_step` elements apart, and `valid` elements
        of each are written.
    """
    pointer, index = _pointer(dtype), types.int64

    def codegen(context: Any, builder: Any, _: Any, arguments: Sequence[Value]) -> None:
        count, places, numbers, filters, filter_step, image, image_step, valid = arguments
        simd = Vectors(builder, dtype, lanes)
        offsets = _offsets(builder, lanes, runs, vectors, filter_step)
        totals = _listed_sums(simd, count, places, numbers, filters, offsets, 1)
        masks = [simd.first(builder.sub(valid, INDEX(vector * lanes))) for vector in range(vectors)]
        targets = _offsets(builder, lanes, runs, vectors, image_step)
        for number, (offset, total) in enumerate(zip(targets, totals, strict=True)):
            place, mask = simd.at(image, offset), masks[number % vectors]
            simd.store(builder.fadd(simd.load(place, mask), total), place, mask)

    @intrinsic
    def tile(
        typingctx: Any,
        count: Any,
        places: Any,
        numbers: Any,
        filters: Any,
        filter_step: Any,
        image: Any,
        image_step: Any,
        valid: Any,
    ) -> Any:
        signature = types.void(index, PLACES, pointer, pointer, index, pointer, index, index)
        return signature, codegen

    return tile
