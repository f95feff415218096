#!/usr/bin/env bash
# Builds and installs pushlane, and gives it an Incus to run containers in.
# Can be run again at any time: existing parts are left as they are.
# "a && b || die" is meant as it reads: die ends the script.
# shellcheck disable=SC2015
set -euo pipefail
umask 022 # pushlane uses nothing that others may write
cd "$(dirname "$0")"

usage() {
	cat <<'END'
usage: ./install.sh [options]

Builds pushlane and its plugins, installs Incus if it is missing, and creates
a restricted project, a storage pool and two images for pushlane in it. Lanes
can be granted a list of names as their network, through a proxy of this host.
Manual pages and the completion of bash, zsh and fish come with the programs.

Without root it installs in ~/.local, and uses an Incus that this user may use.
If there is none, lanes without containers work.

  --prefix DIR          install programs and plugins in DIR (root: /usr/local, else ~/.local)
  --no-incus            only programs and plugins; lanes without containers work
  --incus-only          only Incus
  --no-image            do not build images
  --network             create a bridge that lanes with network = true can use
  --remote URL --cert FILE --key FILE [--server-cert FILE]
                        use the Incus at URL with this client certificate
  --uninstall           remove what earlier runs with this prefix created, and nothing else
  --help
END
}

step() { printf '==> %s\n' "$*"; }

# die WHAT HINT
die() {
	printf 'pushlane: error: cannot %s\n' "$1" >&2
	printf 'pushlane: hint: %s\n' "$2" >&2
	exit 1
}

root() { [ "$(id -u)" = 0 ]; }

# ---------------------------------------------------------------- arguments

prefix='' incus=local image=yes network=no build=yes action=install
remote='' cert='' key='' server_cert=''
value() { [ $# -ge 2 ] && [ -n "$2" ] || die "read the arguments: $1 needs a value" './install.sh --help'; }
while [ $# -gt 0 ]; do
	case $1 in
	--prefix) value "$@"; prefix=$2; shift ;;
	--remote) value "$@"; remote=$2 incus=remote; shift ;;
	--cert) value "$@"; cert=$2; shift ;;
	--key) value "$@"; key=$2; shift ;;
	--server-cert) value "$@"; server_cert=$2; shift ;;
	--no-incus) incus=none ;;
	--incus-only) build=no ;;
	--no-image) image=no ;;
	--network) network=yes ;;
	--uninstall) action=uninstall ;;
	--help | -h) usage; exit 0 ;;
	*) die "read the arguments: unknown option $1" './install.sh --help' ;;
	esac
	shift
done

if root; then
	prefix=${prefix:-/usr/local}
	home=/var/lib/pushlane config=/etc/pushlane/config.toml
else
	prefix=${prefix:-$HOME/.local}
	home=${XDG_DATA_HOME:-$HOME/.local/share}/pushlane
	config=${XDG_CONFIG_HOME:-$HOME/.config}/pushlane/config.toml
fi
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
state=$prefix/lib/pushlane/install.state
project=pushlane pool=pushlane bridge=pushlane0
pidfile=/run/pushlane-incusd.pid
export DEBIAN_FRONTEND=noninteractive

# The state file of a prefix says what this script made for it, one "kind value"
# per line in the order of making. Uninstalling reads it backwards.
made() {
	mkdir -p "${state%/*}"
	grep -qxF "$1 $2" "$state" 2>/dev/null || printf '%s %s\n' "$1" "$2" >>"$state"
}

# adopt: earlier versions had one record for all prefixes. What belongs to this
# one moves to its own: its files, and for the default prefix all that is not a
# program or plugin of another.
adopt() {
	local old=$home/install.state mine rest default=/usr/local
	[ -s "$old" ] || return 0
	root || default=$HOME/.local
	mine=$(mktemp) rest=$(mktemp)
	awk -v prefix="$prefix" -v default="$default" -v mine="$mine" -v rest="$rest" '
		index($0, "file " prefix "/") == 1 { print >mine; next }
		prefix == default && !/^file .*\/(bin\/pushlane[^\/]*|lib\/pushlane\/.*)$/ { print >mine; next }
		{ print >rest }' "$old"
	while read -r kind value; do made "$kind" "$value"; done <"$mine"
	cat "$rest" >"$old"
	[ -s "$old" ] || { rm -f "$old"; rmdir --ignore-fail-on-non-empty "$home" 2>/dev/null || :; }
	rm -f "$mine" "$rest"
}

# ------------------------------------------------------ programs and plugins

find_go() {
	command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin:$HOME/go/bin
	command -v go >/dev/null ||
		die 'build pushlane: there is no go command' 'install Go 1.26 or later, or a recent package golang-go'
}

# put FILE DIR NAME: into place in one step, so that a running program is
# never half replaced.
put() {
	mkdir -p "$2" && mv -f "$1" "$2/$3" || die "write $2/$3" "choose another folder with --prefix, or run as root"
	made file "$2/$3"
}

build_programs() {
	local tmp=$1 name
	for name in pushlane pushlane-hook pushlane-plugin; do
		step "build $name"
		CGO_ENABLED=0 go build -trimpath -buildvcs=auto -o "$tmp/$name" "./host/cmd/$name" ||
			die "build $name" 'read the messages above; Go modules must be reachable once (go env GOPROXY)'
	done
}

# Every folder of plugins/ that has a manifest is one.
plugin_names() {
	local manifest
	for manifest in plugins/*/manifest.toml; do basename "${manifest%/manifest.toml}"; done
}

build_plugins() {
	local tmp=$1 name
	for name in $(plugin_names); do
		step "build plugin $name"
		GOOS=wasip1 GOARCH=wasm go build -trimpath -buildvcs=false -o "$tmp/$name.raw" "./plugins/$name" ||
			die "build plugin $name" 'read the messages above'
		"$tmp/pushlane" plugin pack --manifest "plugins/$name/manifest.toml" "$tmp/$name.raw" "$tmp/$name.wasm" ||
			die "pack plugin $name" "check plugins/$name/manifest.toml"
	done
}

# build_texts: the manual and the completion, as the program itself writes them.
build_texts() {
	local tmp=$1 shell
	step 'write the manual pages and the completion of bash, zsh and fish'
	"$tmp/pushlane" man "$tmp/man" || die 'write the manual pages' 'check the space in the prefix: df -h'
	for shell in bash zsh fish; do
		"$tmp/pushlane" completion "$shell" >"$tmp/completion.$shell" ||
			die "write the completion of $shell" 'check the space in the prefix: df -h'
	done
}

put_texts() {
	local tmp=$1 page
	for page in "$tmp"/man/*.1; do put "$page" "$prefix/share/man/man1" "${page##*/}"; done
	put "$tmp/completion.bash" "$prefix/share/bash-completion/completions" pushlane
	put "$tmp/completion.zsh" "$prefix/share/zsh/site-functions" _pushlane
	put "$tmp/completion.fish" "$prefix/share/fish/vendor_completions.d" pushlane.fish
}

install_programs() {
	local tmp name
	find_go
	mkdir -p "$prefix" 2>/dev/null && [ -w "$prefix" ] ||
		die "write to $prefix" 'choose another folder with --prefix, or run as root'
	# Beside its target, so that putting a file into place is a rename.
	tmp=$(mktemp -d "$prefix/.pushlane-build.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$tmp'" EXIT
	build_programs "$tmp"
	build_plugins "$tmp"
	build_texts "$tmp"
	step "install programs in $prefix/bin, plugins in $prefix/lib/pushlane/plugins"
	for name in pushlane pushlane-hook pushlane-plugin; do put "$tmp/$name" "$prefix/bin" "$name"; done
	for name in $(plugin_names); do put "$tmp/$name.wasm" "$prefix/lib/pushlane/plugins" "$name.wasm"; done
	sed "s|/usr/local|$prefix|" host/pushlane.service > "$tmp/pushlane.service" # for a git server
	put "$tmp/pushlane.service" "$prefix/lib/pushlane" pushlane.service
	put_texts "$tmp"
	rm -rf "$tmp"
	case :$PATH: in *:$prefix/bin:*) ;; *) step "note: $prefix/bin is not in PATH" ;; esac
}

# -------------------------------------------------------------- Incus itself

incusd_path() {
	local path
	for path in /usr/libexec/incus/incusd /usr/lib/incus/incusd /opt/incus/bin/incusd "$(command -v incusd || :)"; do
		[ ! -x "$path" ] || { echo "$path"; return; }
	done
	return 1
}

have() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# add_backports: Debian 12 has Incus in its backports. The suite is added the
# way the machine's own sources are written: same server, same key.
add_backports() {
	local uri key file=/etc/apt/sources.list.d/pushlane-backports.sources
	! sources | grep -q '^bookworm-backports ' || return 0
	uri=$(sources | sed -n 's/^bookworm //p' | head -n 1)
	[ -n "$uri" ] ||
		die 'add bookworm-backports: no Debian source found below /etc/apt' \
			'add the suite bookworm-backports yourself and run this again'
	key=$({ grep -hs '^Signed-By: */' /etc/apt/sources.list.d/*debian*.sources || :; } | sed -n '1s/^Signed-By: *//p')
	step 'add the package suite bookworm-backports'
	printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\nSigned-By: %s\n' \
		"$uri" "${key:-/usr/share/keyrings/debian-archive-keyring.gpg}" >"$file"
	made apt-source "$file"
	apt_update
}

# sources: release and address of every package source, as apt reads them.
sources() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | sort -u
}

apt_update() {
	step 'update the lists of packages'
	apt-get update -q >/dev/null 2>&1 || die 'update the lists of packages' 'see the messages of: apt-get update'
}

# apt_install [-t SUITE] PACKAGE...: and note which packages it brought.
apt_install() {
	local before after log
	before=$(mktemp) after=$(mktemp) log=$(mktemp)
	installed_packages >"$before"
	apt-get install -y -q --no-install-recommends "$@" >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		die "install packages: $*" 'read the messages above; apt-get update must work on this machine'
	}
	installed_packages >"$after"
	comm -13 "$before" "$after" | while read -r name; do made package "$name"; done
	rm -f "$before" "$after" "$log"
}

installed_packages() { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p' | sort -u; }

wanted_packages() {
	local name
	for name in "$@"; do have "$name" || echo "$name"; done
}

install_packages() {
	local missing suite=() names=(btrfs-progs busybox-static mmdebstrap squashfs-tools)
	[ "$network" = no ] || names+=(dnsmasq-base nftables)
	incusd_path >/dev/null || names+=(incus-base)
	command -v incus >/dev/null || names+=(incus-client)
	missing=$(wanted_packages "${names[@]}" | xargs)
	[ -n "$missing" ] || return 0
	root || die "install packages: $missing: you are not root" 'sudo ./install.sh, or leave Incus out with --no-incus'
	command -v apt-get >/dev/null ||
		die 'install Incus: this is neither Debian nor Ubuntu' \
			'install Incus 6 yourself and run this again, or use --remote or --no-incus'
	# shellcheck source=/dev/null
	. /etc/os-release
	apt_update
	if [ "$VERSION_CODENAME" = bookworm ]; then
		add_backports
		suite=(-t bookworm-backports)
	fi
	incusd_path >/dev/null || apt-cache show incus-base >/dev/null 2>&1 ||
		die "install Incus: ${PRETTY_NAME:-this system} has no package incus-base" \
			'Debian 12 or later, Ubuntu 24.04 or later (universe); or use --remote or --no-incus'
	step "install packages: $missing"
	# shellcheck disable=SC2086
	apt_install ${suite[@]+"${suite[@]}"} $missing
}

has_systemd() { [ -d /run/systemd/system ]; }

answers() { timeout 20 incus query /1.0 >/dev/null 2>&1; }

start_incus() {
	! answers || return 0
	root || die 'reach Incus: it does not respond, or you are not in the group incus-admin' \
		"sudo usermod -aG incus-admin $(id -un) and log in again, or sudo ./install.sh"
	if has_systemd; then
		step 'start Incus (systemd)'
		systemctl enable --now incus.socket incus.service >/dev/null 2>&1 || systemctl start incus ||
			die 'start Incus' 'see: journalctl -u incus'
	else
		start_by_hand
	fi
	"$(incusd_path)" waitready --timeout=60 || die 'start Incus: not ready after 60 seconds' 'see /var/log/incus/incus.log'
}

# start_by_hand: no systemd on this machine, so incusd gets a separate session.
start_by_hand() {
	step 'start Incus (no systemd: incusd in a separate session, log /var/log/incus/incus.log)'
	mkdir -p /var/log/incus
	grep -q '^root:' /etc/subuid || { echo root:1000000:1000000000 >>/etc/subuid; made subid /etc/subuid; }
	grep -q '^root:' /etc/subgid || { echo root:1000000:1000000000 >>/etc/subgid; made subid /etc/subgid; }
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup ||
		die 'mount the control groups' 'mount cgroup2 on /sys/fs/cgroup'
	getent group incus-admin >/dev/null || groupadd --system incus-admin
	# shellcheck disable=SC2016
	setsid sh -c 'echo $$ >"$1"; exec "$2" --group incus-admin --logfile=/var/log/incus/incus.log' \
		sh "$pidfile" "$(incusd_path)" </dev/null >>/var/log/incus/incusd.out 2>&1 &
	made daemon "$pidfile"
}

# ------------------------------------------------- what pushlane has in Incus

# try WHAT COMMAND...: its own words when it fails.
try() {
	local what=$1 out
	shift
	out=$("$@" 2>&1) ||
		die "$what: $(echo "$out" | tail -n 3 | tr '\n' ' ')" 'pushlane doctor; the log of Incus is /var/log/incus/incus.log'
}

there() { incus "$1" show "$2" >/dev/null 2>&1; }

make_pool() {
	! there storage "$pool" || return 0
	local free size
	free=$(df -P -k /var/lib/incus 2>/dev/null | awk 'NR==2 {print int($4/1048576)}')
	size=$((${free:-0} / 3))
	[ "$size" -le 100 ] || size=100
	if [ "$size" -ge 5 ] && command -v mkfs.btrfs >/dev/null; then
		step "create the storage pool $pool: btrfs, in a file that may grow to $size GiB"
		if incus storage create "$pool" btrfs size="${size}GiB" >/dev/null 2>&1; then
			made pool "$pool"
			return 0
		fi
		step 'no btrfs on this machine, using a plain folder'
	fi
	step "create the storage pool $pool: dir (slower, and without limits on disk)"
	try "make the storage pool $pool" incus storage create "$pool" dir
	made pool "$pool"
}

# free_subnet: one that this machine has no route to.
free_subnet() {
	local n
	for n in 71 113 157 199 241; do
		ip -4 route 2>/dev/null | grep -qF "10.217.$n." || { echo "10.217.$n.1/24"; return; }
	done
	echo auto
}

make_network() {
	[ "$network" = yes ] || return 0
	there network "$bridge" || {
		step "create the network $bridge"
		try "make the network $bridge" \
			incus network create "$bridge" ipv6.address=none ipv4.nat=true ipv4.address="$(free_subnet)"
		made network "$bridge"
	}
}

# proxies: how a container reaches the host's proxy, and the names that its lane
# lists. Who may make proxy devices reaches every socket of this machine as root:
# not those who have a certificate that is restricted to projects.
proxies() {
	if incus query '/1.0/certificates?recursion=1' 2>/dev/null | grep -q '"restricted": true'; then
		echo block
	else
		echo allow
	fi
}

# project_keys: what nothing in the project may go beyond. pushlane checks
# every request itself before Incus sees it; this is the second wall.
project_keys() {
	cat <<END
restricted.devices.proxy=$(proxies)
restricted=true
restricted.devices.disk=managed
restricted.devices.disk.paths=
restricted.devices.nic=$([ "$1" = yes ] && echo managed || echo block)
restricted.networks.access=$([ "$1" = yes ] && echo "$bridge")
restricted.containers.privilege=isolated
restricted.containers.nesting=block
restricted.containers.lowlevel=block
restricted.containers.interception=block
restricted.virtual-machines.lowlevel=block
restricted.devices.gpu=block
restricted.devices.infiniband=block
restricted.devices.pci=block
restricted.devices.unix-block=block
restricted.devices.unix-char=block
restricted.devices.unix-hotplug=block
restricted.devices.usb=block
restricted.snapshots=block
restricted.backups=block
limits.virtual-machines=0
END
}

# limit_keys: how much everything in the project may ask for together, derived
# from the machine. It is the sum of what containers may take, not of what they
# do take, so it is far above the machine: a wall against what does not end. No
# limit on disk where the pool has none.
limit_keys() {
	local containers memory
	containers=$((32 + 8 * $(nproc)))
	memory=$(awk '/^MemTotal:/ {print int($2 / 1048576) * 4}' /proc/meminfo)
	[ "$memory" -ge 64 ] || memory=64
	cat <<END
limits.containers=$containers
limits.memory=${memory}GiB
limits.processes=$((containers * 2048))
END
	[ "$(incus storage show "$pool" 2>/dev/null | sed -n 's/^driver: //p')" = dir ] ||
		echo "limits.disk=$((containers * 20 + 1024))GiB"
}

# limit_project: an owner's own value stays. Incus refuses a limit that what is
# there does not keep to, such as a volume without a size.
limit_project() {
	local pair out
	while read -r pair; do
		[ -z "$(incus project get "$project" "${pair%%=*}" </dev/null)" ] || continue
		out=$(incus project set "$project" "$pair" 2>&1 </dev/null) ||
			step "note: $pair is not set on the project $project: ${out#Error: }"
	done < <(limit_keys)
}

make_project() {
	if ! there project "$project"; then
		step "create the restricted project $project"
		try "make the project $project" incus project create "$project" \
			-c features.images=true -c features.profiles=true -c features.storage.volumes=true -c features.networks=false
		made project "$project"
	fi
	grep -qxF "project $project" "$state" 2>/dev/null || return 0 # not created by this script: left alone
	local keys=() pair with=$network
	# A network that an earlier run gave stays.
	[ "$(incus project get "$project" restricted.devices.nic)" != managed ] || with=yes
	while read -r pair; do keys+=("$pair"); done < <(project_keys "$with")
	for pair in "${keys[@]}"; do
		[ "$(incus project get "$project" "${pair%%=*}")" = "${pair#*=}" ] ||
			try "restrict the project $project" incus project set "$project" "$pair"
	done
	make_profile
	limit_project
}

# make_profile: for people who look around by hand; lanes use no profile. A
# project with limits takes no container without.
make_profile() {
	[ -n "$(incus profile device list default --project "$project" 2>/dev/null)" ] ||
		try 'write the profile' incus profile device add default root disk path=/ pool="$pool" --project "$project"
	[ -n "$(incus profile device get default root size --project "$project" 2>/dev/null)" ] ||
		try 'write the profile' incus profile device set default root size=10GiB --project "$project"
	[ -n "$(incus profile get default limits.memory --project "$project")" ] ||
		try 'write the profile' incus profile set default limits.memory=2GiB limits.processes=2048 --project "$project"
}

# make_image ALIAS
make_image() {
	local tmp
	! incus image show "$1" --project "$project" >/dev/null 2>&1 || return 0
	step "build the image $1$([ "$1" = default ] && echo ' (half a minute)')"
	tmp=$(mktemp -d)
	root || die "build the image $1: you are not root" 'sudo ./install.sh, or --no-image'
	sh "host/internal/incus/image/$1.sh" "$tmp" >"$tmp/log" 2>&1 || {
		tail -n 20 "$tmp/log" >&2
		die "build the image $1" "run host/internal/incus/image/$1.sh /tmp/$1 to see why, or leave it out with --no-image"
	}
	try "import the image $1" incus image import "$tmp/metadata.tar" "$tmp/rootfs.squashfs" \
		--alias "$1" --project "$project"
	rm -rf "$tmp"
	warm_image "$1"
}

# warm_image ALIAS: the pool unpacks an image when it is first used; that use
# is now and not the first push.
warm_image() {
	local name=pl-warm-$$
	incus create "$1" "$name" --project "$project" --no-profiles --storage "$pool" -d root,size=10GiB \
		-c limits.memory=256MiB -c limits.processes=64 --quiet >/dev/null 2>&1 || return 0
	incus delete --force "$name" --project "$project" >/dev/null 2>&1 || :
}

make_images() {
	[ "$image" = yes ] || return 0
	make_image busybox
	make_image default
}

incus_socket() {
	local path
	for path in "${INCUS_SOCKET:-}" ${INCUS_DIR:+"$INCUS_DIR/unix.socket"} \
		/run/incus/unix.socket /var/lib/incus/unix.socket; do
		[ ! -S "$path" ] || { echo "$path"; return; }
	done
	echo /var/lib/incus/unix.socket
}

# write_config: the text comes on standard input. An owner's file is never
# overwritten.
write_config() {
	if [ -e "$config" ]; then
		cat >/dev/null
		step "leave $config unchanged"
		return 0
	fi
	step "write $config"
	mkdir -p "$(dirname "$config")"
	cat >"$config"
	made config "$config"
}

local_config() {
	cat <<END
# pushlane: what this host allows. Every key: host/policy.go.
[incus]
socket = "$(incus_socket)"
project = "$project"
pool = "$pool"
END
	[ "$network" = no ] || printf 'networks = ["%s"]\n' "$bridge"
	[ "$(proxies)" = block ] || network_config
}

# network_config: lanes may list any name; what they reach is public.
network_config() {
	local ca
	printf '\n# What lanes may list in [lane.grant] network: any name that leads to public addresses.\n'
	printf '[network]\nhosts = ["*"]\n'
	for ca in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
		[ ! -r "$ca" ] || { printf 'ca = "%s"\n' "$ca"; return; }
	done
}

# say_network: what lanes can have of a network, and what it takes.
say_network() {
	if [ "$(proxies)" = block ]; then
		step 'note: lanes cannot list names as their network: this Incus has certificates that are restricted to projects'
	elif grep -q '^\[network\]' "$config"; then
		step 'lanes can list names as their network: network = ["NAME"] in [lane.grant]'
	else
		step "note: to let lanes list names as their network, add to $config:"
		network_config | sed 's/^/    /'
	fi
}

install_incus() {
	install_packages
	start_incus
	make_pool
	make_network
	make_project
	make_images
	local_config | write_config
	say_network
	[ "$network" = no ] || grep -qF "\"$bridge\"" "$config" ||
		step "note: to give lanes the network, set in [incus] of $config: networks = [\"$bridge\"]"
}

# -------------------------------------------------------- an Incus elsewhere

install_remote() {
	local dir file trust
	case $remote in https://*) ;; *) die "use the Incus at $remote" 'the address starts with https://' ;; esac
	trust='incus config trust add-certificate FILE --restricted --projects pushlane'
	[ -n "$cert" ] && [ -n "$key" ] ||
		die "use the Incus at $remote: no client certificate" \
			"give --cert FILE and --key FILE; on the Incus: $trust"
	for file in "$cert" "$key" ${server_cert:+"$server_cert"}; do
		[ -r "$file" ] || die "read $file" 'check the path and its permissions'
	done
	dir=$(dirname "$config")/incus
	step "install the certificates in $dir"
	mkdir -p "$dir"
	chmod 700 "$dir"
	install -m 0644 "$cert" "$dir/client.crt" && made file "$dir/client.crt"
	install -m 0600 "$key" "$dir/client.key" && made file "$dir/client.key"
	[ -z "$server_cert" ] || { install -m 0644 "$server_cert" "$dir/server.crt" && made file "$dir/server.crt"; }
	{
		printf '[incus]\nurl = "%s"\ncert = "%s"\nkey = "%s"\n' "$remote" "$dir/client.crt" "$dir/client.key"
		[ -z "$server_cert" ] || printf 'server_cert = "%s"\n' "$dir/server.crt"
		printf 'project = "%s"\npool = "%s"\n' "$project" "$pool"
	} | write_config
}

# ------------------------------------------------------------------ uninstall

# others: what there is in Incus in addition to ours.
others() {
	incus project list -f csv -c n 2>/dev/null | sed 's/ (current)$//' | grep -vxE "default|$project"
	incus storage list -f csv -c n 2>/dev/null | grep -vxF "$pool"
	incus list -f csv -c n 2>/dev/null
	incus image list -f csv -c f 2>/dev/null
}

empty_project() {
	local name
	incus list --project "$project" -f csv -c n |
		while read -r name; do incus delete -f "$name" --project "$project" </dev/null; done
	incus image list --project "$project" -f csv -c f |
		while read -r name; do incus image delete "$name" --project "$project" </dev/null; done
	incus storage volume list "$pool" --project "$project" -f csv -c tn 2>/dev/null | sed -n 's/^custom,//p' |
		while read -r name; do incus storage volume delete "$pool" "$name" --project "$project" </dev/null; done
	incus profile device remove default root --project "$project" >/dev/null 2>&1 || :
}

stop_daemon() {
	local pid
	pid=$(cat "$1" 2>/dev/null) || return 0
	[ "$(readlink "/proc/$pid/exe" 2>/dev/null | sed 's/ (deleted)$//')" = "$(incusd_path)" ] || { rm -f "$1"; return 0; }
	step 'stop the incusd that was started here'
	"$(incusd_path)" shutdown --timeout=30 >/dev/null 2>&1 || kill "$pid" 2>/dev/null || :
	for _ in $(seq 50); do
		[ -d "/proc/$pid" ] || break
		sleep 0.2
	done
	rm -f "$1"
}

# remove_packages: those that came with us, unless something else on the
# machine has come to need them or Incus has other users by now.
remove_packages() {
	local names extra
	names=$(sed -n 's/^package //p' "$state" | while read -r name; do ! have "$name" || echo "$name"; done | xargs)
	[ -n "$names" ] || return 0
	# shellcheck disable=SC2086
	extra=$(apt-get -s purge $names 2>/dev/null | sed -n 's/^Purg \([^ ]*\).*/\1/p' | sort -u |
		comm -23 - <(tr " " "\n" <<<"$names" | sort -u) | xargs)
	if [ -n "$extra" ]; then
		step "leave these packages installed, others need them: $extra"
		return 0
	fi
	step "remove the packages that came with Incus: $names"
	# shellcheck disable=SC2086
	apt-get purge -y -q $names >/dev/null 2>&1 || die 'remove packages' "see the messages of: apt-get purge $names"
}

# take_back KIND VALUE
take_back() {
	case $1 in
	file) step "remove $2"; rm -f "$2"; rmdir -p --ignore-fail-on-non-empty "$(dirname "$2")" 2>/dev/null || : ;;
	config) step "remove $2"; rm -f "$2"; rmdir --ignore-fail-on-non-empty "$(dirname "$2")" 2>/dev/null || : ;;
	dir) step "remove $2"; rm -rf "$2" ;;
	project)
		! there project "$2" || {
			step "remove the project $2, its images and volumes"
			empty_project
			try "remove the project $2" incus project delete "$2"
		} ;;
	pool)
		! there storage "$2" || {
			step "remove the storage pool $2"
			try "remove the pool $2" incus storage delete "$2"
		} ;;
	network)
		! there network "$2" || {
			step "remove the network $2"
			try "remove the network $2" incus network delete "$2"
		} ;;
	daemon) [ -n "$shared" ] || stop_daemon "$2" ;;
	apt-source) [ -n "$shared" ] || { step "remove $2"; rm -f "$2"; } ;;
	subid) [ -n "$shared" ] || sed -i '/^root:1000000:1000000000$/d' "$2" ;;
	esac
}

# take_back_all GREP-ARGUMENTS: the lines of the state file they choose, the
# last first.
take_back_all() {
	local kind value
	while read -r kind value; do take_back "$kind" "$value" </dev/null; done < <(tac "$state" | grep "$@" || :)
}

uninstall() {
	[ -s "$state" ] || { step "nothing to remove: no $state"; return 0; }
	if grep -qE '^(project|pool) ' "$state"; then
		answers || { ! root || start_incus; }
		answers || die 'remove the parts in Incus: it does not respond' 'start Incus and run this again'
	fi
	shared=''
	take_back_all -vE '^(daemon|package|apt-source|subid) '
	! root || shared=$({ others || :; } | xargs)
	[ -z "$shared" ] || step "leave Incus installed, it has other users: ${shared:0:80}"
	take_back_all '^daemon '
	[ -n "$shared" ] || ! root || remove_packages
	take_back_all -E '^(apt-source|subid) '
	rm -f "$state"
	rmdir -p --ignore-fail-on-non-empty "${state%/*}" 2>/dev/null || :
	step 'done'
}

# ----------------------------------------------------------------------- main

# without_incus: a user who is not root gets no Incus from this script, and does
# without if none responds.
without_incus() {
	[ "$incus" = local ] && [ "$build" = yes ] && ! root && ! answers || return 0
	step "note: no Incus responds to $(id -un). For lanes with containers run:" \
		"sudo ./install.sh --incus-only && sudo usermod -aG incus-admin $(id -un)"
	incus=none
}

main() {
	adopt
	if [ "$action" = uninstall ]; then
		uninstall
		return
	fi
	[ "$build" = no ] || install_programs
	without_incus
	case $incus in
	local) install_incus ;;
	remote) install_remote ;;
	none) step 'without Incus: lanes that need a container cannot run' ;;
	esac
	step 'done; check it with: pushlane doctor; see it work with: pushlane demo'
}

main
