#!/bin/sh
# Makes the default lane image out of the machine's own Debian or Ubuntu
# packages: git, make, ca-certificates, a shell, no service and no init system.
# usage: default.sh OUT-FOLDER   writes OUT-FOLDER/{metadata.tar,rootfs.squashfs}
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=${1:?usage: default.sh OUT-FOLDER}
mkdir -p "$out"
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
root=$work/rootfs
# shellcheck source=/dev/null
. /etc/os-release
packages=busybox-static,ca-certificates,git,make

# sources: the machine's own package sources for its own release, and no
# others: a third party's repository has no place in the image.
sources() {
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*debian.sources /etc/apt/sources.list.d/ubuntu.sources; do
		[ ! -s "$file" ] || echo "$file"
	done
}

with_mmdebstrap() {
	conf=$work/apt.conf
	# A proxy and its certificates are part of how this machine reaches packages.
	apt-config dump | grep -E '^Acquire::.*(Proxy|Verify-Peer|CaInfo|CAInfo)' >"$conf" || :
	# shellcheck disable=SC2046
	mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" --aptopt="$conf" \
		--dpkgopt=path-exclude=/usr/share/doc/* --dpkgopt=path-exclude=/usr/share/man/* \
		--dpkgopt=path-exclude=/usr/share/locale/* --dpkgopt=path-exclude=/usr/share/info/* \
		"$VERSION_CODENAME" "$root" $(sources)
}

with_debootstrap() {
	mirror=$(apt-cache policy base-files | sed -n 's/^ *[0-9-]* \([a-z+]*:[^ ]*\) .*/\1/p' | head -n 1)
	debootstrap --variant=minbase --include="$packages" "$VERSION_CODENAME" "$root" "$mirror" >"$work/log" ||
		{ tail -n 20 "$work/log" >&2; return 1; }
}

if command -v mmdebstrap >/dev/null && [ -n "$(sources)" ]; then
	with_mmdebstrap || { rm -rf "$root"; with_debootstrap; }
else
	with_debootstrap
fi
grep -q '^lane:' "$root/etc/passwd" || {
	echo 'lane:x:1000:1000:lane:/home/lane:/bin/bash' >>"$root/etc/passwd"
	echo 'lane:!:19000:0:99999:7:::' >>"$root/etc/shadow"
	echo 'lane:x:1000:' >>"$root/etc/group"
}
mkdir -p "$root/home/lane"
chown 1000:1000 "$root/home/lane"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/tmp/*
# shellcheck source=host/internal/incus/image/common.sh
. "$here/common.sh"
finish_rootfs "$root"
pack_image "$root" "$out" default "$PRETTY_NAME with git, make and ca-certificates"
