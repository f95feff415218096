package incus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/host/internal/oci"
)

// cleanScript takes out of a container what pushlane put there for its command.
const cleanScript = `umount /work/src 2>/dev/null
umount /work/base 2>/dev/null
rm -rf /work/.rw /work/src/* /work/src/.[!.]* /tmp/.pushlane-probe
: >/etc/resolv.conf
exit 0
`

// Build runs a command as Run does, in a container of the image Spec.Found, and
// makes an image of what the container is then. The image has the variables of
// env in addition to its parent's. A command that fails makes no image: the
// fingerprint is empty, and Ended says how it ended.
func (c *Client) Build(ctx context.Context, spec Spec, env map[string]string, out, errOut io.Writer) (Ended, string,
	error) {
	began := time.Now()
	p, err := spec.plan()
	if err != nil {
		return Ended{}, "", err
	}
	p.instance = instanceName("build:"+p.ID, "image", p.Attempt)
	ended := Ended{Instance: p.instance, Fingerprint: p.Found}
	g, err := c.images.guest(ctx, p.Found)
	if err != nil {
		return ended, "", err
	}
	if err := g.complete(&p); err != nil {
		return ended, "", err
	}
	c.pool.setRoot(ctx, &p)
	tree, err := c.trees.carry(ctx, p.Source)
	if err != nil {
		return ended, "", err
	}
	b, err := c.create(ctx, c.request(p, p.Found, tree.volume, nil))
	defer b.discard()
	if err != nil {
		return ended, "", err
	}
	b.guest = g
	if err := b.prepare(ctx, p, tree); err != nil {
		return ended, "", err
	}
	tail := &tailBuffer{}
	o, e := &stream{out: orDiscard(out), tail: tail}, &stream{out: orDiscard(errOut), tail: tail}
	err = b.command(ctx, ctx, p, &ended, o, e)
	o.close()
	e.close()
	ended.Tail, ended.Took = tail.String(), time.Since(began)
	if err != nil || ended.Exit != 0 {
		return ended, "", err
	}
	fingerprint, err := b.publish(ctx, g.with(env))
	return ended, fingerprint, err
}

// with is what an image says that was made of this one.
func (g guest) with(env map[string]string) map[string]string {
	run := oci.Run{}
	properties := map[string]string{"os": "pushlane", "description": "built by a recipe", PropertyBuilt: "true"}
	if g.run != nil {
		run = *g.run
	}
	if g.own {
		properties[oci.PropertyKit] = "true"
	}
	run.Env = append([]string{}, run.Env...)
	for name, value := range env {
		run.Env = setVariable(run.Env, name, value)
	}
	text, _ := json.Marshal(run) // strings and numbers
	properties[oci.PropertyRun] = string(text)
	return properties
}

// PropertyBuilt marks images that recipes made.
const PropertyBuilt = "pushlane.built"

func setVariable(env []string, name, value string) []string {
	for i, pair := range env {
		if len(pair) > len(name) && pair[:len(name)+1] == name+"=" {
			env[i] = name + "=" + value
			return env
		}
	}
	return append(env, name+"="+value)
}

// publish makes an image of the container, and stops it for that.
func (b *box) publish(ctx context.Context, properties map[string]string) (string, error) {
	if _, err := b.exec(ctx, b.guest.script(cleanScript)); err != nil {
		return "", broke("clean up "+b.name, err)
	}
	stop := api.InstanceStatePut{Action: "stop", Force: true, Timeout: -1}
	err := b.c.conn.do(ctx, func() (incus.Operation, error) { return b.c.conn.srv.UpdateInstanceState(b.name, stop, "") })
	if err != nil {
		return "", broke("stop "+b.name, err)
	}
	post := api.ImagesPost{ImagePut: api.ImagePut{Properties: properties}, CompressionAlgorithm: "none",
		Source: &api.ImagesPostSource{Type: "instance", Name: b.name}}
	op, err := await(ctx, func() (incus.Operation, error) { return b.c.conn.srv.CreateImage(post, nil) })
	if err != nil {
		return "", broke("make an image of "+b.name, err)
	}
	done, err := b.c.conn.wait(ctx, op.Get().ID)
	if same := sameImage(err); same != "" {
		return same, nil
	}
	if err != nil {
		return "", broke("make an image of "+b.name, err)
	}
	fingerprint, _ := done.Metadata["fingerprint"].(string)
	if fingerprint == "" {
		return "", broke("make an image of "+b.name, errors.New("Incus did not name it"))
	}
	return fingerprint, nil
}

// Failure is what a step's end says, in words.
func (e Ended) Failure() string {
	switch {
	case e.TimedOut:
		return "took longer than its time"
	case e.Reason != "":
		return e.Reason
	}
	return fmt.Sprintf("exited %d", e.Exit)
}
