"""Each of the looks into a network as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arignote.layers.grids import Picture, draw_images
from arignote.layers.layer import Layer
from arignote.layers.looking.gradients import guided_backpropagation, saliency
from arignote.layers.looking.maximise import maximise
from arignote.layers.looking.parts import images_for
from arignote.layers.looking.responses import feature_maps, grad_cam, occlusion, receptive_field


def draw_feature_maps(network: Layer, image: ArrayLike, layer: str) -> Picture:
    """Draw the maps that a part of the network makes of an image; see `feature_maps`."""
    maps = feature_maps(network, image, layer)[0]
    return draw_images(maps, columns=10 if len(maps) > 10 else None, signed=True)


def draw_saliency(
    network: Layer,
    images: ArrayLike,
    classes: int | ArrayLike | None = None,
    layer: str = "",
    by_guide: bool = False,
) -> Picture:
    """Draw images, and under each the pixels that the score of a class depends on.

    Parameters
    ----------
    network, images, classes, layer
        As for `saliency`.
    by_guide : bool
        Whether it is `guided_backpropagation` that is drawn.
    """
    batch = images_for(network, images)
    if by_guide:
        maps = np.abs(guided_backpropagation(network, batch, classes, layer)).max(axis=1)
    else:
        maps = saliency(network, batch, classes, layer)
    shown = {f"image {number}": as_picture(image) for number, image in enumerate(batch)}
    shown |= {f"saliency {number}": each for number, each in enumerate(maps)}
    return draw_images(shown, columns=len(batch))


def draw_maximised(network: Layer, layer: str, units: int | ArrayLike, **settings: Any) -> Picture:
    """Draw the images that units like best; the settings are those of `maximise`."""
    found = maximise(network, layer, units, **settings)
    names = np.atleast_1d(np.asarray(units))
    return draw_images({f"{unit}": as_picture(image) for unit, image in zip(names, found, strict=True)})


def draw_grad_cam(
    network: Layer, image: ArrayLike, layer: str, classes: int | None = None, scores: str = ""
) -> Picture:
    """Draw an image beside where the evidence for a class lies, enlarged to its size; see `grad_cam`."""
    evidence = grad_cam(network, image, layer, classes, scores)[0]
    (whole,) = images_for(network, image)
    return draw_images({"image": as_picture(whole), "evidence": enlarged(evidence, whole.shape[1:])})


def draw_occlusion(network: Layer, image: ArrayLike, **settings: Any) -> Picture:
    """Draw an image beside how much the score falls where it is covered; see `occlusion`."""
    falls = occlusion(network, image, **settings)
    (whole,) = images_for(network, image)
    return draw_images({"image": as_picture(whole), "fall of the score": enlarged(falls, whole.shape[1:])})


def draw_receptive_field(
    network: Layer, image: ArrayLike, layer: str, unit: tuple[int, ...] | None = None
) -> Picture:
    """Draw an image beside the part of it that a unit can see; see `receptive_field`."""
    rows, columns = receptive_field(network, layer, unit)
    (whole,) = images_for(network, image)
    seen = np.zeros_like(whole)
    seen[:, rows, columns] = whole[:, rows, columns]
    return draw_images({"image": as_picture(whole), "what the unit sees": as_picture(seen)})


def as_picture(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image of the network as it is drawn: its channels last if they are three, or their mean."""
    picture: NDArray[Any] = image.mean(axis=0)
    return np.clip(image.transpose(1, 2, 0), 0, 1) if len(image) == 3 else picture


def enlarged(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a map in the size of the image, smoothly."""
    from PIL import Image

    size = (shape[1], shape[0])
    smooth = Image.fromarray(np.asarray(values, np.float32)).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(smooth)
