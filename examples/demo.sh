#!/bin/sh
# The quick start, from a built binary to an answered request. `demo.sh clean` takes it all away again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project="$here/quickstart"
wharf=${WHARF:?set WHARF to the wharf binary}
token="$project/.wharf/demo-token"

if [ "${1:-}" = clean ]; then
    if [ -d "$project/.wharf" ]; then
        "$wharf" -C "$project" destroy --yes
        rm -rf "$project/.wharf"
    fi
    echo "The demo left nothing behind."
    exit 0
fi

missing=
command -v python3 >/dev/null || missing="python3 python3-pip"
[ -n "$missing" ] || python3 -m pip --version >/dev/null 2>&1 || missing=python3-pip
if [ -n "$missing" ]; then
    echo "The demo needs $missing. Install it with:"
    echo "    sudo apt-get install -y $missing"
    exit 1
fi

if [ ! -s "$token" ]; then
    mkdir -p "$project/.wharf"
    (umask 077 && od -An -N20 -tx1 /dev/urandom | tr -d ' \n' >"$token")
fi
HELLO_TOKEN=$(cat "$token")
export HELLO_TOKEN

printf '\n$ wharf apply --yes\n'
"$wharf" -C "$project" apply --yes
printf '\n$ wharf invoke hello\n'
"$wharf" -C "$project" invoke hello
printf '\n$ wharf status\n'
"$wharf" -C "$project" status
cat <<EOF

It runs, and goes on when this shell is gone. To try next:

    cd examples/quickstart
    export HELLO_TOKEN="\$(cat .wharf/demo-token)" PATH="$(dirname "$wharf"):\$PATH"
    wharf logs -f hello            # what the instances write
    \$EDITOR wharf.kdl              # change GREETING, then:
    wharf plan                     # what would be done, and why
    wharf apply                    # a rolling update; no request fails
    make -C ../.. demo-clean       # take everything away again
EOF
