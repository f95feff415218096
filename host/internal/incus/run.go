package incus

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/sdk"
)

// Ended says how a container's command ended.
type Ended struct {
	Exit        int  // 128+n after signal n
	TimedOut    bool // killed at its own limit
	Fingerprint string
	Tail        string // last 64 KiB of both streams, as they came
	Artifacts   []string
}

const (
	deleteTime  = 30 * time.Second // for taking a container away
	killGrace   = 2 * time.Second  // between SIGTERM and SIGKILL
	deadlineAdd = time.Minute      // a container may outlive its lane's deadline by this
	tailSize    = 64 << 10
)

// Run launches one container, runs its command and deletes it. An error means
// that the command's outcome is not known; a *MachineError that it is worth
// another attempt.
func (c *Client) Run(ctx context.Context, s Spec, stdout, stderr io.Writer) (Ended, error) {
	k, err := s.check()
	if err != nil {
		return Ended{}, err
	}
	fp, err := c.fingerprint(k.Image)
	if err != nil {
		return Ended{}, err
	}
	base, err := c.share(ctx, k)
	if err != nil {
		return Ended{}, err
	}
	name, err := c.launch(ctx, k, fp, base)
	if err != nil {
		return Ended{}, err
	}
	defer c.deleteLater(ctx, name)
	if err := c.furnish(ctx, k, name, base); err != nil {
		return Ended{}, c.explain(ctx, name, err)
	}
	tail := &tailBuffer{}
	ended, err := c.command(ctx, k, name, io.MultiWriter(stdout, tail), io.MultiWriter(stderr, tail))
	if err != nil {
		return Ended{}, c.explain(ctx, name, err)
	}
	ended.Fingerprint, ended.Tail = fp, tail.String()
	if len(k.Artifacts) > 0 && k.Keep != nil {
		ended.Artifacts, err = c.collect(ctx, k, name)
	}
	return ended, err
}

// launch creates and starts the container in one request.
func (c *Client) launch(ctx context.Context, k checked, fingerprint, base string) (string, error) {
	if err := c.ensureCaches(k); err != nil {
		return "", err
	}
	name := "pl-" + strings.ToLower(rand.Text())[:16]
	post := api.InstancesPost{
		Name: name, Type: api.InstanceTypeContainer, Start: true,
		Source: api.InstanceSource{Type: "image", Fingerprint: fingerprint},
		InstancePut: api.InstancePut{
			Profiles: []string{}, // nil would mean the default profile
			Config:   c.instanceConfig(k), Devices: c.devices(k, base),
		},
	}
	op, err := c.server.CreateInstance(post)
	if err == nil {
		_, err = c.wait(ctx, op)
	}
	if err != nil {
		c.deleteLater(ctx, name)
		return "", MachineError{fmt.Errorf("cannot launch a container of image %s: %w", k.Image, err)}
	}
	return name, nil
}

func (c *Client) instanceConfig(k checked) api.ConfigMap {
	asked, _ := json.Marshal(k.Container)
	sum := sha256.Sum256(asked)
	return api.ConfigMap{
		"boot.autostart": "false", "security.guestapi": "false", "security.nesting": "false", "security.privileged": "false",
		"security.idmap.isolated": "true", "limits.cpu.allowance": k.allowance, "limits.memory": k.memory,
		"limits.processes": strconv.Itoa(k.processes),
		labelOwner:         c.config.Owner, labelHost: thisProcess(), labelRun: strconv.FormatInt(k.Run, 10), labelLane: k.Address,
		labelAttempt: strconv.Itoa(max(1, k.Attempt)), labelDeadline: k.Deadline.Add(deadlineAdd).UTC().Format(time.RFC3339),
		labelSpec: hex.EncodeToString(sum[:]),
	}
}

func (c *Client) devices(k checked, base string) api.DevicesMap {
	d := api.DevicesMap{"root": {"type": "disk", "path": "/", "pool": c.config.Pool, "size": k.disk}}
	if base != "" {
		d["source"] = map[string]string{"type": "disk", "source": base, "path": "/work/base", "readonly": "true", "shift": "true"}
	}
	for i, cache := range k.Caches {
		d["cache"+strconv.Itoa(i)] = map[string]string{"type": "disk", "pool": c.config.Pool, "source": cacheVolume(k.Repo, cache), "path": cache.Path}
	}
	if k.Network {
		d["eth0"] = map[string]string{"type": "nic", "network": k.Max.Networks[0], "name": "eth0"}
	}
	return d
}

// cacheVolume names a repository's cache: other repositories cannot reach it.
func cacheVolume(repo string, cache sdk.Cache) string {
	sum := sha256.Sum256([]byte(repo))
	return "cache-" + hex.EncodeToString(sum[:6]) + "-" + cache.Name
}

func (c *Client) ensureCaches(k checked) error {
	for _, cache := range k.Caches {
		name := cacheVolume(k.Repo, cache)
		_, _, err := c.server.GetStoragePoolVolume(c.config.Pool, "custom", name)
		if err == nil {
			continue
		}
		if !api.StatusErrorCheck(err, http.StatusNotFound) {
			return MachineError{fmt.Errorf("cannot look up cache %q: %w", cache.Name, err)}
		}
		post := api.StorageVolumesPost{Name: name, Type: "custom", ContentType: "filesystem",
			StorageVolumePut: api.StorageVolumePut{Config: api.ConfigMap{"security.shifted": "true", "size": k.disk, labelOwner: c.config.Owner}}}
		err = c.server.CreateStoragePoolVolume(c.config.Pool, post)
		if err != nil && !strings.Contains(err.Error(), "already exists") { // another lane was first
			return MachineError{fmt.Errorf("cannot make cache %q: %w", cache.Name, err)}
		}
	}
	return nil
}

// furnish puts the source in place: a read-only base, a writable overlay that
// belongs to the command's user.
func (c *Client) furnish(ctx context.Context, k checked, name, base string) error {
	var tar io.ReadCloser
	script := furnishScript
	args := []string{strconv.Itoa(k.uid)}
	if base == "" && k.Source != nil {
		read, write := io.Pipe()
		go func() { write.CloseWithError(k.Source.WriteTar(ctx, write, 1000, 1000)) }()
		defer read.Close()
		tar = read
		script = "mkdir -p /work/base; tar -xf - -C /work/base; " + script
	}
	for _, cache := range k.Caches {
		args = append(args, cache.Path)
	}
	var said tailBuffer
	exit, err := c.exec(ctx, name, api.InstanceExecPost{Command: append([]string{"sh", "-c", "set -e; " + script, "furnish"}, args...)}, tar, &said, &said)
	if err == nil && exit != 0 {
		err = fmt.Errorf("cannot put the source into the container: exit status %d: %s", exit, strings.TrimSpace(said.String()))
	}
	return err
}

// furnishScript runs as the container's root. $1: uid; then the caches.
const furnishScript = `uid=$1; shift
mkdir -p /work/base /work/src /work/home /work/.overlay/upper /work/.overlay/work
chown "$uid:$uid" /work/home /work/.overlay/upper
for d; do chown "$uid:$uid" "$d"; done
mount -t overlay overlay -o lowerdir=/work/base,upperdir=/work/.overlay/upper,workdir=/work/.overlay/work /work/src
chown "$uid:$uid" /work/src`

// command runs what was asked for, within its time.
func (c *Client) command(ctx context.Context, k checked, name string, stdout, stderr io.Writer) (Ended, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, k.time, errOwnLimit)
	defer cancel()
	env := map[string]string{"HOME": "/work/home", "USER": "lane", "LANG": "C.UTF-8", "CI": "true",
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if k.uid == 0 {
		env["HOME"], env["USER"] = "/root", "root"
	}
	for key, value := range k.Env {
		env[key] = value
	}
	post := api.InstanceExecPost{Command: k.Command, Environment: env, Cwd: k.Cwd, User: uint32(k.uid), Group: uint32(k.uid)}
	exit, err := c.exec(ctx, name, post, nil, stdout, stderr)
	if err != nil && errors.Is(context.Cause(ctx), errOwnLimit) {
		return Ended{Exit: 128 + 9, TimedOut: true}, nil
	}
	return Ended{Exit: exit}, err
}

var errOwnLimit = errors.New("the container's own time is over")

// deleteLater takes the container away in the background, with a context of
// its own: whoever waited for the verdict need not wait for this.
func (c *Client) deleteLater(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTime)
	c.clean.Go(func() {
		defer cancel()
		c.remove(ctx, name)
	})
}

// remove stops and deletes an instance that is ours; one that is gone is gone.
func (c *Client) remove(ctx context.Context, name string) error {
	inst, _, err := c.server.GetInstance(name)
	if api.StatusErrorCheck(err, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if inst.Config[labelOwner] != c.config.Owner {
		return fmt.Errorf("cannot delete %s: it belongs to %q", name, inst.Config[labelOwner])
	}
	op, err := c.server.UpdateInstanceState(name, api.InstanceStatePut{Action: "stop", Force: true, Timeout: -1}, "")
	if err == nil {
		c.wait(ctx, op) // it may have stopped by itself meanwhile
	}
	op, err = c.server.DeleteInstance(name)
	if err == nil {
		_, err = c.wait(ctx, op)
	}
	if api.StatusErrorCheck(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// explain turns a lost command into what happened to its container.
func (c *Client) explain(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	inst, _, ierr := c.server.GetInstance(name)
	switch {
	case api.StatusErrorCheck(ierr, http.StatusNotFound):
		return MachineError{fmt.Errorf("the container was deleted while it ran")}
	case ierr != nil:
		return MachineError{unreachable(c.config, ierr)}
	case inst.StatusCode != api.Running:
		return MachineError{fmt.Errorf("the container was stopped while it ran (it is %s)", strings.ToLower(inst.Status))}
	}
	return MachineError{err}
}

// tailBuffer keeps the end of what is written to it.
type tailBuffer struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*tailSize {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[max(0, len(t.buf)-tailSize):])
}
