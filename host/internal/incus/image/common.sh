# shellcheck shell=sh
# What every lane image has, whatever it is made of. Read by the scripts
# next to this one, not run.

# finish_rootfs ROOT: a tiny init that reaps orphans and does nothing else, a
# place for the source.
finish_rootfs() {
	root=$1
	mkdir -p "$root/etc" "$root/work" "$root/sbin"
	rm -f "$root/sbin/init"
	ln -s /bin/busybox "$root/sbin/init"
	printf '::sysinit:/bin/busybox true\n' >"$root/etc/inittab"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
	# Written at start: the name by Incus, the resolver where a lane has a network.
	for file in hostname resolv.conf; do
		[ -e "$root/etc/$file" ] || : >"$root/etc/$file"
	done
}

# image_arch: the machine's name as Incus writes it.
image_arch() { uname -m; }

# write_metadata OUT NAME DESCRIPTION
write_metadata() {
	dir=$(mktemp -d)
	cat >"$dir/metadata.yaml" <<END
architecture: $(image_arch)
creation_date: ${SOURCE_DATE_EPOCH:-$(date +%s)}
properties:
  os: pushlane
  name: $2
  architecture: $(image_arch)
  description: "$3"
END
	tar -C "$dir" --owner=0 --group=0 --numeric-owner -cf "$1/metadata.tar" metadata.yaml
	rm -rf "$dir"
}

# pack_image ROOT OUT NAME DESCRIPTION
pack_image() {
	write_metadata "$2" "$3" "$4"
	rm -f "$2/rootfs.squashfs"
	mksquashfs "$1" "$2/rootfs.squashfs" -quiet -no-progress -noappend -comp zstd >/dev/null
}
