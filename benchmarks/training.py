"""Training: images a second of the trainer with its gates, beside two loops that somebody else would write.

The network is the bundled `plain-cnn` at three sizes. No weight is ever pruned and no channel grown, so all
three loops train the same shape. The plain loop is written as fast as torch alone allows: images as one
tensor, channels last, pooling before norm and ReLU, the same precision, fused AdamW, crop and flip of whole
batches. The usual loop is what a tutorial shows: a `DataLoader` without workers over PIL images with
torchvision's transforms; convolution, norm, ReLU and pooling in this order; float32; AdamW as it comes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import peak
from benchmarks.growth import random_images
from benchmarks.rounds import Figure, measured, seconds
from gnap_search.contracts import Data
from gnap_search.datasets import _torchvision
from gnap_search.networks import _plain, plain_cnn
from gnap_search.settings import Value
from gnap_search.structure import Shape, cost
from gnap_search.training.plan import Plan
from gnap_search.training.trainer import Trainer

BATCH = 128
AUGMENTATION = ("crop", "flip")
SETTINGS: dict[str, Value] = {"growth_trigger": "never", "pruning_strength": 0.0, "augmented_share": 1.0}


@dataclasses.dataclass(frozen=True)
class Size:
    """One network on images of one shape; what is asked of the peak, in percent, and over the usual loop."""

    name: str
    shape: Shape
    scale: float
    of_the_peak: float
    over_the_usual: float | None

    @property
    def widths(self) -> dict[str, int]:
        return plain_cnn.seed_widths(self.shape, self.scale)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image forwards."""
        return cost.count(plain_cnn.build(self.widths, self.shape, 10), self.shape).macs


SIZES = (
    Size("0.5 M MACs", (1, 28, 28), 0.95, 20, 3),
    Size("3 M MACs", (3, 32, 32), 1.95, 30, 3),
    Size("10 M MACs", (3, 32, 32), 3.65, 45, None),
)


def figures(*, small: bool) -> list[Figure]:
    """For every size: images a second of each loop, the ratios, and the share of the peak."""
    torch.set_num_threads(1)
    rounds, images = (2, 256) if small else (7, 4096)
    told = []
    for size in SIZES[:1] if small else SIZES:
        told += _of(size, rounds, images)
    return told


def _of(size: Size, rounds: int, images: int) -> list[Figure]:
    data = noise(size.shape, images)
    loops = {"ours": ours(size, data), "plain": plain(size, data), "usual": _usual(size, data)}
    for loop in loops.values():
        loop()  # the first pass allocates, and compiles
    speeds = {name: functools.partial(_speed, loop, images) for name, loop in loops.items()}
    # The peak is taken in the same rounds, because a busy machine lowers it too.
    seen = measured({**speeds, "peak": peak.flops}, "", rounds)
    work = 3 * 2 * size.macs / 1e9  # forwards, and backwards to the inputs and to the weights
    useful = Figure("", "", [work * value for value in seen["ours"].values])
    share = Figure("", "", [value / 1e9 for value in seen["peak"].values])
    percent = Figure(
        f"{size.name}: ours, share of the core's float32 peak",
        "%",
        [100 * value for value in useful.over(share, "").values],
    )
    return [
        *(dataclasses.replace(seen[name], name=f"{size.name}: {name}", unit="images/s") for name in loops),
        seen["ours"].over(seen["plain"], f"{size.name}: ours / plain loop").asked(at_least=0.95),
        seen["ours"]
        .over(seen["usual"], f"{size.name}: ours / usual loop")
        .asked(at_least=size.over_the_usual),
        percent.asked(at_least=size.of_the_peak),
    ]


def _speed(loop: Callable[[], object], images: int) -> float:
    return images / seconds(loop)


def noise(shape: Shape, count: int) -> Data:
    """Random images to train on, and a few others."""
    return random_images(shape, count, 16, AUGMENTATION)


def ours(size: Size, data: Data, batch: int = BATCH, device: str = "cpu") -> Callable[[], object]:
    """An epoch of the trainer as a trial runs it, evaluation on a few images and counting included."""
    plan = Plan(
        trial=0,
        dataset="noise",
        method="gnap",
        network="plain-cnn",
        task="classification",
        epochs=1_000,
        seed=0,
        augmentation=AUGMENTATION,
        settings={**SETTINGS, "seed_scale": size.scale, "batch_size": batch},
    )
    return Trainer(plan, data, device).epoch


class PlainNetwork(nn.Module):
    """The same layers as in `plain-cnn`, out of torch's own."""

    def __init__(self, size: Size, *, pool_first: bool, bias: bool) -> None:
        super().__init__()
        inputs, stages = size.shape[0], []
        for width, pool in zip(size.widths.values(), _plain.pools(size.shape), strict=True):
            convolution = nn.Conv2d(inputs, width, 3, padding=1, bias=bias)
            rest: list[nn.Module] = [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            pooling: list[nn.Module] = [nn.MaxPool2d(pool)] if pool > 1 else []
            stages += [convolution, *(pooling + rest if pool_first else rest + pooling)]
            inputs = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(inputs, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(images).mean((2, 3)))
        return logits


def plain(size: Size, data: Data, batch: int = BATCH, device: str = "cpu") -> Callable[[], object]:
    """What one writes by hand to be fast."""
    pixels, labels = (torch.from_numpy(array).to(device) for array in (data.train.images, data.train.labels))
    model = PlainNetwork(size, pool_first=True, bias=False).to(device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch's stubs lack it
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, fused=True)

    def epoch() -> None:
        model.train()
        for chosen in torch.randperm(len(labels), device=device).split(batch):
            images = _cropped(pixels[chosen]).to(torch.float32, memory_format=torch.channels_last)
            with _fast_arithmetic(device):
                outputs = model(images.sub_(127.5).div_(73.6))
            functional.cross_entropy(outputs.float(), labels[chosen]).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if device != "cpu":
            torch.cuda.synchronize()

    return epoch


def _cropped(images: Tensor) -> Tensor:
    """Shifted by up to 4 pixels and mirrored, by a window view of the padded batch."""
    count, _, height, width = images.shape
    windows = functional.pad(images, (4, 4, 4, 4)).unfold(2, height, 1).unfold(3, width, 1)
    rows, columns = torch.randint(9, (2, count), device=images.device)
    shifted = windows[torch.arange(count, device=images.device), :, rows, columns]
    mirrored = torch.rand(count, device=images.device) < 0.5
    return torch.where(mirrored[:, None, None, None], shifted.flip(3), shifted)


def _fast_arithmetic(device: str) -> contextlib.AbstractContextManager[object]:
    if device == "cpu":
        capabilities = torch.cpu.get_capabilities()
        if not (capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")):
            return contextlib.nullcontext()
    return torch.autocast(device, torch.bfloat16)


class _Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """A data set as torchvision's own are: a PIL image, transformed when it is asked for."""

    def __init__(self, data: Data) -> None:
        _torchvision.loadable()
        from torchvision import transforms

        self._split = data.train
        self._to_picture = transforms.ToPILImage("L" if data.shape[0] == 1 else "RGB")
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(data.shape[1:], padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(0.5, 0.2887),
            ]
        )

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = self._to_picture(torch.from_numpy(self._split.images[index]))
        return self._transform(picture), int(self._split.labels[index])


def _usual(size: Size, data: Data) -> Callable[[], object]:
    """What a tutorial shows."""
    loader = torch.utils.data.DataLoader(_Pictures(data), batch_size=BATCH, shuffle=True)
    model = PlainNetwork(size, pool_first=False, bias=True)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)

    def epoch() -> None:
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()

    return epoch
