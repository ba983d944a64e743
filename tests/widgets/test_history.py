"""The timeline against the lectures' own dates, and the quiz against the years."""

import re
from pathlib import Path

import pytest

from cs231n_lib.widgets.base import Event, Static
from cs231n_lib.widgets.history import MODEL
from cs231n_lib.widgets.history_events import EVENTS, IDEAS, LINKS, WINTER
from cs231n_lib.widgets.history_picture import places
from cs231n_lib.widgets.history_plan import INDEX, LAST, Look, compute

LECTURES = Path(__file__).resolve().parents[3] / "shared" / "seed-lectures.txt"
# As the slides print them, typed again from the slides: year and a name that stands beside it.
SLIDES = {
    1959: ["Hubel"], 1963: ["Roberts"], 1973: ["Fischler"], 1979: ["Brooks"], 1980: ["Fukushima"],
    1986: ["Canny", "Rumelhart"], 1987: ["Lowe"], 1997: ["Shi"], 1998: ["LeCun"], 1999: ["Lowe"], 2001: ["Viola"],
    2005: ["Fei-Fei"], 2006: ["Hinton"], 2007: ["PASCAL", "Bengio"], 2009: ["Lee", "Deng"], 2010: ["Glorot"],
    2012: ["Krizhevsky", "Farabet"], 2014: ["Simonyan", "Toshev", "Guo", "Dieleman"],
    2015: ["Ren", "Vinyals", "Karpathy", "He et al", "Russakovsky"], 2016: ["Levy"], 2017: ["Vaswani"],
    2021: ["Dosovitskiy"], 2022: ["Rombach"],
}  # fmt: skip


@pytest.mark.parametrize(("year", "name"), [(year, name) for year, names in SLIDES.items() for name in names])
def test_every_date_of_the_slides_is_there(year, name):
    assert any(event.year == year and name in event.who for event in EVENTS)


def test_dates_stand_in_the_lectures_text():
    if not LECTURES.exists():
        pytest.skip("the lectures' text is not beside this checkout")
    text = " ".join(LECTURES.read_text(encoding="utf-8").split())
    spelt = {"Fischler": "Fischler and Elshlager", "Farabet": "Farabet et al"}
    for event in EVENTS:
        name = re.split(r"[ ,;]", event.who)[0 if event.who[:4] not in ("John", "Davi") else 1]
        if event.told or name in ("Caltech", "PASCAL", "Fei-Fei"):
            continue
        words = re.escape("SIFT" if event.title == "SIFT" else spelt.get(name, name))
        near = rf"{words}.{{0,140}}?{event.year}|{event.year}.{{0,60}}?{words}"
        assert re.search(near, text), (event.year, name)


def test_entries_are_in_order_with_known_ideas_and_links_run_forwards():
    years = [event.year for event in EVENTS]
    assert years == sorted(years)
    assert years[0] == 1959
    assert len(INDEX) == len(EVENTS)
    assert {idea for event in EVENTS for idea in event.ideas} == set(IDEAS)
    assert all(EVENTS[INDEX[a]].year < EVENTS[INDEX[b]].year for a, b, _ in LINKS)
    assert EVENTS[INDEX["AlexNet"]].year - EVENTS[INDEX["Neocognitron"]].year == 32
    assert not any(WINTER[0] < year < WINTER[1] for year in years)


def test_filters_cover_all_and_show_only_their_own():
    seen = set()
    for idea in IDEAS:
        shown = compute(Look(idea=idea), {}).shown
        assert all(idea in EVENTS[i].ideas for i in shown)
        assert len(shown) == sum(idea in event.ideas for event in EVENTS)
        seen |= set(shown)
    assert seen == set(range(len(EVENTS)))


@pytest.mark.parametrize(("first", "span"), [(1955, 70), (1985, 15), (2010, 30)])
def test_years_are_cut_and_places_keep_their_order(first, span):
    r = compute(Look(first=first, span=span), {})
    assert [EVENTS[i].year for i in r.shown] == [e.year for e in EVENTS if first <= e.year <= min(first + span, LAST)]
    spots = places(r)
    across = [spots[i][0] for i in r.shown]
    assert across == sorted(across)
    assert len({(round(x, 3), round(y, 3)) for x, y in spots.values()}) == len(r.shown)  # none hides another


def test_nothing_to_show_is_said():
    widget = Static(MODEL, {"idea": "attention", "first": 1955, "span": 15}, {})
    assert "No entry of the idea attention" in widget.status
    assert not widget.problem
    widget.point(Event("key", key="ArrowRight"))
    widget.step()
    assert not widget.problem


def test_a_picked_entry_outside_the_filter_gives_its_nearest_neighbour():
    r = compute(Look(idea="grouping", pick=0), {})
    assert EVENTS[r.chosen].title == "Normalized cuts"


def test_arrows_clicks_and_run_go_through_time():
    widget = Static(MODEL, {"idea": "data", "pick": 0}, {})
    told = [widget.status]
    while True:
        before = widget.state
        widget.step()
        if widget.state is before:
            break
        told.append(widget.status)
    assert ["Caltech 101" in told[0], "PASCAL" in told[1], "1,431,167" in told[2], "2015" in told[3]] == [True] * 4
    assert len(told) == 4
    widget.point(Event("key", key="ArrowLeft"))
    assert "1,431,167" in widget.status
    x, y = places(compute(widget.state, {}))[INDEX["Caltech 101"]]
    widget.point(Event("down", x + 5, y - 3))
    assert "2004, Caltech 101" in widget.status


def test_the_quiz_knows_the_years():
    firsts = set()
    for question in range(20):
        r = compute(Look(mode="quiz", question=question), {})
        a, b = (EVENTS[i] for i in r.pair)
        assert a.year != b.year
        right = "A" if a.year < b.year else "B"
        firsts.add(right)
        hidden = Static(MODEL, {"mode": "quiz", "question": question}, {})
        assert a.when not in re.sub(r"<text[^>]*>(19|20)\d0</text>", "", hidden.picture)  # but for the ruler's decades
        good = Static(MODEL, {"mode": "quiz", "question": question, "answer": right}, {})
        bad = Static(MODEL, {"mode": "quiz", "question": question, "answer": "AB".replace(right, "")}, {})
        assert good.status.startswith("Right: ")
        assert bad.status.startswith("Not so: ")
        assert a.when in good.picture
    assert firsts == {"A", "B"}
