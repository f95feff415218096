#!/bin/sh
# Makes the images of the tests out of this machine's Debian packages, as one OCI
# layout: a Debian with node, one with python, one with go, one with make, all on the same first
# layer; one of musl, one without a shell.
# usage: images.sh OUT-FOLDER HELLO   HELLO is a static program
set -eu
out=${1:?usage: images.sh OUT-FOLDER HELLO}
hello=${2:?usage: images.sh OUT-FOLDER HELLO}
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
layout=$work/layout
# config TAG OPTIONS...
config() {
	tag=$1
	shift
	umoci config --image "$layout:$tag" --no-history "$@"
}

# add FROM TAG FOLDER: the folder as one more layer.
add() {
	tar -C "$3" --owner=0 --group=0 --numeric-owner -cf "$work/layer.tar" .
	umoci raw add-layer --no-history --image "$layout:$1" --tag "$2" "$work/layer.tar"
	rm -f "$work/layer.tar"
}

apt() { apt-get -q -o Dir::State::status="$work/status" -o APT::Sandbox::User=root "$@"; }

# packages FROM TAG NAME...: packages and what they need, unpacked without their
# scripts, as one more layer.
packages() {
	from=$1 tag=$2
	shift 2
	root=$work/root-$tag deps=$work/debs-$tag
	mkdir -p "$root" "$deps"
	(cd "$deps" && for name in $(apt install -s -y --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\).*/\1/p'); do
		echo "$name"
	done | xargs apt-get download -q -o Dir::State::status="$work/status" -o APT::Sandbox::User=root >/dev/null)
	for deb in "$deps"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -C "$root" -x --keep-directory-symlink --exclude=./usr/share/doc \
			--exclude=./usr/share/man --exclude=./usr/share/locale
	done
	# Debian's folders of the root are links: a layer does not replace them.
	for dir in bin sbin lib lib64; do
		[ -d "$root/$dir" ] || continue
		mkdir -p "$root/usr/$dir"
		cp -a "$root/$dir/." "$root/usr/$dir/"
		rm -rf "${root:?}/$dir"
	done
	add "$from" "$tag" "$root"
	rm -rf "$root" "$deps"
}

# The first layer is the default lane image, which is Debian's own packages.
mkdir "$work/image"
incus image export default "$work/image/default" --project "${PUSHLANE_INCUS_PROJECT:-pushlane}" >/dev/null
unsquashfs -q -n -d "$work/base" "$work/image/default.root" >/dev/null
cp "$work/base/var/lib/dpkg/status" "$work/status"
# No image has devices: a container brings its own.
find "$work/base/dev" -mindepth 1 -delete

umoci init --layout "$layout"
umoci new --image "$layout:empty"
add empty debian "$work/base"
config debian --config.cmd bash
# This machine's node with its npm: Debian's npm needs some 400 packages.
npm=$(npm root -g)/npm
if [ -e "$npm/bin/npm-cli.js" ]; then
	root=$work/root-node
	mkdir -p "$root/usr/bin" "$root/usr/lib/node_modules"
	cp "$(readlink -f "$(command -v node)")" "$root/usr/bin/node"
	cp -a "$npm" "$root/usr/lib/node_modules/npm"
	ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"
	ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/bin/npx"
	add debian node "$root"
	rm -rf "$root"
else
	packages debian node nodejs npm
fi
config node --config.env NODE_VERSION=18 --config.entrypoint node --config.workingdir /app --config.user 1000:1000
packages debian python python3
mkdir -p "$work/python/usr/bin"
ln -s python3 "$work/python/usr/bin/python"
add python python "$work/python"
config python --config.env PYTHON=3 --config.cmd python3
mkdir -p "$work/make/usr/bin"
cp /usr/bin/make "$work/make/usr/bin/make"
add debian build "$work/make"
packages debian go golang-go
config go --config.env GOTOOLCHAIN=local --config.env GOFLAGS=-mod=mod --config.env CGO_ENABLED=0

# Of musl: its loader, busybox as the shell, no bash.
root=$work/musl
mkdir -p "$root/bin" "$root/lib" "$root/etc" "$root/tmp"
cp /lib/ld-musl-*.so.1 "$root/lib/" 2>/dev/null || cp -L /lib/*-linux-musl/libc.so "$root/lib/libc.musl.so"
cp /bin/busybox "$root/bin/busybox"
for name in sh ls cat echo; do ln -s busybox "$root/bin/$name"; done
printf '#include <stdio.h>\nint main(void) { puts("hello from musl"); return 0; }\n' >"$work/hello.c"
musl-gcc -o "$root/bin/hello" "$work/hello.c"
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
printf 'NAME="Like Alpine"\n' >"$root/etc/os-release"
add empty musl "$root"
config musl --config.cmd /bin/sh

# Without a shell.
root=$work/none
mkdir -p "$root/etc"
cp "$hello" "$root/hello"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n' >"$root/etc/passwd"
add empty none "$root"
config none --config.entrypoint /hello --config.cmd world --config.user nonroot --config.env GREETING=good

umoci gc --layout "$layout"
mkdir -p "$(dirname "$out")"
rm -rf "$out"
mv "$layout" "$out"
