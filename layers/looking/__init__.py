"""What a network sees: its responses, the pixels that they depend on, and the images that it likes best.

Everything here is an expression of `Composite.outputs` and of gradients, compiled by `function`: nothing that
a program of one's own could not write. A part of a network is named as in `Layer.parameters`: ``"2"`` is the
third layer of a sequence, ``"2.body.0"`` the first one within the body of a residual block there, and ``""``
the network itself. The book's `Network` is looked into through its `body`.
"""

from arignote.layers.looking.draw import (
    draw_feature_maps,
    draw_grad_cam,
    draw_maximised,
    draw_occlusion,
    draw_receptive_field,
    draw_saliency,
)
from arignote.layers.looking.gradients import guided, guided_backpropagation, saliency
from arignote.layers.looking.maximise import maximise
from arignote.layers.looking.responses import feature_maps, grad_cam, occlusion, receptive_field

__all__ = [
    "draw_feature_maps",
    "draw_grad_cam",
    "draw_maximised",
    "draw_occlusion",
    "draw_receptive_field",
    "draw_saliency",
    "feature_maps",
    "grad_cam",
    "guided",
    "guided_backpropagation",
    "maximise",
    "occlusion",
    "receptive_field",
    "saliency",
]
