"""What all shapers share in being made: settings of their own, read from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch

from stepwatt.formulation import InputError
from stepwatt.formulation.records import SettingsRecord

from .protocol import Shaper

Settings = TypeVar("Settings", bound=SettingsRecord)
SettingsIn = TypeVar("SettingsIn", bound=SettingsRecord, contravariant=True)
Made = TypeVar("Made", bound=Shaper, covariant=True)


class Build(Protocol[SettingsIn, Made]):
    """Makes a shaper of its settings for S = ``len(seeds)`` runs."""

    def __call__(
        self,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        settings: SettingsIn,
        device: torch.device | str,
        /,
    ) -> Made:
        """The shaper."""
        ...


@dataclass(frozen=True)
class ShaperKind(Generic[Settings, Made]):
    """A kind of shaper: the class of its settings, and how it is built."""

    settings: type[Settings]
    build: Build[Settings, Made]

    def read(self, table: Mapping[str, Any]) -> Settings:
        """The settings of a training's table ``shaping``.

        Raises:
            InputError: names ``shaping.NAME``.
        """
        try:
            return self.settings.read(table)
        except InputError as error:
            raise error.inside("shaping") from None

    def __call__(
        self,
        obs_size: int,
        act_size: int,
        seeds: Sequence[int],
        settings: Mapping[str, Any],
        device: torch.device | str = "cpu",
    ) -> Made:
        """The shaper for the S = ``len(seeds)`` runs of the seeds.

        Raises:
            InputError: settings that there are not, or that do not fit.
        """
        return self.build(obs_size, act_size, seeds, self.read(settings), device)
