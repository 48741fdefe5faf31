"""Images copied into padded planes, split into stride phases: what convolutions read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from arignote.compile.kernels.conv_geometry import PackedAxis
from arignote.compile.kernels.plan import PlanePlan
from arignote.compile.lowering import Steps
from arignote.compile.spec import KernelSpec
from arignote.compile.views import View
from arignote.engine.graph import Apply

Kernel = Callable[[Any, Any, int, int], int]


class PackingSizes(NamedTuple):
    """The sizes of a :class:`Packing`."""

    depth: int
    height: int
    width: int
    planes: int
    rows: int
    pitch: int
    channel_size: int


@dataclass(frozen=True)
class Packing(PlanePlan):
    """Images as :func:`pack` lays them out.

    That is ``[image][channel][depth phase][plane][row phase][column phase][row][column]``. Arguments of the
    kernel: the addresses of the images and of the packed images, the number of images, and, unless the images
    are dense, the words of :meth:`layout`.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    lanes : int
        Elements of a vector. Behind every channel lie enough zeros for vectors that begin inside it.
    channels : int
        Channels of an image. A group of a convolution counts as an image of its own.
    depth, rows, columns : PackedAxis
        The axes of a channel.
    dense : bool
        Whether the images are C-contiguous.
    tight : bool
        Whether no zeros are needed behind a channel.
    """

    dtype: str
    lanes: int
    channels: int
    depth: PackedAxis
    rows: PackedAxis
    columns: PackedAxis
    dense: bool = True
    tight: bool = False

    @classmethod
    def of(cls, **parameters: Any) -> Packing:
        """Read the plan from a builder's parameters."""
        axes = {axis: PackedAxis(*parameters[axis]) for axis in ("depth", "rows", "columns")}
        return cls(**parameters | axes)

    @property
    def typical(self) -> Packing:
        """The same for typical planes; the kernel does without the number of channels."""
        axes = {"depth": self.depth.typical, "rows": self.rows.typical, "columns": self.columns.typical}
        return replace(self, channels=1, **axes)

    @property
    def sizes(self) -> PackingSizes:
        """Extents of the images, and of the packed images."""
        return PackingSizes(
            self.depth.extent,
            self.rows.extent,
            self.columns.extent,
            self.depth.length,
            self.rows.length,
            self.pitch,
            self.channel_size,
        )

    @staticmethod
    def layout(images: View) -> list[int]:
        """Return the words of images that are not dense: the channels, and the strides of all five axes."""
        return [images.shape[1], *images.strides]

    @property
    def pitch(self) -> int:
        """Elements from one row to the next."""
        return self.columns.pitch

    @property
    def phase_size(self) -> int:
        """Elements from one phase to the next."""
        return self.rows.length * self.pitch

    @property
    def plane_size(self) -> int:
        """Elements from one plane to the next."""
        return self.phases * self.phase_size

    @property
    def channel_size(self) -> int:
        """Elements from one channel to the next; the zeros behind it end its last line too."""
        if self.tight:
            return self.planes * self.plane_size
        zeros = max(self.lanes - 1, self.columns.length - self.pitch)
        return -(-(self.planes * self.plane_size + zeros) // self.lanes) * self.lanes

    @property
    def image_size(self) -> int:
        """Elements from one image to the next."""
        return self.channels * self.channel_size

    @property
    def copies_nothing(self) -> bool:
        """Whether the packed images are the images themselves."""
        axes = self.depth, self.rows, self.columns
        return self.tight and self.dense and all(x.phases == 1 and x.length == x.extent for x in axes)

    def elements(self, images: int) -> int:
        """Count the elements of the buffer, with room behind the last image for a tile's widest read."""
        return images * self.image_size + 8 * self.lanes

    @property
    def phases(self) -> int:
        """Stride phases of a plane."""
        return self.rows.kept * self.columns.kept

    @property
    def planes(self) -> int:
        """Planes of a channel, of all phases of the depth."""
        return self.depth.kept * self.depth.length

    def offset(self, *taps: tuple[int, int]) -> int:
        """Return where a tap reads, of which the phase and the offset in it are given for each axis."""
        (front, plane), (a, row), (b, column) = taps
        plane = front * self.depth.length + plane
        phase = a * self.columns.kept + b
        return (plane * self.phases + phase) * self.phase_size + row * self.pitch + column

    def tasks(self, images: int) -> int:
        """Count the tasks: one for each phase of each plane of each channel of each image."""
        return images * self.channels * self.planes * self.phases


def pack(**parameters: Any) -> Kernel:
    """Build the kernel of a :class:`Packing`, whose fields are the parameters."""
    from numba.extending import register_jitable

    from arignote.compile.intrinsics import advance, pointer_to, sizes_of

    plan = Packing.of(**parameters)
    depth_phases, row_phases, column_phases = plan.depth.phases, plan.rows.phases, plan.columns.phases
    depth_kept, columns_kept = plan.depth.kept, plan.columns.kept
    phases, dense = plan.phases, plan.dense
    front, top, left = plan.depth.low, plan.rows.low, plan.columns.low
    pointer, sizes = pointer_to(plan.dtype), sizes_of(plan, after=3 if dense else 9)

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def copied(phase: int, phases: int, low: int, extent: int, length: int) -> tuple[int, int]:
        """Return the range of elements of a phase of an axis that lie in the source."""
        start = min(max(-((phase - low) // phases), 0), length)
        return start, min(max(-((phase - low - extent) // phases), start), length)

    @register_jitable  # type: ignore[untyped-decorator]  # numba has no types
    def place_and_steps(args: Any, size: PackingSizes, channel: int, z: int) -> tuple[int, int, int]:
        """Return where a plane of the images begins, and the steps to the next row and column."""
        if dense:
            return (channel * size.depth + z) * size.height * size.width, size.width, 1
        image, channel = channel // args[3], channel % args[3]
        return image * args[4] + channel * args[5] + z * args[6], args[7], args[8]

    def kernel(args: Any, scratch: Any, begin: int, end: int) -> int:
        size = sizes(args)
        rows, pitch, planes = size.rows, size.pitch, depth_kept * size.planes
        phase_size = rows * pitch
        for task in range(begin, end):
            phase, plane, channel = task % phases, task // phases % planes, task // phases // planes
            a, b = phase // columns_kept, phase % columns_kept
            z = plane % size.planes * depth_phases + plane // size.planes - front
            place, row_step, column_step = place_and_steps(args, size, channel, z)
            image = advance(pointer(args[0]), place)
            start = (plane * phases + phase) * phase_size
            packed = advance(pointer(args[1]), channel * size.channel_size + start)
            first_row, last_row = copied(a, row_phases, top, size.height, rows)
            first, last = copied(b, column_phases, left, size.width, pitch)
            if z < 0 or z >= size.depth:
                first_row = last_row = 0
            is_last = phase == phases - 1 and plane == planes - 1
            stop = size.channel_size - start if is_last else phase_size
            for above in range(first_row * pitch):
                packed[above] = 0
            for u in range(first_row, last_row):
                row, column = u * row_phases + a - top, b - left
                source = advance(image, row * row_step + column * column_step)
                target = advance(packed, u * pitch)
                for v in range(first):
                    target[v] = 0
                for v in range(first, last):
                    target[v] = source[v * column_phases * column_step]
                for v in range(last, pitch):
                    target[v] = 0
            for below in range(last_row * pitch, stop):
                packed[below] = 0
        return 0

    return kernel


# ------------------------------------------------------------------------------------------- lowering


def packed_images(steps: Steps, packing: Packing, images: View, groups: int, node: Apply) -> View:
    """Add the step that packs images, unless they are packed so already; return the packed ones."""
    if len(images.shape) == 4:
        images = images.shuffled((0, 1, "x", 2, 3))
    count = images.shape[0] * groups
    packing = replace(packing, dense=images.is_contiguous)
    if packing.copies_nothing:
        return images
    words = [count, *([] if packing.dense else packing.layout(images)), *packing.words]
    spec = KernelSpec.of("conv_pack:pack", **packing.parameters)
    for step in steps.planned:
        if step.spec == spec and step.reads == (images,) and list(step.arguments[2:]) == words:
            return step.writes[0]
    target = steps.temporary(images.dtype, (packing.elements(count),))
    steps.step(
        spec,
        node,
        reads=[images],
        writes=[target],
        arguments=[images, target, *words],
        tasks=packing.tasks(count),
    )
    return target
