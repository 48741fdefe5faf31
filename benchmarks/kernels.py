"""Measure convolutions, pooling and matrix products beside their peers'.

    python benchmarks/kernels.py [convolutions] [networks] [depthwise] [pooling] [products]
        [--threads N] [--runs N] [--peers NAME ...] [--dtype float64] [--plot FILE]

Without a word all groups are measured. The process is bound to as many cores as there are threads. The sides
of a row take turns, and the best turn of each in all runs counts, for a shared machine is noisy. All results
are compared with arignote's. Packing is included.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from peers import Convolution, Operation, Peer, Pooling, Product, arrays, installed
from side_by_side import alternate, bandwidth, line, machine, peak, use_cores

CONVOLUTIONS = [
    Convolution(10, 1, 28, 20, 5),
    Convolution(10, 20, 12, 40, 5),
    Convolution(32, 3, 32, 32, 3, pad=1),
    Convolution(32, 32, 32, 32, 3, pad=1),
    Convolution(16, 64, 56, 64, 3, pad=1),
    Convolution(8, 128, 28, 128, 3, pad=1),
    Convolution(4, 256, 14, 256, 3, pad=1),
    Convolution(8, 64, 56, 256, 1),
    Convolution(1, 3, 224, 64, 7, stride=2, pad=3),
]
NETWORKS = [
    Convolution(64, 1, 28, 6, 5, pad=2),  # LeNet
    Convolution(64, 6, 14, 16, 5),
    Convolution(1, 16, 5, 120, 5),
    Convolution(1, 3, 224, 64, 11, stride=4, pad=2),  # AlexNet
    Convolution(8, 64, 27, 192, 5, pad=2),
    Convolution(8, 192, 13, 384, 3, pad=1),
    Convolution(64, 256, 13, 256, 3, pad=1),
    Convolution(1, 3, 224, 64, 3, pad=1),  # VGG
    Convolution(1, 128, 112, 128, 3, pad=1),
    Convolution(8, 512, 14, 512, 3, pad=1),
    Convolution(8, 3, 224, 64, 7, stride=2, pad=3),  # ResNet-18
    Convolution(1, 64, 56, 64, 3, pad=1),
    Convolution(8, 64, 56, 128, 3, stride=2, pad=1),
    Convolution(8, 64, 56, 128, 1, stride=2),
    Convolution(64, 512, 7, 512, 3, pad=1),
    Convolution(8, 256, 56, 64, 1),  # ResNet-50
    Convolution(1, 1024, 14, 256, 1),
    Convolution(8, 512, 7, 2048, 1),
    Convolution(8, 32, 112, 64, 1),  # MobileNet
    Convolution(8, 512, 14, 512, 1),
]
DEPTHWISE = [
    Convolution(8, 128, 28, 128, 3, pad=1, groups=4),
    Convolution(8, 32, 112, 32, 3, pad=1, groups=32),  # MobileNet
    Convolution(8, 64, 112, 64, 3, stride=2, pad=1, groups=64),
    Convolution(8, 512, 14, 512, 3, pad=1, groups=512),
    Convolution(8, 256, 14, 256, 5, pad=2, groups=256),
]
WINDOWS = [
    (10, 20, 24, 2, 2),
    (64, 32, 32, 2, 2),
    (16, 64, 56, 2, 2),
    (16, 64, 56, 3, 2),
    (8, 64, 112, 3, 2, 1),
]
POOLING = [Pooling(mode, *window) for mode in ("max", "average") for window in WINDOWS]
PRODUCTS = [
    Product(10, 2880, 100),
    Product(10, 1000, 1000),
    Product(128, 1000, 1000),
    Product(64, 4096, 512),
    Product(10, 100, 10),
    Product(256, 400, 120),
    Product(1, 1000, 1000),
    Product(1000, 1000, 1),
    Product(1024, 1024, 1024),
]
GROUPS: dict[str, tuple[str, list[Operation]]] = {
    "convolutions": ("Convolutions, GFLOP/s", CONVOLUTIONS),
    "networks": ("Layers of common networks, GFLOP/s", NETWORKS),
    "depthwise": ("Convolutions in groups, GFLOP/s", DEPTHWISE),
    "pooling": ("Pooling, microseconds", POOLING),
    "products": ("Dense products, GFLOP/s", PRODUCTS),
}


@dataclass
class Measured:
    """A row: the seconds of those who can do it."""

    operation: Operation
    seconds: dict[str, float]

    @property
    def ratio(self) -> float:
        """The fastest peer's time by arignote's."""
        ours, *others = self.seconds.values()
        return min(others, default=np.inf) / ours

    def cells(self, names: Iterable[str]) -> list[str]:
        """Return the operation, everybody's speed, and the ratio."""
        flops = getattr(self.operation, "flops", None)

        def shown(seconds: float) -> str:
            return f"{seconds * 1e6:.0f}" if flops is None else f"{flops / seconds * 1e-9:.0f}"

        speeds = [shown(self.seconds[name]) if name in self.seconds else "" for name in names]
        return [str(self.operation), *speeds, f"{self.ratio:.2f}" if np.isfinite(self.ratio) else ""]


def measure(operation: Operation, peers: list[Peer], dtype: str, threads: int) -> dict[str, float]:
    """Compare the results of all sides, and return the seconds of each."""
    data = arrays(operation, dtype)
    functions = {peer: run for peer in peers if (run := peer.run(operation, data)) is not None}
    results = [peer.result(operation, run()) for peer, run in functions.items()]
    tolerance = (1e-4 if dtype == "float32" else 1e-12) * np.abs(results[0]).max()
    for peer, result in zip(functions, results, strict=True):
        message = f"{operation}: {peer.name} and arignote"
        np.testing.assert_allclose(result, results[0], rtol=0, atol=tolerance, err_msg=message)
    seconds = alternate(list(functions.values()), threads=threads)
    return {peer.name: each for peer, each in zip(functions, seconds, strict=True)}


def table(
    operations: list[Operation], peers: list[Peer], dtype: str, threads: int, runs: int
) -> list[Measured]:
    """Measure a table as many times as there are runs, and keep the best of each side."""
    rows = [Measured(replace(each, part=part), {}) for each in operations for part in each.parts]
    for _ in range(runs):
        for row in rows:
            for name, seconds in measure(row.operation, peers, dtype, threads).items():
                row.seconds[name] = min(seconds, row.seconds.get(name, np.inf))
    return rows


def plot(rows: list[Measured], file: str, flops: float, bytes_per_second: float, title: str) -> None:
    """Draw speed by arithmetic intensity, below the roof that the machine is."""
    from matplotlib.figure import Figure

    figure = Figure((7.5, 5), layout="constrained")
    axes = figure.add_subplot()
    intensities = np.geomspace(0.3, 2000, 200)
    roof = np.minimum(flops, intensities * bytes_per_second) * 1e-9
    axes.loglog(intensities, roof, color="black", label="the machine: multiply-adds, and copies in memory")
    for offset, (name, colour) in enumerate((("fastest peer", "tab:orange"), ("arignote", "tab:blue"))):
        points = []
        for row in rows:
            ours, *others = row.seconds.values()
            shapes = list(row.operation.shapes.values())
            touched = 4 * sum(int(np.prod(shape)) for shape in shapes)
            seconds = min(others, default=np.nan) if offset == 0 else ours
            points.append((row.operation.flops / touched, row.operation.flops / seconds * 1e-9))
        axes.scatter(*zip(*points, strict=True), s=22, alpha=0.8, color=colour, label=name)
    axes.set(xlabel="operations per byte of operands and result", ylabel="GFLOP/s", title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(file, metadata={"Date": None} if file.endswith(".svg") else None)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="group")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="by the heads of the columns")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--plot", metavar="FILE", help="a roofline of the convolutions")
    arguments = parser.parse_args()
    use_cores(arguments.threads)
    peers = installed(arguments.peers)
    for peer in peers:
        peer.start(arguments.threads)
    flops, speed = peak(arguments.dtype, arguments.threads), bandwidth(arguments.threads)
    print(f"{machine()}\n")
    print(f"{arguments.threads} thread(s), {arguments.dtype}: {flops * 1e-9:.0f} GFLOP/s of multiply-adds,")
    print(f"{speed * 1e-9:.0f} GB/s of copies in memory (bytes read and written)\n")
    drawn = []
    for group in arguments.groups or GROUPS:
        title, operations = GROUPS[group]
        names = [peer.name for peer in peers if hasattr(peer, operations[0].method)]
        print(f"### {title}\n\n{line(['operation', *names, 'ratio'])}\n{line(['---'] * (len(names) + 2))}")
        rows = table(operations, peers, arguments.dtype, arguments.threads, arguments.runs)
        print("\n".join(line(row.cells(names)) for row in rows), flush=True)
        ratios = np.array([row.ratio for row in rows])
        print(f"\n{np.sum(ratios >= 0.95)} of {len(rows)} at 0.95 or more, the least {ratios.min():.2f}\n")
        drawn += rows if operations[0].method == "convolution" else []
    if arguments.plot:
        count = f"{arguments.threads} thread" + "s" * (arguments.threads > 1)
        plot(
            drawn,
            arguments.plot,
            flops,
            speed,
            f"Convolutions and their gradients, {arguments.dtype}, {count}",
        )


if __name__ == "__main__":
    main()
