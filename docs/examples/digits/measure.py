"""Measure quality against denoising steps: diffusion models of digits in three sizes, several of each.

Training data are half of scikit-learn's digits (8 by 8 pixels); pictures are held against the other half, by
the Fréchet distance (that of FID) in the hidden layer of a classifier that was trained on real digits and is
the same for all. Quality 1 is the distance of real digits, quality 0 that of the mean picture of each digit,
which is about what a single step makes.
"""

from __future__ import annotations

import argparse
import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import sqrtm
from sklearn.datasets import load_digits
from torch import nn

WIDTHS = {"small": 64, "middle": 128, "large": 288}
SEEDS = 5
STEPS = (1, 2, 3, 4, 6, 8, 10, 14, 18, 22, 30, 42)


def digits(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (1797, 64) in -1 … 1 and their labels, in an order drawn once."""
    data = load_digits()
    order = torch.randperm(len(data.target), generator=generator)
    pictures = torch.tensor(data.data, dtype=torch.float32) / 8 - 1
    return pictures[order], torch.tensor(data.target)[order]


def classifier(pictures: torch.Tensor, labels: torch.Tensor, training: int) -> nn.Sequential:
    """Trained on real digits; all but its last layer are the features."""
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    adam = torch.optim.Adam(net.parameters(), 3e-3, weight_decay=1e-4)
    for _ in range(training):
        adam.zero_grad()
        nn.functional.cross_entropy(net(pictures), labels).backward()
        adam.step()
    return net


class Denoiser(nn.Module):
    """Says v = alpha·noise − sigma·picture of a picture with noise, its time and the digit that is wanted."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64 + 10 + 8, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 64)
        )

    def forward(self, noisy: torch.Tensor, time: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(n, 64) of (n, 64), (n, 1) and (n,)."""
        waves = time * torch.pi * torch.tensor([0.5, 1.0, 2.0, 4.0])
        asked = nn.functional.one_hot(labels, 10)
        return self.net(torch.cat([noisy, asked, waves.sin(), waves.cos()], dim=1))


def train(
    net: Denoiser, pictures: torch.Tensor, labels: torch.Tensor, training: int, g: torch.Generator
) -> None:
    """Learn to tell noise from picture at every time between 0 (picture) and 1 (noise)."""
    adam = torch.optim.Adam(net.parameters(), 2e-3)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, training)
    for _ in range(training):
        rows = torch.randint(len(pictures), (256,), generator=g)
        time, noise = torch.rand(256, 1, generator=g), torch.randn(256, 64, generator=g)
        alpha, sigma = torch.cos(time * torch.pi / 2), torch.sin(time * torch.pi / 2)
        told = net(alpha * pictures[rows] + sigma * noise, time, labels[rows])
        adam.zero_grad()
        (told - (alpha * noise - sigma * pictures[rows])).square().mean().backward()
        adam.step()
        slower.step()


@torch.no_grad()
def generate(net: Denoiser, labels: torch.Tensor, steps: int, g: torch.Generator) -> torch.Tensor:
    """Pictures of the digits that are wanted, from noise in so many steps (DDIM, arXiv 2010.02502)."""
    x = torch.randn(len(labels), 64, generator=g)
    times = torch.linspace(1, 0, steps + 1)
    for now, then in pairwise(times):
        alpha, sigma = torch.cos(now * torch.pi / 2), torch.sin(now * torch.pi / 2)
        v = net(x, now.expand(len(x), 1), labels)
        picture, noise = (alpha * x - sigma * v).clamp(-1, 1), sigma * x + alpha * v
        x = torch.cos(then * torch.pi / 2) * picture + torch.sin(then * torch.pi / 2) * noise
    return x


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Distance of two normal distributions with the moments of rows of features (n, 32)."""
    ca, cb = np.cov(a.T), np.cov(b.T)
    apart = float(((a.mean(0) - b.mean(0)) ** 2).sum())
    return apart + float(np.trace(ca + cb - 2 * np.real(sqrtm(ca @ cb))))


def measure(seeds: int, training: int, pictures_each: int, folder: Path) -> None:
    """Write a file for each model, with a row for each seed and step count."""
    torch.manual_seed(0)
    pictures, labels = digits(torch.Generator().manual_seed(0))
    half = len(pictures) // 2
    real, held_out = pictures[:half], pictures[half:]
    judge = classifier(real, labels[:half], 400)

    @torch.no_grad()
    def distance(made: torch.Tensor) -> float:
        return frechet(judge[:-1](made).numpy(), judge[:-1](held_out).numpy())

    means = torch.stack([real[labels[:half] == digit].mean(0) for digit in range(10)])
    best, worst = distance(real), distance(means[labels[:half]])
    print(f"distance of real digits {best:.3f} (quality 1), of mean digits {worst:.3f} (quality 0)")
    for model, width in WIDTHS.items():
        rows: list[list[float]] = []
        for seed in range(seeds):
            torch.manual_seed(seed)
            g = torch.Generator().manual_seed(seed)
            net = Denoiser(width)
            train(net, real, labels[:half], training, g)
            wanted = torch.arange(pictures_each) % 10
            for steps in STEPS:
                made = generate(net, wanted, steps, g)
                away = distance(made)
                recognised = (judge(made).argmax(1) == wanted).float().mean().item()
                quality = min(max((worst - away) / (worst - best), 0.0), 1.0)
                rows.append([seed, steps, round(quality, 4), round(away, 4), round(recognised, 4)])
            write(folder / f"{model}.csv", rows)


def write(path: Path, rows: list[list[float]]) -> None:
    """In the layout that ``stepwatt quality fit`` reads."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["seed", "steps", "quality", "distance", "recognised"])
        writer.writerows(rows)
    print(path.name, "has", len(rows), "points", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the three files")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each size")
    parser.add_argument("--training", type=int, default=4000, help="steps of training of each model")
    parser.add_argument("--pictures", type=int, default=2000, help="made for each point")
    asked = parser.parse_args()
    measure(asked.seeds, asked.training, asked.pictures, asked.out)
