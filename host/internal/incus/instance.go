package incus

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

// instanceName makes a name that was never used before: "pl-<lane>-<id>-
// <attempt>-<8 hex>". A new one per attempt, because a delete that failed
// leaves a volume behind which blocks its name.
func instanceName(address, id string, attempt int) string {
	lane := address[strings.LastIndexByte(address, ':')+1:]
	var nonce [4]byte
	rand.Read(nonce[:])
	return fmt.Sprintf("pl-%s-%s-%d-%s", slug(lane, 20), slug(id, 18), max(attempt, 1), hex.EncodeToString(nonce[:]))
}

// slug keeps what a host name may hold.
func slug(s string, n int) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == n {
			break
		}
	}
	return or(strings.Trim(b.String(), "-"), "x")
}

// box is one container under way.
type box struct {
	c       *Client
	name    string
	image   string
	created chan struct{} // closed when Incus has made it, or has not
}

// request is the whole container: no profile, no device that is not named
// here, every limit set.
func (c *Client) request(p plan, image, sourceVolume string, caches map[string]string) api.InstancesPost {
	devices := api.DevicesMap{"root": {"type": "disk", "path": "/", "pool": c.conn.cfg.Pool,
		"size": strconv.FormatInt(p.root, 10)}}
	if sourceVolume != "" {
		// In the request that creates the container the read-only mount is
		// locked: root in the container cannot make it writable again, as it
		// could with a device that is added later.
		devices["base"] = map[string]string{"type": "disk", "pool": c.conn.cfg.Pool, "source": sourceVolume, "path": workBase,
			"readonly": "true"}
	}
	for path, volume := range caches {
		devices["cache-"+digest(path)[:8]] = map[string]string{"type": "disk", "pool": c.conn.cfg.Pool, "source": volume,
			"path": path}
	}
	if p.Network {
		devices["eth0"] = map[string]string{"type": "nic", "network": p.Max.Networks[0], "name": "eth0"}
	}
	put := api.InstancePut{
		Profiles: []string{}, // nil would mean the default profile
		Devices:  devices,
		Config: api.ConfigMap{
			"boot.autostart":          "false",
			"security.guestapi":       "false",
			"security.nesting":        "false",
			"security.privileged":     "false",
			"security.idmap.isolated": "true",
			// A quota, not a set of cores: pinning makes Incus balance every
			// container anew at each start and stop.
			"limits.cpu.allowance": fmt.Sprintf("%dms/100ms", max(1, p.millicores/10)),
			"limits.memory":        strconv.FormatInt(p.memory, 10),
			"limits.processes":     strconv.Itoa(p.processes),
		},
	}
	req := api.InstancesPost{Name: p.instance, Type: api.InstanceTypeContainer, Start: true, InstancePut: put,
		Source: api.InstanceSource{Type: "image", Fingerprint: image}}
	c.label(&req, p)
	return req
}

func (c *Client) label(req *api.InstancesPost, p plan) {
	name := req.Name
	req.Name = "" // equal requests have the same digest, whatever their name
	spec, _ := json.Marshal(req)
	req.Name = name
	for key, value := range map[string]string{
		labelOwner: c.conn.cfg.Owner, labelProcess: c.process, labelRun: strconv.FormatInt(p.Run, 10),
		labelLane:    short(p.Address, 200),
		labelAttempt: strconv.Itoa(max(p.Attempt, 1)), labelDeadline: stamp(p.Deadline.Add(time.Minute)),
		labelSpec: digest(string(spec)),
	} {
		req.Config[key] = value
	}
}

// create makes and starts the container. When ctx ends first, the request goes
// on behind and discard waits for it.
func (c *Client) create(ctx context.Context, req api.InstancesPost) (*box, error) {
	b := &box{c: c, name: req.Name, image: req.Source.Fingerprint, created: make(chan struct{})}
	c.mu.Lock()
	c.boxes[req.Name] = true
	c.mu.Unlock()
	failures := make(chan error, 1)
	go func() {
		defer close(b.created)
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTime)
		defer cancel()
		err := c.conn.do(own, func() (incus.Operation, error) { return c.conn.srv.CreateInstance(req) })
		failures <- err
	}()
	select {
	case err := <-failures:
		return b, c.createError(req.Name, err)
	case <-ctx.Done():
		return b, context.Cause(ctx)
	}
}

// createTime covers the first use of a large image on a pool that copies.
const createTime = 5 * time.Minute

func (c *Client) createError(name string, err error) error {
	if err == nil {
		return nil
	}
	what := "start container " + name
	if strings.Contains(err.Error(), "No space left") || strings.Contains(err.Error(), "no space left") {
		// Other lanes may have filled it, and leave.
		return &MachineError{What: what, Err: fmt.Errorf("storage pool %q is full: %w", c.conn.cfg.Pool, err),
			hint: "see what fills it with: incus storage info " + c.conn.cfg.Pool + "; then: pushlane gc"}
	}
	for _, known := range []struct{ words, hint string }{
		{"Storage pool not found", "make it with: ./install.sh --incus-only, or name another with incus.pool"},
		{"forbidden", "the restrictions of the project: incus project show " + c.conn.cfg.Project},
		{"restricted", "the restrictions of the project: incus project show " + c.conn.cfg.Project},
	} {
		if strings.Contains(err.Error(), known.words) {
			return failed(what, err, known.hint)
		}
	}
	return broke(what, err)
}

// deleteTime is how long one try to delete may take. It has its own time because
// it has to happen when the caller's has run out.
const deleteTime = 2 * time.Minute

// deletePause is the longest pause between tries.
const deletePause = 5 * time.Second

// discard deletes the container behind the caller's back; Client.Close waits
// for it. While Incus is away it is tried again and again, as long as this
// client is used: the command in the container runs on.
func (b *box) discard() {
	b.c.cleanups.Go(func() {
		defer b.forget()
		select {
		case <-b.created:
		case <-time.After(deleteTime):
		}
		err := b.removeSoon()
		for wait := time.Second; err != nil; wait = min(2*wait, deletePause) {
			select {
			case <-time.After(wait):
				err = b.removeSoon()
				continue
			case <-b.c.closing:
			}
			if err = b.removeSoon(); err != nil {
				b.c.mu.Lock()
				defer b.c.mu.Unlock()
				b.c.failures = append(b.c.failures, err)
			}
			return
		}
	})
}

func (b *box) forget() {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	delete(b.c.boxes, b.name)
}

func (b *box) removeSoon() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), deleteTime, errors.New("it took more than two minutes"))
	defer cancel()
	return b.c.remove(ctx, b.name, "")
}

// remove stops and deletes one of our containers. If it no longer exists this is
// not an error. It uses the current state in Incus: the owner's label is read again,
// and so is the uuid if one is given, which is unique.
func (c *Client) remove(ctx context.Context, name, uuid string) error {
	var err error
	for attempt := range 4 {
		if attempt > 0 && !pause(ctx, time.Duration(attempt)*500*time.Millisecond) {
			break
		}
		if err = c.removeOnce(ctx, name, uuid); err == nil {
			return nil
		}
	}
	return failed("delete container "+name, err, fmt.Sprintf("incus delete -f %s --project %s, or: pushlane gc", name,
		c.conn.cfg.Project))
}

func (c *Client) removeOnce(ctx context.Context, name, uuid string) error {
	inst, err := await(ctx, func() (*api.Instance, error) { i, _, err := c.conn.srv.GetInstance(name); return i, err })
	switch {
	case isNotFound(err):
		return nil
	case err != nil:
		return err
	case inst.Config[labelOwner] != c.conn.cfg.Owner, uuid != "" && inst.Config["volatile.uuid"] != uuid:
		return nil // the name is another's by now
	}
	if inst.StatusCode != api.Stopped && inst.StatusCode != api.Error {
		stop := api.InstanceStatePut{Action: "stop", Force: true, Timeout: -1}
		if err := c.conn.do(ctx, func() (incus.Operation, error) {
			return c.conn.srv.UpdateInstanceState(name, stop, "")
		}); err != nil && !strings.Contains(err.Error(), "already stopped") {
			return err
		}
	}
	err = c.conn.do(ctx, func() (incus.Operation, error) { return c.conn.srv.DeleteInstance(name) })
	if isNotFound(err) || errors.Is(err, errVanished) {
		return nil
	}
	return err
}
