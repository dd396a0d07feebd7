"""Shell completion in the shells themselves: what bash, zsh and fish make of a line when Tab is pressed behind it.

    LLMGW_BINARY=build/dev/llm-gateway python3 -m pytest tests/e2e/completion_test.py
"""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from harness import commands, processes

PATIENCE = 60  # seconds; only a broken test comes near
SHELLS = ("bash", "zsh", "fish")
PROMPT = "READY> "


def search_path():
    return f"{os.path.dirname(os.path.abspath(processes.binary()))}:/usr/local/bin:/usr/bin:/bin"


# Tab does what it always does; Ctrl-T, read behind it, writes down what then stands on the line.
BASH_START = """
PS1='READY''> '
source <(llm-gateway completion bash)
written() { printf '%s' "$READLINE_LINE" > "$HOME/part" && mv "$HOME/part" "$HOME/line"; }
bind -x '"\\C-t": written'
"""
ZSH_START = """
PS1='READY''> '
autoload -Uz compinit && compinit
compdef _files started-before
source <(llm-gateway completion zsh)
source <(llm-gateway completion zsh)
written() { print -rn -- "$BUFFER" > "$HOME/part" && mv "$HOME/part" "$HOME/line"; }
zle -N written
bindkey '^T' written
"""


class Terminal:
    """A shell at a pseudo-terminal, started by its own start-up file, as a user's is."""

    def __init__(self, shell, home):
        if not shutil.which(shell):
            pytest.skip(f"{shell} is not installed: scripts/setup test does that")
        self.home = home
        start = home / (".bashrc" if shell == "bash" else ".zshrc")
        start.write_text(BASH_START if shell == "bash" else ZSH_START)
        environment = {"PATH": search_path(), "HOME": str(home), "TERM": "dumb",
                       "LANG": "C.UTF-8", "INPUTRC": "/dev/null", "ZDOTDIR": str(home)}
        arguments = ["bash", "--noprofile", "--rcfile", str(start), "-i"] if shell == "bash" else ["zsh", "-d", "-i"]
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.chdir(home)
            os.execvpe(shell, arguments, environment)
        self.pid = pid
        self.seen = ""
        self.shows(PROMPT)

    def shows(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            if not select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"no {text!r} in {self.seen!r}")
            self.seen += os.read(self.terminal, 65536).decode(errors="replace")
        self.seen = ""

    def says(self, command):
        """What a command prints."""
        answer = self.home / "answer"
        answer.unlink(missing_ok=True)
        self.send(f"{command} > answer.part 2>&1; mv answer.part answer\n")
        self.wait_for(answer)
        return answer.read_text()

    def tab(self, line):
        """The line after Tab."""
        written = self.home / "line"
        written.unlink(missing_ok=True)
        self.send(line + "\t\x14")
        self.wait_for(written)
        self.send("\x15")
        return written.read_text()

    def send(self, keys):
        os.write(self.terminal, keys.encode())

    def wait_for(self, file):
        """Reads on meanwhile: a shell whose terminal is full stands still."""
        deadline = time.monotonic() + PATIENCE
        while not file.exists():
            if select.select([self.terminal], [], [], 0.01)[0]:
                self.seen += os.read(self.terminal, 65536).decode(errors="replace")
            assert time.monotonic() < deadline, f"no {file.name}: {self.seen!r}"

    def close(self):
        os.close(self.terminal)  # hangs up, which ends an interactive shell
        os.waitpid(self.pid, 0)


class Fish:
    """fish says itself what it would offer. The line is completed as far as all that it offers agree."""

    def __init__(self, home):
        if not shutil.which("fish"):
            pytest.skip("fish is not installed: scripts/setup test does that")
        self.home = home

    def offers(self, line):
        script = 'llm-gateway completion fish | source; complete -C "$argv[1]"'
        run = subprocess.run(["fish", "--no-config", "-c", script, line], capture_output=True, text=True, check=True,
                             timeout=PATIENCE, cwd=self.home,
                             env={"PATH": search_path(), "HOME": str(self.home),
                                  "LANG": "C.UTF-8"})
        assert not run.stderr, run.stderr
        return sorted(offer.split("\t")[0] for offer in run.stdout.splitlines())

    def tab(self, line):
        offered = self.offers(line)
        word = os.path.commonprefix(offered) if offered else line.rpartition(" ")[2]
        return line.rpartition(" ")[0] + " " + word + (" " if len(offered) == 1 else "")

    def close(self):
        pass


@pytest.fixture(params=SHELLS)
def shell(request, tmp_path):
    (tmp_path / "gateway-of-mine.toml").touch()
    started = Fish(tmp_path) if request.param == "fish" else Terminal(request.param, tmp_path)
    yield started
    started.close()


def completed(shell, line):
    return shell.tab("llm-gateway " + line).removeprefix("llm-gateway ")


def test_commands_are_completed(shell):
    assert completed(shell, "conn") == "connection "
    assert completed(shell, "vkey ro") == "vkey rotate "
    assert completed(shell, "config import") == "config import-litellm "


def test_options_are_completed_and_what_they_take(shell):
    assert completed(shell, "ledger report --until") == "ledger report --until "
    assert completed(shell, "vkey update --budget-per") == "vkey update --budget-period "
    assert completed(shell, "vkey update --budget-period mo") == "vkey update --budget-period month "
    named = "connection add --name c --provider anth"
    assert completed(shell, named) == named + "ropic "
    assert completed(shell, "connection add --provider=anth") == "connection add --provider=anthropic "
    assert completed(shell, "admin-key add --role team") == "admin-key add --role team-admin "
    assert completed(shell, "ledger report -f cs") == "ledger report -f csv "
    assert completed(shell, "completion z") == "completion zsh "


def test_words_that_are_no_commands_do_not_lead_astray(shell):
    # A name before the options; values that are names of commands.
    assert completed(shell, "connection show main --conn") == "connection show main --conn-id "
    assert completed(shell, "vkey list --name model --na") == "vkey list --name model --name "
    assert completed(shell, "vkey show connection --vkey") == "vkey show connection --vkey-id "
    # No second subcommand behind the first: that was completed by its siblings.
    assert completed(shell, "vkey add unbl") == "vkey add unbl"


def test_what_a_setting_takes_is_a_file_where_nothing_else_is_known(shell):
    assert completed(shell, "serve --config gate") == "serve --config gateway-of-mine.toml "
    assert completed(shell, "config import-litellm gate") == "config import-litellm gateway-of-mine.toml "
    if not isinstance(shell, Fish):  # which always offers options to a word that begins like one
        # An option's name would be taken for the value.
        assert completed(shell, "serve --config --li") == "serve --config --li"


def test_zsh_keeps_what_was_said_before_ours(tmp_path):
    terminal = Terminal("zsh", tmp_path)
    try:
        assert terminal.says("print $_comps[started-before]") == "_files\n"
    finally:
        terminal.close()


def test_fish_offers_all_of_a_command_and_nothing_else(tmp_path):
    fish = Fish(tmp_path)
    assert fish.offers("llm-gateway vkey update --budget-period ") == ["day", "hour", "month", "week"]
    assert fish.offers("llm-gateway vkey ") == ["add", "block", "list", "remove", "rotate", "show", "unblock", "update"]
    assert fish.offers("llm-gateway completion ") == ["bash", "fish", "zsh"]
    assert {"serve", "vkey", "config"} <= set(fish.offers("llm-gateway "))


def test_every_command_is_completed_in_every_shell():
    top = re.compile(r"^  (\S+)  +\S", re.MULTILINE)
    shown = commands.run("--help").stdout
    names = top.findall(shown.partition("Subcommands:")[2])
    assert {"serve", "start", "stop", "reload", "status", "upgrade", "simulate", "config"} <= set(names)
    for shell in SHELLS:
        script = commands.run("completion", shell).stdout
        for name in names:
            assert re.search(rf"[' ]{re.escape(name)}[' \n]", script), (shell, name)
