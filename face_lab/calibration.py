"""`make face-calibrate`: the thresholds, set on people of whom none is reported on.

Each threshold lies between two samples: what was measured where the thing was done, and what was
measured where it was not. Both samples are kept beside the thresholds, without any picture, so that
everybody can set them anew.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from client_sdk.face.prompts import TURNS, Prompt
from face_lab.clips import Attack
from face_lab.recordings import LIVE, Recording
from node.face.vision.actions import FrameMeasures, measure_window
from node.face.vision.arrays import Floats
from node.face.vision.embedding import similarity
from node.face.vision.limits import Limits

FILE: Final = Path(__file__).parent / "calibration.json"
# Of each sample this part may lie on the wrong side of its own edge.
_EDGE: Final = 0.02
# Of pairs of two people.
_FALSE_MATCH: Final = 0.001
_SIDEWAYS: Final = frozenset({Prompt.LOOK_LEFT, Prompt.LOOK_RIGHT})
_NODS: Final = TURNS - _SIDEWAYS


@dataclass(frozen=True)
class Samples:
    """What one threshold is set on.

    Attributes:
        done: Measures where the thing was done: the prompt followed, the face the same, the skin
            a living one's.
        other: Measures where it was not.
        done_is_above: Whether `done` is to lie at or above the threshold.
        rule: `middle` of the samples' edges, or `false_match`: the edge of `other` alone.
    """

    done: tuple[float, ...]
    other: tuple[float, ...]
    done_is_above: bool = True
    rule: str = "middle"
    edge: float = _EDGE

    def threshold(self) -> float:
        """Return where the threshold lies, with three digits after the point at most."""
        sign = 1 if self.done_is_above else -1
        low = float(np.quantile(sign * np.array(self.other), 1 - self.edge))
        high = float(np.quantile(sign * np.array(self.done), _EDGE))
        found = low if self.rule == "false_match" else (low + high) / 2
        return round(sign * found, 1 if abs(found) > 5 else 3)

    def rounded(self) -> "Samples":
        """Return them as they are kept: with four digits after the point."""
        return replace(
            self,
            done=tuple(round(x, 4) for x in self.done),
            other=tuple(round(x, 4) for x in self.other),
        )

    @property
    def summary(self) -> str:
        """How the samples lie, for people."""
        parts = [
            np.quantile(each, (0, _EDGE, 0.5, 1 - _EDGE, 1)) for each in (self.done, self.other)
        ]
        done, other = (" ".join(f"{x:.3g}" for x in part) for part in parts)
        return f"done {done} of {len(self.done)}; other {other} of {len(self.other)}"


@dataclass(frozen=True)
class _Clip:
    """A recording, measured."""

    kind: str
    prompt: Prompt
    frames: tuple[FrameMeasures, ...]

    def held(self, value: Callable[[FrameMeasures], float | None]) -> float:
        """Return what a measure reaches in two frames at least, as the rules ask of an action."""
        found = sorted(x for frame in self.frames if (x := value(frame)) is not None)
        return found[-2] if len(found) > 1 else 0.0

    def most(self, value: Callable[[FrameMeasures], float]) -> float:
        """Return the farthest that one frame goes."""
        return max(value(frame) for frame in self.frames)


def samples_of(people: Sequence[Sequence[Recording]]) -> dict[str, Samples]:
    """Return the samples of every threshold but the portrait's, by its name in `Limits`.

    Args:
        people: Of each person the clips of `Studio.calibration_clips`.
    """
    found = _action_samples(
        [
            _Clip(clip.kind, clip.prompt, measure_window(clip.record.features).frames)
            for clips in people
            for clip in clips
            if clip.record.features
        ]
    )
    found["max_grid_peak"] = Samples(
        # A test's peak is the median of its prompts'. Of a living face the highest is taken, for
        # all prompts of a test may be in the worst light.
        done=tuple(max(_peaks(clips, LIVE)) for clips in people),
        other=tuple(float(np.median(_peaks(clips, Attack.SCREEN))) for clips in people),
        done_is_above=False,
    )
    return found | _identity_samples(people)


def _action_samples(clips: Sequence[_Clip]) -> dict[str, Samples]:
    live = [clip for clip in clips if clip.kind == LIVE]
    prints = [clip for clip in clips if clip.kind in {Attack.FLAT_PRINT, Attack.BENT_PRINT}]
    fakes = [clip for clip in clips if clip.kind not in {LIVE, Attack.SCREEN}]

    def of(some: Sequence[_Clip], *prompts: Prompt) -> list[_Clip]:
        return [clip for clip in some if clip.prompt in prompts]

    def yaw(frame: FrameMeasures) -> float:
        return abs(frame.yaw)

    def pitch(frame: FrameMeasures) -> float:
        return abs(frame.pitch)

    turns = tuple(clip.held(yaw) for clip in of(live, *_SIDEWAYS))
    nods = tuple(clip.held(pitch) for clip in of(live, *_NODS))
    smiles = tuple(clip.held(lambda f: f.smile) for clip in of(live, Prompt.SMILE))
    gaps = tuple(clip.held(lambda f: f.mouth_gap) for clip in of(live, Prompt.OPEN_MOUTH))
    faces = of(live, Prompt.SMILE, Prompt.BLINK, Prompt.OPEN_MOUTH)
    calm = of(live, Prompt.SMILE, Prompt.BLINK)
    blinks = of(live, Prompt.BLINK)

    def depth(clip: _Clip) -> float:
        return float(np.median([f.parallax for f in sorted(clip.frames, key=_reach)[-3:]]))

    solid = Samples(
        tuple(depth(c) for c in of(live, *TURNS)), tuple(depth(c) for c in of(prints, *TURNS))
    )
    parallax = solid.threshold()

    def flat(frame: FrameMeasures) -> float:
        return abs(frame.shape) if frame.parallax < parallax else 0.0

    def shut(clip: _Clip) -> float:
        return min((frame.eyes for frame in clip.frames if frame.eyes is not None), default=1.0)

    awake = tuple(
        shut(c) for c in [*of(live, Prompt.SMILE, Prompt.OPEN_MOUTH), *of(fakes, Prompt.BLINK)]
    )
    lids = Samples(tuple(shut(c) for c in blinks), awake, done_is_above=False)
    return {
        "action.turn_yaw": Samples(turns, tuple(c.held(yaw) for c in [*faces, *of(live, *_NODS)])),
        "action.turn_pitch": Samples(
            nods, tuple(c.held(pitch) for c in [*calm, *of(live, *_SIDEWAYS)])
        ),
        "action.still_yaw": Samples(tuple(c.most(yaw) for c in faces), turns, done_is_above=False),
        "action.still_pitch": Samples(
            tuple(c.most(pitch) for c in calm), nods, done_is_above=False
        ),
        "action.open_mouth_pitch": Samples(
            tuple(c.most(pitch) for c in of(live, Prompt.OPEN_MOUTH)), nods, done_is_above=False
        ),
        "action.parallax": solid,
        "action.flattened": Samples(
            tuple(c.held(flat) for c in live),
            tuple(c.held(flat) for c in prints if c.prompt not in TURNS),
            done_is_above=False,
        ),
        "action.smile": Samples(
            smiles,
            tuple(
                c.held(lambda f: f.smile)
                for c in [*blinks, *of(live, Prompt.OPEN_MOUTH), *of(fakes, Prompt.SMILE)]
            ),
        ),
        "action.mouth_gap": Samples(
            gaps,
            tuple(c.held(lambda f: f.mouth_gap) for c in [*calm, *of(fakes, Prompt.OPEN_MOUTH)]),
        ),
        "action.other_smile": Samples(
            tuple(c.held(lambda f: f.smile) for c in blinks), smiles, done_is_above=False
        ),
        "action.other_mouth_gap": Samples(
            tuple(c.held(lambda f: f.mouth_gap) for c in blinks), gaps, done_is_above=False
        ),
        "action.eyes_shut": lids,
        # Open again is nearer to awake than to shut.
        "action.eyes_open": Samples(awake, (lids.threshold(),)),
    }


def _peaks(clips: Sequence[Recording], kind: str) -> list[float]:
    found = [clip.record.grid_peak for clip in clips if clip.kind == kind]
    return [peak for peak in found if peak is not None]


def _reach(frame: FrameMeasures) -> float:
    return max(abs(frame.yaw), abs(frame.pitch))


def _identity_samples(people: Sequence[Sequence[Recording]]) -> dict[str, Samples]:
    """Of one person there is one photograph: how like himself he is says nothing of a living one.

    So the threshold lies where other people end, as that of the portrait does.
    """
    faces = [[c.faces for c in clips if c.kind == LIVE and c.faces is not None] for clips in people]
    pairs = list(combinations(faces, 2))
    return {
        "match.same_face_in_test": Samples(
            tuple(similarity(a.rest, b.rest) for own in faces for a, b in combinations(own, 2)),
            _thinned([similarity(a.rest, b.rest) for one, two in pairs for a in one for b in two]),
            rule="false_match",
            edge=_FALSE_MATCH,
        ),
        "match.same_face_turned": Samples(
            tuple(similarity(face.rest, face.last) for own in faces for face in own),
            _thinned([similarity(a.rest, b.last) for one, two in pairs for a in one for b in two]),
            rule="false_match",
            edge=_FALSE_MATCH,
        ),
    }


def portrait_samples(genuine: Floats, impostor: Floats) -> Samples:
    """Return the samples of the threshold of the match: FMR 0.1 % on these people."""
    return Samples(
        _thinned(genuine.tolist()),
        _thinned(impostor.tolist()),
        rule="false_match",
        edge=_FALSE_MATCH,
    )


def _thinned(values: Sequence[float], most: int = 1001) -> tuple[float, ...]:
    """Return quantiles instead of very many values: a thousandth of them can still be told."""
    if len(values) <= most:
        return tuple(values)
    return tuple(np.quantile(values, np.linspace(0, 1, most)).tolist())


def keep(path: Path, samples: Mapping[str, Samples], about: Mapping[str, Any]) -> None:
    """Write thresholds, the samples that they were set on, and whose those are."""
    kept = {name: each.rounded() for name, each in samples.items()}
    content = {
        "about": dict(about),
        "thresholds": {name: each.threshold() for name, each in kept.items()},
        "samples": {name: asdict(each) for name, each in kept.items()},
    }
    path.write_text(json.dumps(content) + "\n", "utf-8")


def read(path: Path = FILE) -> tuple[dict[str, float], dict[str, Samples]]:
    """Return the thresholds that were kept, and their samples."""
    kept = json.loads(path.read_text("utf-8"))
    samples = {
        name: Samples(**{**each, "done": tuple(each["done"]), "other": tuple(each["other"])})
        for name, each in kept["samples"].items()
    }
    return kept["thresholds"], samples


def portraits(path: Path = FILE) -> frozenset[str]:
    """Return the names of the portraits that the kept thresholds were set on."""
    return frozenset(json.loads(path.read_text("utf-8"))["about"]["portraits"])


def limit_of(limits: Limits, name: str) -> float:
    """Return a threshold by its name, such as `action.smile`."""
    found: Any = limits
    for part in name.split("."):
        found = getattr(found, part)
    return float(found)
