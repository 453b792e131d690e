"""Help, examples, near misses and completion of the command line."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from nasoa.cli import main
from nasoa.cli.completion import SHELLS
from nasoa.cli.examples import EXAMPLES
from nasoa.cli.main import build_parser
from nasoa.errors import InvalidInput


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and those of all its verbs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from parsers(verb)


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line with which a command line is refused."""
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_every_argument_has_help() -> None:
    """More than its default value."""
    missing = [
        (parser.prog, action.dest)
        for parser in parsers(build_parser())
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction)
        if not action.help or action.help.startswith("default")
    ]
    assert missing == []


def test_every_verb_has_help() -> None:
    for parser in parsers(build_parser()):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                assert {choice.dest for choice in action._choices_actions} == set(action.choices)
                assert all(choice.help for choice in action._choices_actions)


def test_every_command_has_an_example_and_every_example_a_command() -> None:
    assert {parser.prog for parser in parsers(build_parser())} == set(EXAMPLES)


@pytest.mark.parametrize("prog", EXAMPLES)
def test_examples_are_valid_and_shown_whole(prog: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*prog.split()[1:], "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out.splitlines()
    for line in EXAMPLES[prog]:
        assert f"  {line}" in shown
        command = line.rpartition("| ")[2].partition(" > ")[0]
        arguments = shlex.split(command)
        assert command.startswith(prog)
        assert callable(build_parser().parse_args(arguments[1:]).run)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("finetun x", "unknown verb 'finetun': did you mean finetune?"),
        ("zoo lst", "unknown verb 'lst': did you mean list?"),
        (
            "finetune x --time-limt 5s",
            "unknown option of nasoa finetune '--time-limt': did you mean --time-limit",
        ),
        ("predict m x --formt=csv", "option of nasoa predict '--formt': did you mean --format"),
        ("finetune x --time-limit 9s --clock stps", "unknown --clock 'stps': did you mean steps?"),
        ("export m --format onx", "unknown --format 'onx': did you mean onnx?"),
        ("completion fsh", "unknown shell 'fsh': did you mean fish"),
        ("finetune x", "arguments are required: --time-limit; see nasoa finetune --help"),
        ("zoo show ET-NAS-A -z", "unrecognized arguments: -z; see nasoa"),
    ],
)
def test_near_misses_are_suggested(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(line, capsys)


@pytest.mark.parametrize(
    "line",
    [
        "finetune photos --time-l 5s",  # an abbreviation
        "finetune photos --time-limit=5s --explore=-1",
        "predict model -- --strange-name.jpg",
        "pipeline run finetune-task -p data=--strange",
    ],
)
def test_options_that_exist_are_taken(line: str) -> None:
    assert callable(build_parser().parse_args(line.split()).run)


@pytest.mark.parametrize(
    "line",
    [
        "--store x zoo list --json",
        "--json --store=x zoo list",
        "zoo --store x --json list",
        "--json zoo --store x list",
        "zoo list --json --store x",
        "--store other --json zoo list --store x",  # the last one counts, as usual
        "--js --sto x zoo list",  # abbreviations
    ],
)
def test_options_of_every_verb_may_come_first(line: str) -> None:
    found = build_parser().parse_args(line.split())
    assert (found.store, found.json, found.verbose) == ("x", True, False)
    assert found.run.__name__ == "run_list"


def test_every_verb_has_the_options_that_may_come_first() -> None:
    for parser in parsers(build_parser()):
        if not any(isinstance(a, argparse._SubParsersAction) for a in parser._actions):
            assert {"--json", "--store", "--verbose"} <= set(parser._option_string_actions)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--seed 5 finetune x", "put it after the verb, like: nasoa VERB --seed"),
        ("zoo --encoding x add y", "put it after the verb, like: nasoa zoo VERB --encoding"),
        ("-o x report", "expected a verb before -o"),
        ("--jsn zoo list", "unknown option of nasoa '--jsn': did you mean --json"),
        ("--store x", "arguments are required: VERB"),
        ("--store x finetun y", "unknown verb 'finetun': did you mean finetune?"),
        ("--store", "arguments are required: VERB"),
        ("zoo --json lst", "unknown verb 'lst': did you mean list?"),
    ],
)
def test_other_options_follow_the_verb(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(line, capsys)


@pytest.mark.parametrize("line", ["--json --help", "--store x zoo --help", "--version"])
def test_help_and_version_may_come_after_them(line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 0


def test_a_value_that_looks_like_an_option_is_one() -> None:
    with pytest.raises(InvalidInput, match="unknown option of nasoa predict '--out-file'"):
        build_parser().parse_args(["predict", "m", "x", "--out-file", "a.csv"])


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def test_bash_completes_verbs_options_choices_and_files(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("completion")
    (folder / "nasoa.bash").write_text(script("bash", capsys))
    (folder / "photos").mkdir()
    (folder / "flowers.zip").touch()

    def completed(*words: str) -> set[str]:
        quoted = " ".join(map(shlex.quote, words))
        code = (
            "source nasoa.bash; "
            f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
            'function="$(complete -p nasoa | sed "s/.*-F \\([^ ]*\\) .*/\\1/")"; '
            '"$function"; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "-c", code], cwd=folder, capture_output=True, text=True, check=True
        )
        return set(done.stdout.split())

    assert {"finetune", "recommend", "completion"} <= completed("nasoa", "")
    assert completed("nasoa", "fin") == {"finetune"}
    assert completed("nasoa", "zoo", "pro") == {"profile"}
    assert "--time-limit" in completed("nasoa", "finetune", "--ti")
    assert completed("nasoa", "finetune", "--clock", "s") == {"steps"}
    assert "flowers.zip" in completed("nasoa", "finetune", "fl")
    assert completed("nasoa", "pipeline", "run", "fin") == {"finetune-task", "finetune-images"}
    assert completed("nasoa", "zoo", "show", "ET-NAS-B") == {"ET-NAS-B"}
    assert "efficientnet-lite0" in completed("nasoa", "recommend", "--model", "eff")
    # The command line itself takes other names.
    assert build_parser().parse_args(["zoo", "show", "my-model"]).model == "my-model"


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_valid(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = script(shell, capsys)
    assert "time-limit" in text
    assert main(["completion", shell, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"shell": shell, "script": text[:-1]}
    if shutil.which(shell):
        path = tmp_path_factory.mktemp("script") / "nasoa"
        path.write_text(text)
        check = [shell, "--no-execute" if shell == "fish" else "-n", str(path)]
        subprocess.run(check, check=True)
