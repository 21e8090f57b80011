"""One word for one thing: an option is spelled and read alike in every command that has it."""

import argparse

import pytest

from d2pyg.cli.arguments import compare, explain, extend, graph, score, select, shrink, sweep


def actions():
    """The options of all commands, by name: the command and the action."""
    commands = argparse.ArgumentParser().add_subparsers()
    for command in (select, graph, extend, shrink, sweep, score, explain, compare):
        command.add_to(commands)
    found = {}
    for name, parser in commands.choices.items():
        for action in filter(lambda action: action.option_strings, parser._actions):
            found.setdefault(action.dest, []).append((name, action))
    return found


SHARED = {name: several for name, several in actions().items() if len(several) > 1}


@pytest.mark.parametrize("name", SHARED)
def test_an_option_is_the_same_in_every_command(name):
    spelled = {(*action.option_strings, action.metavar, action.nargs == 0) for _, action in SHARED[name]}
    assert len(spelled) == 1


@pytest.mark.parametrize("name", ["k", "gamma_forward", "gamma_reverse", "device", "backend", "metric"])
def test_an_option_has_one_default(name):
    defaults = {action.help.rpartition("(default ")[2].split(",")[0].rstrip(")") % vars(action)
                for _, action in SHARED[name]}  # fmt: skip
    assert len(defaults) == 1


def test_a_sweep_tries_a_flag_and_its_opposite():
    commands = argparse.ArgumentParser()
    sweep.add_to(commands.add_subparsers())
    words = ["sweep", "x.npy", "--out", "t.csv"]
    assert commands.parse_args([*words, "--clamp", "--no-clamp"]).clamp == [True, False]
    assert commands.parse_args([*words, "--no-clamp"]).clamp == [False]
    assert "clamp" not in commands.parse_args(words)
