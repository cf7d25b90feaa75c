import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.faults import FaultPlan, Faults, heard

FRAME = bytes(range(20))


@given(st.binary(max_size=40), st.integers())
def test_without_faults_frames_go_out_untouched(frame: bytes, seed: int) -> None:
    assert Faults(seed=seed).apply(frame) == [(0.0, frame)]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [(FaultPlan(drop=1), 0), (FaultPlan(duplicate=1), 2), (FaultPlan(garbage=1, duplicate=1), 3)],
)
def test_how_many_pieces_go_out(plan: FaultPlan, expected: int) -> None:
    assert len(Faults(plan).apply(FRAME)) == expected


def test_corrupt_flips_one_bit() -> None:
    ((_, sent),) = Faults(FaultPlan(corrupt=1)).apply(FRAME)
    assert sum((a ^ b).bit_count() for a, b in zip(sent, FRAME, strict=True)) == 1


def test_truncate_leaves_a_beginning() -> None:
    ((_, sent),) = Faults(FaultPlan(truncate=1)).apply(FRAME)
    assert len(sent) < len(FRAME)
    assert FRAME.startswith(sent)


def test_the_same_seed_gives_the_same_faults() -> None:
    plan = FaultPlan(drop=0.3, duplicate=0.3, corrupt=0.3, delay_s=1.0)
    first, second = Faults(plan, seed=7), Faults(plan, seed=7)
    assert [first.apply(FRAME) for _ in range(50)] == [second.apply(FRAME) for _ in range(50)]


@pytest.mark.parametrize("given_plan", [{"drpo": 1}, {"drop": "yes"}, {"drop": 2}, {"delay_s": -1}])
def test_a_plan_that_makes_no_sense_is_refused(given_plan: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="fault"):
        FaultPlan.of(given_plan)


def test_reordered_frames_all_come() -> None:
    faults = Faults(FaultPlan(reorder=0.5), seed=3)
    frames = [bytes([number]) for number in range(50)]
    sent = [piece.frame for frame in frames for piece in faults.apply(frame)]
    assert sent != frames
    assert set(frames) - set(sent) <= {frames[-1]}


def test_a_reboot_in_the_middle_of_a_frame_silences_the_next_three() -> None:
    faults = Faults(FaultPlan(reboot=1))
    assert [[piece.frame for piece in faults.apply(FRAME)] for _ in range(5)] == [
        [FRAME[: len(FRAME) // 2]],
        [],
        [],
        [],
        [FRAME[: len(FRAME) // 2]],
    ]


@pytest.mark.parametrize(("fading_db", "part"), [(0, 1.0), (20, 1.0), (30, 0.5), (40, 0.0), (90, 0.0)])
def test_fading_loses_more_and_more(fading_db: float, part: float) -> None:
    assert heard(fading_db) == part


def test_a_deaf_device_hears_nothing() -> None:
    assert not Faults(FaultPlan(deaf=1)).hears()
    assert Faults().hears()
