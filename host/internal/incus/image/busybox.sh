#!/bin/sh
# Makes a container image of Debian's static busybox alone, in a second: for
# tests, for the demo, and for lanes that need nothing but a shell.
# usage: busybox.sh OUT-FOLDER   writes OUT-FOLDER/{metadata.tar,rootfs.squashfs}
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=${1:?usage: busybox.sh OUT-FOLDER}
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/rootfs
mkdir -p "$root"
busybox=$(command -v busybox)
for dir in bin sbin usr/bin usr/sbin etc proc sys dev run root home/lane var/tmp tmp work; do
	mkdir -p "$root/$dir"
done
cp "$busybox" "$root/bin/busybox"
"$busybox" --list-full | while read -r applet; do
	mkdir -p "$root/$(dirname "$applet")"
	[ -e "$root/$applet" ] || ln -s /bin/busybox "$root/$applet"
done
chmod 700 "$root/root"
chmod 1777 "$root/tmp" "$root/var/tmp"
chown 1000:1000 "$root/home/lane"
cat >"$root/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
lane:x:1000:1000:lane:/home/lane:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
END
printf 'root:x:0:\nlane:x:1000:\nnogroup:x:65534:\n' >"$root/etc/group"
# shellcheck source=host/internal/incus/image/common.sh
. "$here/common.sh"
finish_rootfs "$root"
pack_image "$root" "$out" busybox "busybox $("$busybox" | head -n 1 | cut -d ' ' -f 2)"
