package incus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

// Alias is a name of an image in the project.
type Alias struct {
	Name, Fingerprint, Description string
}

// ErrNoImage is an alias or a fingerprint that the project does not have.
var ErrNoImage = errors.New("no such image")

// Alias looks an alias up. The error is ErrNoImage where there is none.
func (m *Images) Alias(ctx context.Context, name string) (Alias, error) {
	a, err := await(ctx, func() (*api.ImageAliasesEntry, error) {
		a, _, err := m.conn.srv.GetImageAlias(name)
		return a, err
	})
	switch {
	case isNotFound(err):
		return Alias{}, ErrNoImage
	case err != nil:
		return Alias{}, broke(fmt.Sprintf("look up image %q", name), err)
	}
	return Alias{a.Name, a.Target, a.Description}, nil
}

// Aliases lists the project's aliases.
func (m *Images) Aliases(ctx context.Context) ([]Alias, error) {
	found, err := await(ctx, m.conn.srv.GetImageAliases)
	if err != nil {
		return nil, broke("list images", err)
	}
	all := make([]Alias, 0, len(found))
	for _, a := range found {
		all = append(all, Alias{a.Name, a.Target, a.Description})
	}
	return all, nil
}

// SetAlias makes an alias, or points it to another image.
func (m *Images) SetAlias(ctx context.Context, a Alias) error {
	put := api.ImageAliasesEntryPut{Target: a.Fingerprint, Description: a.Description}
	_, err := await(ctx, func() (struct{}, error) {
		err := m.conn.srv.UpdateImageAlias(a.Name, put, "")
		if isNotFound(err) {
			err = m.conn.srv.CreateImageAlias(api.ImageAliasesPost{ImageAliasesEntry: api.ImageAliasesEntry{Name: a.Name,
				Type: "container", ImageAliasesEntryPut: put}})
		}
		return struct{}{}, err
	})
	if err != nil {
		return broke("name image "+a.Name, err)
	}
	return nil
}

// DeleteAlias removes an alias; one that is not there is not an error.
func (m *Images) DeleteAlias(ctx context.Context, name string) error {
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, m.conn.srv.DeleteImageAlias(name) })
	if err != nil && !isNotFound(err) {
		return broke("remove the name "+name, err)
	}
	return nil
}

// Delete removes an image and all its aliases; one that is not there is not
// an error. Containers that were made of it go on.
func (m *Images) Delete(ctx context.Context, fingerprint string) error {
	err := m.conn.do(ctx, func() (incus.Operation, error) { return m.conn.srv.DeleteImage(fingerprint) })
	if err != nil && !isNotFound(err) {
		return broke("remove image "+short(fingerprint, 12), err)
	}
	return nil
}

// Import makes an image of its metadata, a tar, and its file system, which
// writeRoot writes as a tar, and returns its fingerprint. Nothing is left of one
// that cannot be written to its end.
func (m *Images) Import(ctx context.Context, meta []byte, writeRoot func(io.Writer) error) (string, error) {
	r, w := io.Pipe()
	defer r.Close()
	written := make(chan error, 1)
	go func() {
		err := writeRoot(w)
		written <- err
		w.CloseWithError(err)
	}()
	op, err := await(ctx, func() (incus.Operation, error) {
		return m.conn.srv.CreateImage(api.ImagesPost{}, &incus.ImageCreateArgs{MetaFile: bytes.NewReader(meta),
			MetaName: "metadata.tar", RootfsFile: r, RootfsName: "rootfs", Type: "container"})
	})
	r.Close()
	failure := <-written
	if err == nil {
		var done api.Operation
		if done, err = m.conn.wait(ctx, op.Get().ID); err == nil {
			fingerprint, _ := done.Metadata["fingerprint"].(string)
			if failure == nil && fingerprint != "" {
				return fingerprint, nil
			}
			// The Incus client sends what there was of a file that cannot be read.
			_ = m.Delete(context.WithoutCancel(ctx), fingerprint)
		}
	}
	if failure != nil && !errors.Is(failure, io.ErrClosedPipe) {
		return "", failure
	}
	if same := sameImage(err); same != "" {
		return same, nil
	}
	if err == nil {
		err = errors.New("Incus did not name the image")
	}
	return "", broke("import an image", err)
}

// sameImage is the fingerprint of an image that Incus refuses because it has it.
func sameImage(err error) string {
	if err == nil {
		return ""
	}
	_, rest, found := strings.Cut(err.Error(), "Image with same fingerprint already exists")
	if !found {
		return ""
	}
	return strings.Trim(rest, ` :"`)
}

// Warm makes the pool unpack an image now, which is what its first container
// would wait for.
func (c *Client) Warm(ctx context.Context, fingerprint string, disk int64) error {
	name := instanceName("warm", "image", 1)
	deadline := time.Now().Add(createTime)
	req := api.InstancesPost{Name: name, Type: api.InstanceTypeContainer,
		Source: api.InstanceSource{Type: "image", Fingerprint: fingerprint},
		InstancePut: api.InstancePut{Profiles: []string{},
			Devices: api.DevicesMap{"root": {"type": "disk", "path": "/", "pool": c.conn.cfg.Pool,
				"size": strconv.FormatInt(disk, 10)}},
			Config: api.ConfigMap{"boot.autostart": "false", "security.privileged": "false",
				"security.idmap.isolated": "true", "limits.memory": "268435456", "limits.processes": "64",
				labelOwner: c.conn.cfg.Owner, labelProcess: c.process, labelDeadline: stamp(deadline)}}}
	b, err := c.create(ctx, req)
	defer b.discard()
	return err
}
