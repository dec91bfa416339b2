#!/bin/sh
# dclint over docker-compose.yml, where there is a Node that runs it. CI must have one.
set -eu
cd "$(dirname "$0")/../.."
program=.venv/tools/npm/node_modules/dclint/bin/dclint.cjs
if [ -e "$program" ] && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
    exec node "$program" --config .dclintrc.cjs --max-warnings 0 docker-compose.yml
fi
echo "dclint is left out: it needs Node 20.19 or newer and tests/tools (sh pingan/local/install.sh tools)." >&2
[ "${CI:-}" != true ]
