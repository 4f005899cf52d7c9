"""`python3 -m config.bootstrap [COMMAND]`: make the environment of `manage.py COMMAND` and print its interpreter."""

import sys

from config.bootstrap import environment, failures_in_words, interpreters

if __name__ == "__main__":
    with failures_in_words():
        interpreters.leave_unsuited_python(
            ["-m", "config.bootstrap", *sys.argv[1:]],
            preferred=environment.interpreter(environment.CHECKOUT / ".venv"),
        )
        place, _ = environment.environment_for(sys.argv[1] if len(sys.argv) > 1 else "help")
        print(environment.interpreter(place))
