package incus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// prepareScript makes the work folders, as root. Arguments: "tar" or "", uid,
// "net" or "", the number of caches and their paths, then programs that bring
// loopback up. It must run in a busybox shell.
const prepareScript = `set -e
umask 022
from=$1 uid=$2 net=$3 caches=$4
shift 4
mkdir -p /work/base /work/src /work/.rw
chmod 700 /work/.rw
if [ "$from" = tar ]; then
	tar -x -f - -C /work/base
	mount -o bind /work/base /work/base && mount -o remount,bind,ro /work/base || :
fi
mkdir -p /work/.rw/upper /work/.rw/work
chown 1000:1000 /work/.rw/upper
mount -t overlay -o lowerdir=/work/base,upperdir=/work/.rw/upper,workdir=/work/.rw/work,userxattr \
	overlay /work/src 2>/dev/null || {
	cp -a /work/base/. /work/src/
	chown 1000:1000 /work/src
}
[ -d /home/lane ] || { mkdir -p /home/lane; chown 1000:1000 /home/lane; }
while [ "$caches" -gt 0 ]; do
	chown "$uid:$uid" "$1"
	shift
	caches=$((caches - 1))
done
looped() { while read -r line; do case $line in *" 127.0.0.1"*) return 0 ;; esac; done </proc/net/fib_trie; return 1; }
for program in "$@"; do
	looped && break
	printf "$program" >/work/.rw/lo && chmod 700 /work/.rw/lo && /work/.rw/lo
done 2>/dev/null
rm -f /work/.rw/lo
looped || for way in "ip link set lo up" "ifconfig lo 127.0.0.1 up" "busybox ifconfig lo 127.0.0.1 up"; do
	$way 2>/dev/null && looped && break
done
looped || { echo "its loopback interface stays down" >&2; exit 4; }
if [ "$net" = net ]; then
	ip=ip
	command -v ip >/dev/null || ip="busybox ip"
	$ip link set eth0 up
	cat >/work/.rw/dhcp <<END
#!/bin/sh
[ "\$1" = bound ] || exit 0
$ip addr add "\$ip/\${mask:-24}" dev "\$interface"
for gw in \$router; do $ip route add default via "\$gw" dev "\$interface" && break; done
for ns in \$dns; do echo "nameserver \$ns"; done >/etc/resolv.conf
END
	chmod 755 /work/.rw/dhcp
	udhcpc -i eth0 -s /work/.rw/dhcp -n -q -t 20 -T 1 >/dev/null 2>&1 ||
		busybox udhcpc -i eth0 -s /work/.rw/dhcp -n -q -t 20 -T 1 >/dev/null 2>&1 ||
		dhclient eth0 >/dev/null 2>&1 || { echo "no address for eth0" >&2; exit 3; }
fi
`

// prepare gives the container its source, caches and network.
func (b *box) prepare(ctx context.Context, p plan, t tree) error {
	args := []string{"", strconv.Itoa(int(p.uid)), "", strconv.Itoa(len(p.Caches))}
	cmd := command{cwd: "/"}
	var stdin *watched
	if t.open != nil {
		args[0] = "tar"
		archive := t.open(ctx)
		defer archive.Close()
		stdin = &watched{r: archive}
		cmd.stdin = stdin
	}
	if p.Network {
		args[2] = "net"
	}
	for _, cache := range p.Caches {
		args = append(args, cache.Path)
	}
	args = append(args, loopbackPrograms()...)
	cmd.argv = append([]string{"/bin/sh", "-c", prepareScript, "pushlane"}, args...)
	var said bytes.Buffer
	cmd.stderr = &capped{w: &said, left: 4 << 10}
	exit, err := b.exec(ctx, cmd)
	if stdin != nil && stdin.err != nil {
		return fmt.Errorf("cannot read the source: %w", stdin.err)
	}
	if not := (unstartable{}); errors.As(err, &not) {
		return prepareError(b.name, not.exit, "")
	}
	if err != nil {
		return broke("prepare container "+b.name, err)
	}
	if err := prepareError(b.name, exit, strings.TrimSpace(said.String())); err != nil {
		return err
	}
	return b.giveSecrets(ctx, p)
}

// secretScript writes one file from standard input. Arguments: name, uid. The
// folder is memory where the image's mount can do that; else it goes with the
// container. Incus shows neither what goes through a command's input.
const secretScript = `set -e
umask 077
[ -d /run/secrets ] || {
	mkdir -p /run/secrets
	mount -t tmpfs -o mode=0755,size=4m tmpfs /run/secrets 2>/dev/null || :
}
chmod 755 /run/secrets
cat > "/run/secrets/$1"
chown "$2" "/run/secrets/$1"
chmod 400 "/run/secrets/$1"
`

// giveSecrets puts the secrets where the command finds them.
func (b *box) giveSecrets(ctx context.Context, p plan) error {
	for _, name := range slices.Sorted(maps.Keys(p.Secrets)) {
		exit, err := b.exec(ctx, command{cwd: "/", argv: []string{"/bin/sh", "-c", secretScript, "pushlane", name,
			strconv.Itoa(int(p.uid))}, stdin: bytes.NewReader(p.Secrets[name])})
		if err == nil && exit != 0 {
			err = fmt.Errorf("exit status %d", exit)
		}
		if err != nil {
			return broke("give a secret to "+b.name, err)
		}
	}
	return nil
}

// secretEnvScript sets variables from the files of secrets and starts the
// command. Incus and other users of its host see the arguments of a command and its
// variables, so that no value may be in them. Arguments: VARIABLE=NAME..., --, the
// command.
const secretEnvScript = `while [ "$1" != -- ]; do
	pushlane_value=$(cat "/run/secrets/${1#*=}") || exit 126
	export "${1%%=*}=$pushlane_value"
	shift
done
shift
unset pushlane_value
exec "$@"`

// argv is the command with what sets its secret variables in front.
func (p *plan) argv() []string {
	if len(p.SecretEnv) == 0 {
		return p.Command
	}
	argv := []string{"/bin/sh", "-c", secretEnvScript, "pushlane"}
	for _, name := range slices.Sorted(maps.Keys(p.SecretEnv)) {
		argv = append(argv, name+"="+p.SecretEnv[name])
	}
	return append(append(argv, "--"), p.Command...)
}

func prepareError(name string, exit int, said string) error {
	switch {
	case exit == 0:
		return nil
	case exit == 127 || strings.Contains(said, "not found"):
		return failed("prepare container "+name, fmt.Errorf("its image lacks what pushlane needs: %s", or(said, "/bin/sh")),
			"an image needs sh, tar, mount, mkdir, chown and cp; busybox has them all")
	case exit == 4:
		return failed("prepare container "+name, errors.New(said),
			"nothing in it could reach 127.0.0.1; an image for another processor needs ip, ifconfig or busybox")
	case strings.Contains(said, "No space left"), strings.Contains(said, "quota exceeded"):
		return failed("prepare container "+name, errors.New("the source does not fit: its disk is full"),
			"set a larger disk in the lane's settings")
	}
	return broke("prepare container "+name, fmt.Errorf("exit status %d: %s", exit, said))
}

// watched remembers why a reader ended: the other side sees an end of file
// either way.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// capped keeps the first bytes and swallows the rest.
type capped struct {
	w    io.Writer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	keep := p[:min(len(p), c.left)]
	c.left -= len(keep)
	if _, err := c.w.Write(keep); err != nil {
		return 0, err
	}
	return len(p), nil
}
