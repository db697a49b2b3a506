"""The collapse detector: silent while answers rise or waver, loud once when they fall, the same after a resume."""

import warnings

import pytest
import torch

from posenb.methods.semi_supervised import CollapseDetector


def alarms(detector, responses):
    """Messages, and the steps at which they came."""
    found = []
    for step, response in enumerate(responses, 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            detector.update(torch.tensor(response))
        found += [(step, str(warning.message)) for warning in caught]
    return found


def test_is_silent_while_the_response_rises_or_wavers():
    rising = [0.01 * k for k in range(100)]
    wavering = [0.5 + 0.1 * (-1) ** k for k in range(100)]
    assert alarms(CollapseDetector(), rising) == [] and alarms(CollapseDetector(), wavering) == []


def test_warns_once_when_the_running_response_has_halved_and_says_what_to_do():
    falling = [0.4] * 50 + [0.05] * 50
    ((step, message),) = alarms(CollapseDetector(), falling)
    # .05 + .35 x .9^n < .2 from n = 9 on
    assert step == 50 + 9
    assert message.startswith("the response fell from 0.4 to 0.1") and "give the teacher easier views" in message


@pytest.mark.parametrize("fraction, steps", [(0.9, 2), (0.5, 9), (0.25, 19)])
def test_the_fraction_says_how_far_it_may_fall(fraction, steps):
    """.05 + .35 x .9^n < .4 x fraction."""
    ((step, _),) = alarms(CollapseDetector(fraction=fraction), [0.4] * 100 + [0.05] * 60)
    assert step == 100 + steps


def test_is_no_alarm_before_its_start():
    assert alarms(CollapseDetector(start=30), [0.9] * 3 + [0.01] * 20) == []


def test_a_network_that_answers_already_is_watched_from_its_first_step():
    """A heavy loss can empty the maps before a new head would have found its level."""
    falling = [0.54] + [0.2] * 40
    assert alarms(CollapseDetector(), falling) == []
    # corrected for its start, the mean is .2 + .034 x .9^(n - 1) / (1 - .9^n): below .27 from n = 5 on
    ((step, _),) = alarms(CollapseDetector(start=1), falling)
    assert step == 5


def test_a_low_response_that_never_was_higher_is_no_fall():
    assert alarms(CollapseDetector(), [0.02] * 200) == []


def test_goes_on_after_its_state_was_saved_and_loaded():
    falling = [0.4] * 50 + [0.05] * 50
    whole, first, second = (CollapseDetector() for _ in range(3))
    expected = alarms(whole, falling)
    early = alarms(first, falling[:55])
    second.load_state_dict(first.state_dict())
    assert early + [(55 + step, message) for step, message in alarms(second, falling[55:])] == expected


def test_a_new_head_that_finds_its_level_is_no_collapse():
    """Untrained maps may have any height: nothing was answered that could be forgotten."""
    noise_then_answers = [2.6] * 8 + [0.3] * 12 + [0.3 + 0.01 * k for k in range(40)]
    assert alarms(CollapseDetector(), noise_then_answers) == []
