package incus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

// Image is one image of the project.
type Image struct {
	Aliases     []string
	Fingerprint string // sha256, hex
	Description string
	Size        int64 // bytes
	Uploaded    time.Time
}

// Images are the images of the project.
type Images struct {
	conn *connection

	mu    sync.Mutex
	known map[imageKey]imageEntry
}

// List lists the project's container images.
func (m *Images) List(ctx context.Context) ([]Image, error) {
	found, err := await(ctx, m.conn.srv.GetImages)
	if err != nil {
		return nil, broke("list images", err)
	}
	var images []Image
	for _, i := range found {
		if i.Type != string(api.InstanceTypeContainer) {
			continue
		}
		image := Image{Fingerprint: i.Fingerprint, Description: i.Properties["description"], Size: i.Size,
			Uploaded: i.UploadedAt}
		for _, alias := range i.Aliases {
			image.Aliases = append(image.Aliases, alias.Name)
		}
		images = append(images, image)
	}
	return images, nil
}

type imageKey struct {
	run  int64
	name string
}

type imageEntry struct {
	fingerprint string
	until       time.Time
}

// imageTime is how long the image of an alias is cached: every container of a run
// gets the same image, even if the alias is moved meanwhile.
const imageTime = time.Hour

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// pin turns an alias or fingerprint into the fingerprint, once per run, and
// checks that the policy allows it.
func (m *Images) pin(ctx context.Context, run int64, name string, allowed []string) (string, error) {
	m.mu.Lock()
	entry, ok := m.known[imageKey{run, name}]
	m.mu.Unlock()
	if !ok || run == 0 || time.Now().After(entry.until) {
		fingerprint, err := m.resolve(ctx, name)
		if err != nil {
			return "", err
		}
		entry = imageEntry{fingerprint, time.Now().Add(imageTime)}
		m.store(imageKey{run, name}, entry)
	}
	if !slices.ContainsFunc(allowed, func(a string) bool {
		return a == "*" || a == name || fingerprintForm.MatchString(a) && strings.HasPrefix(entry.fingerprint, a)
	}) {
		return "", failed(fmt.Sprintf("use image %q", name), errors.New("the policy of this host does not allow it"),
			"the host's owner may add it to incus.images; allowed are: "+or(strings.Join(allowed, ", "), "none"))
	}
	return entry.fingerprint, nil
}

// Fingerprint is the image that a name means now, if the policy allows it.
func (m *Images) Fingerprint(ctx context.Context, name string, allowed []string) (string, error) {
	return m.pin(ctx, 0, or(name, "default"), allowed)
}

func (m *Images) store(key imageKey, entry imageEntry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, e := range m.known {
		if time.Now().After(e.until) {
			delete(m.known, k)
		}
	}
	m.known[key] = entry
}

func (m *Images) resolve(ctx context.Context, name string) (string, error) {
	alias, err := await(ctx, func() (*api.ImageAliasesEntry, error) {
		a, _, err := m.conn.srv.GetImageAlias(name)
		return a,
			err
	})
	if err == nil {
		return alias.Target, nil
	}
	if !isNotFound(err) {
		return "", broke(fmt.Sprintf("look up image %q", name), err)
	}
	if fingerprintForm.MatchString(name) {
		image, err := await(ctx, func() (*api.Image, error) { i, _, err := m.conn.srv.GetImage(name); return i, err })
		if err == nil {
			return image.Fingerprint, nil
		}
	}
	return "", failed(fmt.Sprintf("use image %q", name),
		fmt.Errorf("Incus project %q has none of that name", m.conn.cfg.Project), m.hint(ctx))
}

// hint names the images there are.
func (m *Images) hint(ctx context.Context) string {
	images, err := m.List(ctx)
	var names []string
	for _, i := range images {
		names = append(names, i.Aliases...)
	}
	slices.Sort(names)
	if err != nil || len(names) == 0 {
		return "make the default images with: ./install.sh"
	}
	return "there are: " + strings.Join(names, ", ") + "; make the default images with: ./install.sh"
}

// ImportSplit imports an image of two files, metadata (tar) and root file
// system (squashfs or tar), under an alias and returns its fingerprint. An
// image that is there already is not sent again; the alias is moved to it.
func (m *Images) ImportSplit(ctx context.Context, meta, rootfs, alias string) (string, error) {
	if !aliasForm.MatchString(alias) {
		return "", failed(fmt.Sprintf("import image %q", short(alias, 80)), errors.New("that is not an alias"),
			"use letters, digits, dots, dashes, slashes")
	}
	fingerprint, err := splitFingerprint(meta, rootfs)
	if err != nil {
		return "", failed("import image "+alias, err, "")
	}
	_, err = await(ctx, func() (*api.Image, error) { i, _, err := m.conn.srv.GetImage(fingerprint); return i, err })
	if isNotFound(err) {
		err = m.upload(ctx, meta, rootfs)
	}
	if err != nil {
		return "", broke("import image "+alias, err)
	}
	return fingerprint, m.point(ctx, alias, fingerprint)
}

// splitFingerprint is the sha256 of both files, one after the other, as Incus
// computes it.
func splitFingerprint(names ...string) (string, error) {
	sum := sha256.New()
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (m *Images) upload(ctx context.Context, meta, rootfs string) error {
	metadata, err := os.Open(meta)
	if err != nil {
		return err
	}
	defer metadata.Close()
	r, err := os.Open(rootfs)
	if err != nil {
		return err
	}
	defer r.Close()
	return m.conn.do(ctx, func() (incus.Operation, error) {
		return m.conn.srv.CreateImage(api.ImagesPost{}, &incus.ImageCreateArgs{MetaFile: metadata, MetaName: "metadata.tar",
			RootfsFile: r, RootfsName: "rootfs", Type: "container"})
	})
}

func (m *Images) point(ctx context.Context, alias, fingerprint string) error {
	old, err := await(ctx, func() (*api.ImageAliasesEntry, error) {
		a, _, err := m.conn.srv.GetImageAlias(alias)
		return a,
			err
	})
	_, err = await(ctx, func() (struct{}, error) {
		switch {
		case isNotFound(err):
			entry := api.ImageAliasesEntry{Name: alias, Type: "container",
				ImageAliasesEntryPut: api.ImageAliasesEntryPut{Target: fingerprint}}
			return struct{}{}, m.conn.srv.CreateImageAlias(api.ImageAliasesPost{ImageAliasesEntry: entry})
		case err == nil && old.Target != fingerprint:
			return struct{}{}, m.conn.srv.UpdateImageAlias(alias,
				api.ImageAliasesEntryPut{Target: fingerprint, Description: old.Description}, "")
		}
		return struct{}{}, err
	})
	if err != nil {
		return broke("name image "+alias, err)
	}
	return nil
}
