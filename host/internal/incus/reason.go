package incus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// reasonScript looks, as root, for what the kernel did to the command: out of
// memory, no more processes, no more disk. The groups are mounted in the
// container on some hosts and can be mounted by its root on the others.
const reasonScript = `d=/work/.rw/groups
mkdir -p "$d/m" "$d/p"
m=/sys/fs/cgroup/memory.events p=/sys/fs/cgroup/pids.events
[ -r "$m" ] || { mount -t cgroup -o memory none "$d/m" && m=$d/m/memory.oom_control; }
[ -r "$p" ] || { mount -t cgroup -o pids none "$d/p" && p=$d/p/pids.events; }
echo "oom $(sed -n 's/^oom_kill //p' "$m")"
echo "pids $(sed -n 's/^max //p' "$p")"
for f in /work/.rw/upper/.pushlane-probe /tmp/.pushlane-probe; do
	e=$(dd if=/dev/zero of="$f" bs=65536 count=4 2>&1)
	case $e in *[Qq]uota*) echo "disk $f" ;; *[Nn]'o space'*) echo "disk $f"; echo "space $f" ;; esac
	rm -f "$f"
done
exit 0
`

// reason says in words what else had a part in a failed command, or nothing.
// An error is a container in which nothing can be looked for any more.
func (b *box) reason(ctx context.Context, p plan) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var out bytes.Buffer
	_, err := b.exec(ctx, command{argv: []string{"/bin/sh", "-c", reasonScript}, cwd: "/",
		stdout: &capped{w: &out, left: 4 << 10}})
	if err != nil {
		return "", err
	}
	said := out.String()
	if strings.Contains(said, "\nspace ") { // and not a quota: it may be the pool's
		if full := b.c.pool.full(ctx, p); full != "" {
			return full, nil
		}
	}
	return reasons(said, p), nil
}

func reasons(said string, p plan) string {
	var reasons []string
	for line := range strings.Lines(said) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case key == "oom" && value != "" && value != "0":
			reasons = append(reasons, fmt.Sprintf("out of memory: the kernel killed a process at the limit of %s",
				sizeWord(p.memory)))
		case key == "pids" && value != "" && value != "0":
			reasons = append(reasons, fmt.Sprintf("out of processes: the limit is %d", p.processes))
		case key == "disk":
			reasons = append(reasons, fmt.Sprintf("disk full: the limit is %s", sizeWord(p.root)))
		}
	}
	return strings.Join(slices.Compact(reasons), "; ")
}

// settled finds the reason once the container has settled: one in which no
// command can be started may be on its way down, which takes Incus a moment to
// notice, or full of processes, some of which end by themselves.
func (b *box) settled(ctx context.Context, p plan) (reason string, gone error) {
	for range 15 {
		reason, err := b.reason(ctx, p)
		if err == nil {
			return reason, nil
		}
		if !pause(ctx, 200*time.Millisecond) {
			return "", context.Cause(ctx)
		}
		if gone := b.alive(ctx); gone != nil {
			return "", gone
		}
	}
	return fmt.Sprintf("no further process starts in the container: its limit of %d may be reached", p.processes), nil
}

// alive tells a command that failed from a container that was taken away
// under it.
func (b *box) alive(ctx context.Context) error {
	inst, err := await(ctx, func() (*api.Instance, error) { i, _, err := b.c.conn.srv.GetInstance(b.name); return i, err })
	switch {
	case isNotFound(err):
		return errors.New("the container was deleted from outside")
	case err != nil:
		return fmt.Errorf("Incus became unavailable: %w", err)
	case inst.StatusCode != api.Running:
		return fmt.Errorf("the container was stopped from outside (it is %s)", strings.ToLower(inst.Status))
	}
	return nil
}
