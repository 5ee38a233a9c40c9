"""Clips of a prompt being followed, and of what an attacker shows instead (ISO/IEC 30107-3).

Every clip is drawn from a seeded generator: the same seed gives the same frames.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import cv2
import numpy as np

from client_sdk.face.prompts import Prompt
from face_lab.performer import EYES_APART, HEIGHT, WIDTH, Performer, Pose
from node.face.vision.arrays import Floats, Image

RATE_HZ: Final = 12
# At rest, into the action, holding it, out of it, at rest again: seconds.
_COURSE_S: Final = (0.45, 0.45, 0.45, 0.35, 0.2)
_BLINK_COURSE_S: Final = (0.45, 0.12, 0.2, 0.15, 0.45)
# How far people go.
_YAW: Final = (19.0, 30.0)
_PITCH: Final = (14.0, 22.0)
_JPEG: Final = (80, 95)
_NOISE_SHIFTS: Final = 64


@dataclass(frozen=True)
class ClipFrame:
    """A frame and when it was taken."""

    at_ms: int
    image: Image


class Attack(StrEnum):
    """What is shown instead of a living face that follows the prompt."""

    PHOTO = "photo"
    MOVED_PHOTO = "moved_photo"
    FLAT_PRINT = "flat_print"
    BENT_PRINT = "bent_print"
    SCREEN = "screen"
    RETIMED = "retimed"
    SPLICED_PERSON = "spliced_person"


class _Camera:
    """What a camera adds: noise, light that changes, JPEG."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._gain = float(rng.uniform(0.8, 1.12))
        self._quality = int(rng.integers(*_JPEG))
        size = (HEIGHT + _NOISE_SHIFTS, WIDTH + _NOISE_SHIFTS, 3)
        self._noise = rng.standard_normal(size, np.float32) * np.float32(rng.uniform(1.0, 3.5))

    def take(self, scene: Image) -> Image:
        """Return the scene as the camera sees it. Each frame has another part of the noise."""
        down, across = self._rng.integers(0, _NOISE_SHIFTS, 2)
        noise = self._noise[down : down + HEIGHT, across : across + WIDTH]
        light = self._gain * float(self._rng.normal(1, 0.006))
        seen = cv2.addWeighted(scene.astype(np.float32), light, noise, 1.0, 0, dtype=cv2.CV_8U)
        _, data = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def live_clip(
    performer: Performer, prompt: Prompt, rng: np.random.Generator, *, start_ms: int = 0
) -> list[ClipFrame]:
    """Return a clip of a living face that follows a prompt.

    Args:
        performer: The face.
        prompt: What it was asked to do.
        rng: Decides how far, how fast, and what the camera adds.
        start_ms: When the first frame was taken.
    """
    return _take(scenes_of(performer, prompt, rng), rng, start_ms)


def scenes_of(performer: Performer, prompt: Prompt, rng: np.random.Generator) -> list[Image]:
    """Return what is before the camera while a living face follows a prompt, `RATE_HZ` a second."""
    return [performer.frame(pose) for pose in _poses(prompt, rng)]


def attack_clip(
    attack: Attack,
    performer: Performer,
    prompt: Prompt,
    rng: np.random.Generator,
    *,
    start_ms: int = 0,
    other: Performer | None = None,
) -> list[ClipFrame]:
    """Return a clip of an attack on a prompt.

    Args:
        attack: Which.
        performer: The face under attack.
        prompt: What was asked; the attacker knows it and helps as far as the means allow.
        rng: Decides the rest.
        start_ms: When the first frame was taken.
        other: The attacker's own face, for `SPLICED_PERSON`.
    """
    if attack is Attack.RETIMED:
        return _retimed(live_clip(performer, prompt, rng, start_ms=start_ms))
    if attack is Attack.SCREEN:
        scenes = [performer.frame(pose) for pose in _poses(prompt, rng)]
        grid = _screen_grid(rng)
        return _take([_through_screen(scene, grid) for scene in scenes], rng, start_ms)
    if attack is Attack.SPLICED_PERSON:
        poses = list(_poses(prompt, rng))
        rest = round(_COURSE_S[0] * RATE_HZ)
        actor = other or performer
        scenes = [
            (performer if index < rest else actor).frame(pose) for index, pose in enumerate(poses)
        ]
        return _take(scenes, rng, start_ms)
    still = performer.frame(Pose())
    moves: dict[Attack, Callable[[Image, float, Prompt, np.random.Generator], Image]] = {
        Attack.PHOTO: _held_still,
        Attack.MOVED_PHOTO: _moved,
        Attack.FLAT_PRINT: _turned_print,
        Attack.BENT_PRINT: _turned_bent_print,
    }
    course = _course(_COURSE_S, len(list(_poses(prompt, rng))))
    reach = float(rng.uniform(0.7, 1.0))
    scenes = [moves[attack](still, reach * part, prompt, rng) for part in course]
    return _take(scenes, rng, start_ms)


def _poses(prompt: Prompt, rng: np.random.Generator) -> Iterator[Pose]:
    """The poses of a person who follows a prompt, with the sway of a living head."""
    seconds = _BLINK_COURSE_S if prompt is Prompt.BLINK else _COURSE_S
    stretch = float(rng.uniform(0.9, 1.2))
    course = _course(tuple(part * stretch for part in seconds))
    side = 1 if prompt in {Prompt.LOOK_LEFT, Prompt.LOOK_UP} else -1
    yaw, pitch = side * rng.uniform(*_YAW), side * rng.uniform(*_PITCH)
    strength = float(rng.uniform(0.75, 1.0))
    sway = _sway(len(course), rng)
    for part, (turn, nod, lean, right, down) in zip(course, sway, strict=True):
        pose = Pose(
            yaw=float(turn), pitch=float(nod), roll=float(lean),
            shift=(float(right), float(down)),
        )  # fmt: skip
        if prompt in {Prompt.LOOK_LEFT, Prompt.LOOK_RIGHT}:
            yield replace(pose, yaw=pose.yaw + part * yaw, pitch=pose.pitch + part * turn)
        elif prompt in {Prompt.LOOK_UP, Prompt.LOOK_DOWN}:
            yield replace(pose, pitch=pose.pitch + part * pitch, yaw=pose.yaw + part * nod)
        elif prompt is Prompt.BLINK:
            yield replace(pose, blink=part)
        elif prompt is Prompt.SMILE:
            yield replace(pose, smile=part * strength)
        else:
            yield replace(pose, mouth=part * strength)


def _course(seconds: tuple[float, ...], count: int | None = None) -> list[float]:
    """How far into the action each frame is, 0 to 1, eased in and out."""
    ends = np.cumsum(seconds)
    total = float(ends[-1])
    frames = count or round(total * RATE_HZ)
    times = np.linspace(0, total, frames, endpoint=False)
    parts = np.interp(times, [0, ends[0], ends[1], ends[2], ends[3], total], [0, 0, 1, 1, 0, 0])
    return [float(part) for part in (1 - np.cos(np.pi * parts)) / 2]


def _sway(count: int, rng: np.random.Generator) -> Floats:
    """Slow movements, count x 5: yaw, pitch, roll in degrees; right, down in eye distances."""
    sizes = np.array([1.2, 0.9, 1.0, 0.03, 0.03])
    steps = rng.standard_normal((count + 6, 5))
    slow = np.stack([np.convolve(column, np.ones(7) / 7, "valid") for column in steps.T], axis=1)
    return np.asarray(slow * sizes * np.sqrt(7) * 0.6, dtype=np.float32)


def _take(scenes: list[Image], rng: np.random.Generator, start_ms: int) -> list[ClipFrame]:
    camera = _Camera(rng)
    return [
        ClipFrame(
            start_ms + round(index * 1000 / RATE_HZ + float(rng.uniform(-6, 6))),
            camera.take(scene),
        )
        for index, scene in enumerate(scenes, start=1)
    ]


def _retimed(clip: list[ClipFrame]) -> list[ClipFrame]:
    """A recording slowed to half its speed: each frame twice, at the camera's times."""
    return [
        ClipFrame(frame.at_ms * 2 + extra, frame.image)
        for frame in clip
        for extra in (0, 1000 // RATE_HZ)
    ]


def _held_still(still: Image, _part: float, _prompt: Prompt, rng: np.random.Generator) -> Image:
    """A photograph in a hand that trembles."""
    return _warp(still, _affine(rng.normal(0, 0.3), 1.0, *rng.normal(0, 1.2, 2)))


def _moved(still: Image, part: float, prompt: Prompt, rng: np.random.Generator) -> Image:
    """A photograph shifted, leaned and brought nearer, the way the prompt goes."""
    right, down = _direction(prompt)
    angle = 12.0 * part * (right or 0.5)
    shift = 0.45 * EYES_APART * part
    jitter = rng.normal(0, 1.0, 2)
    return _warp(
        still, _affine(angle, 1 + 0.2 * part, right * shift + jitter[0], down * shift + jitter[1])
    )


def _turned_print(still: Image, part: float, prompt: Prompt, rng: np.random.Generator) -> Image:
    """A flat print turned in space, up to 50 degrees, the way the prompt goes."""
    return _warp(still, _turn_of_plane(_print_angles(part, prompt, rng)))


def _turned_bent_print(
    still: Image, part: float, prompt: Prompt, rng: np.random.Generator
) -> Image:
    """A print bent about the face's long axis, and turned."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    radius = 2.2 * EYES_APART
    off = np.clip((across - WIDTH / 2) / radius, -0.99, 0.99)
    bent = cv2.remap(
        still, WIDTH / 2 + radius * np.arcsin(off), down, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    turned = _turn_of_plane(_print_angles(part, prompt, rng))
    return _warp(np.asarray(bent, dtype=np.uint8), turned)


def _direction(prompt: Prompt) -> tuple[float, float]:
    """Which way the picture goes: right, down."""
    ways = {
        Prompt.LOOK_LEFT: (1.0, 0.0),
        Prompt.LOOK_RIGHT: (-1.0, 0.0),
        Prompt.LOOK_UP: (0.0, -1.0),
        Prompt.LOOK_DOWN: (0.0, 1.0),
    }
    return ways.get(prompt, (0.0, 0.0))


def _print_angles(part: float, prompt: Prompt, rng: np.random.Generator) -> tuple[float, float]:
    """Yaw and pitch of the print, degrees; for an expression it is tilted: eyes look shorter."""
    right, down = _direction(prompt)
    if not right and not down:
        right, down = (1.0, 0.0) if prompt is Prompt.SMILE else (0.0, 1.0)
    reach = 50.0 * part
    yaw, pitch = right * reach + rng.normal(0, 0.4), -down * reach + rng.normal(0, 0.4)
    return float(yaw), float(pitch)


def _turn_of_plane(angles: tuple[float, float]) -> Floats:
    """The homography of the frame's plane turned about its middle, half a metre away."""
    yaw, pitch = np.radians(angles)
    distance = 5.5 * EYES_APART
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32) * EYES_APART
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    x, y = corners.T
    nodded = np.stack([x, y * cp, -y * sp])
    turned = np.stack([nodded[0] * cy - nodded[2] * sy, nodded[1], nodded[0] * sy + nodded[2] * cy])
    seen = turned[:2] * distance / (turned[2] + distance)
    middle = np.array([WIDTH / 2, HEIGHT / 2], np.float32)
    matrix = cv2.getPerspectiveTransform(corners + middle, (seen.T + middle).astype(np.float32))
    return np.asarray(matrix, dtype=np.float32)


def _affine(angle: float, scale: float, right: float, down: float) -> Floats:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), angle, scale)
    matrix[:, 2] += (right, down)
    return np.vstack([matrix, (0, 0, 1)]).astype(np.float32)


def _warp(still: Image, matrix: Floats) -> Image:
    warped = cv2.warpPerspective(
        still, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, dtype=np.uint8)


def _screen_grid(rng: np.random.Generator) -> Floats:
    """The pattern that a screen's dots make on a camera's: height x width x 3."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    angle, period = rng.uniform(0.1, 1.4), rng.uniform(2.6, 7.0)
    turned = across * np.cos(angle) + down * np.sin(angle)
    other = -across * np.sin(angle) + down * np.cos(angle)
    depth = rng.uniform(0.04, 0.12)
    phases = (0, 2.1, 4.2)
    planes = [
        np.sin(2 * np.pi * turned / period + phase) + np.sin(2 * np.pi * other / period)
        for phase in phases
    ]
    return (1 + depth * np.dstack(planes)).astype(np.float32)


def _through_screen(scene: Image, grid: Floats) -> Image:
    """A screen's picture: less contrast, a bluer white, and its dots."""
    shown = (scene.astype(np.float32) * 0.82 + 28) * np.array([0.95, 1.0, 1.06], np.float32)
    return np.clip(shown * grid, 0, 255).astype(np.uint8)
