# shellcheck shell=sh
# What every lane image has, whatever it is made of. Read by the scripts
# beside this one, not run.

# finish_rootfs ROOT: a tiny init that reaps orphans and does nothing else, an
# address from DHCP where a lane has a network, a place for the source.
finish_rootfs() {
	root=$1
	mkdir -p "$root/etc" "$root/work" "$root/sbin" "$root/usr/share/udhcpc"
	rm -f "$root/sbin/init"
	ln -s /bin/busybox "$root/sbin/init"
	printf '::sysinit:/bin/busybox true\n' >"$root/etc/inittab"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
	cat >"$root/usr/share/udhcpc/default.script" <<'END'
#!/bin/busybox sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
/bin/busybox ip addr add "$ip/${mask:-24}" dev "$interface"
for gw in $router; do
	/bin/busybox ip route add default via "$gw" dev "$interface" && break
done
for ns in $dns; do echo "nameserver $ns"; done >/etc/resolv.conf
END
	chmod 755 "$root/usr/share/udhcpc/default.script"
	# Incus binds these from the host at start and wants them to exist.
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
