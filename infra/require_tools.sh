#!/bin/sh
# Check that what `make setup` cannot install itself is there and new enough: Python 3.11, Java 17, Maven 3.6.
# Names everything that is wrong at once, and what to install. Usage: require_tools.sh PYTHON
python=$1
wrong=0

complain() {
    echo "setup: $1" >&2
    wrong=1
}

# "11" of "1.8.0_292", "17" of "17.0.15".
major() {
    echo "$1" | sed 's/^1\.//; s/[^0-9].*//'
}

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
if [ -z "$version" ]; then
    complain "Python 3.11 is missing ($python does not run). Install it (Debian: apt install python3.11 python3.11-venv; macOS: brew install python@3.11), or name yours: make PYTHON=/path/to/python3.11"
elif [ "$version" != "3.11" ]; then
    complain "$python is Python $version, and 3.11 is needed. Install it, or name yours: make PYTHON=/path/to/python3.11"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    complain "$python cannot make virtual environments. Install its venv module (Debian: apt install python3.11-venv)"
fi

if [ -n "$JAVA_HOME" ]; then java=$JAVA_HOME/bin/java; else java=java; fi
version=$("$java" -version 2>&1 | sed -n 's/.* version "\([^"]*\)".*/\1/p' | head -n 1)
if [ -z "$version" ]; then
    complain "Java 17 is missing ($java does not run). Install it (Debian: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17) and put it on the PATH, or let JAVA_HOME name its folder"
elif [ "$(major "$version")" -lt 17 ]; then
    complain "$java is Java $version, and 17 or newer is needed. Install it (Debian: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17) and put it first on the PATH, or let JAVA_HOME name its folder"
fi

version=$(mvn -version 2>/dev/null | sed -n 's/.*Apache Maven \([0-9.]*\).*/\1/p' | head -n 1)
if [ -z "$version" ]; then
    # Without Java, Maven does not run either, and Java was named above.
    if ! command -v mvn >/dev/null || [ "$wrong" -eq 0 ]; then
        complain "Maven is missing (mvn does not run). Install it (Debian: apt install maven; macOS: brew install maven)"
    fi
elif ! echo "$version" | awk -F. '{ exit !($1 > 3 || ($1 == 3 && $2 >= 6)) }'; then
    complain "mvn is Maven $version, and 3.6 or newer is needed. Install a newer one (Debian: apt install maven; macOS: brew install maven)"
fi

exit $wrong
