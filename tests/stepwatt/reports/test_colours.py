"""Colours of figures: seen on white, and told apart by every kind of eye."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from stepwatt.reports.figures.money import _TERMS
from stepwatt.reports.figures.panel import COLOURS, SERIES

Floats = NDArray[np.float64]

#: What eyes of some kinds see of linear sRGB (Machado, Oliveira, Fernandes 2009, severity 1).
EYES: dict[str, Floats] = {
    "trichromat": np.eye(3),
    "protanope": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranope": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanope": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

#: Differences (CIE 1976) from some 2.3 on are just noticeable; these are seen at a glance.
APART = 15.0


def linear(colour: str) -> Floats:
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: Floats) -> Floats:
    ratios = TO_XYZ @ np.clip(rgb, 0, 1) / (TO_XYZ @ np.ones(3))
    x, y, z = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: str, other: str, eye: str) -> float:
    seen = [lab(EYES[eye] @ linear(colour)) for colour in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


@pytest.mark.parametrize("colour", sorted({*SERIES, *COLOURS.values(), *(shade for *_, shade in _TERMS)}))
def test_every_colour_of_figures_stands_out_on_white(colour: str) -> None:
    luminance = TO_XYZ[1] @ linear(colour)
    assert 1.05 / (luminance + 0.05) >= 3, "WCAG 2.1, 1.4.11: graphical objects"


@pytest.mark.parametrize("eye", EYES)
def test_colours_of_a_series_are_told_apart(eye: str) -> None:
    for number, one in enumerate(SERIES):
        for other in SERIES[number + 1 :]:
            assert difference(one, other, eye) >= APART, (one, other)


@pytest.mark.parametrize("eye", EYES)
def test_neighbours_in_a_bar_of_money_are_told_apart(eye: str) -> None:
    shades = [shade for *_, shade in _TERMS]
    for one, other in pairwise(shades):
        assert difference(one, other, eye) >= APART, (one, other)
