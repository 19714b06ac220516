#!/bin/sh
# Make an environment from a hashed lock file, and this project in it.
#   environment.sh PYTHON FOLDER LOCK
set -eu
python=$1 folder=$2 lock=$3
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed: none of python3, python3.13, python3.12" >&2
    echo "and python3.11 is; 'make PYTHON=/path/to/python ...' names another." >&2
    exit 1
fi
echo "making $folder from $lock with $("$python" -V) ..." >&2
rm -rf "$folder"
"$python" -m venv "$folder"
if command -v uv >/dev/null 2>&1; then
    uv pip install --quiet --python "$folder/bin/python" --require-hashes -r "$lock"
else
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes -r "$lock"
fi
# The project itself: its source folder on the path, its entry points, its command. That needs no
# build and downloads nothing.
site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
pwd >"$site/truthound-source.pth"
sed -i.bak 's|$|/src|' "$site/truthound-source.pth" && rm "$site/truthound-source.pth.bak"
"$folder/bin/python" scripts/metadata.py "$site"
cat >"$folder/bin/truthound" <<EOF
#!/bin/sh
exec "$(cd "$folder" && pwd)/bin/python" -m truthound "\$@"
EOF
chmod +x "$folder/bin/truthound"
