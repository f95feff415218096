// Package spool has the pushes that git accepted while no resident host was there.
package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/durable"
	"github.com/pushlane/pushlane/host/internal/gate"
)

// A push that git has accepted is never lost: where no resident host takes it
// in, the post-receive hook leaves it here, and the next host finds it.

// spooled is one such push.
type spooled struct {
	Dir   string     `json:"dir"`
	Env   []string   `json:"env"`
	Stdin string     `json:"stdin"`
	Tip   gate.RefAt `json:"tip"` // the default branch as it was before it
}

// Folder is where they are: one file each, in the order of the pushes.
type Folder string

// Keep keeps a post-receive call for the next resident host. Once it returns
// the file is on the disk.
func (f Folder) Keep(ctx context.Context, call gate.Call) error {
	tip, err := gate.TipBefore(ctx, call)
	if err != nil {
		return err
	}
	data, err := json.Marshal(spooled{Dir: call.Dir, Env: spoolEnv(call.Env), Stdin: string(call.Stdin), Tip: tip})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return fmt.Errorf("cannot save the push for later: %w", err)
	}
	name := fmt.Sprintf("%020d-%s.json", time.Now().UnixNano(), call.PushID()) // in the order of the pushes
	if err := durable.Write(filepath.Join(string(f), name), data); err != nil {
		return fmt.Errorf("cannot save the push for later: %w", err)
	}
	return nil
}

// spoolEnv is what the judgement of an accepted push needs of its environment.
func spoolEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(pair string) bool {
		key, _, _ := strings.Cut(pair, "=")
		git := strings.HasPrefix(key, "GIT_") && !strings.Contains(key, "QUARANTINE") &&
			!strings.Contains(key, "OBJECT_DIRECTOR")
		return !git && !slices.Contains(gate.PusherNames(), key) &&
			!slices.Contains([]string{"HOME", "PATH", "PUSHLANE_PUSH", "PUSHLANE_CONFIG"}, key)
	})
}

// Take reads the files that hooks wrote, oldest first. A file that cannot be
// read now is tried again the next time; an invalid one is moved aside and reported.
func (f Folder) Take(ctx context.Context, take func(context.Context, gate.Call) error) error {
	files, err := os.ReadDir(string(f))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var errs []error
	for _, file := range files {
		path := filepath.Join(string(f), file.Name())
		if filepath.Ext(path) != ".json" {
			continue
		}
		if err := takeSpooled(ctx, path, take); err != nil {
			errs = append(errs, fmt.Errorf("cannot take in %s: %w", file.Name(), err))
		}
	}
	return errors.Join(append(errs, err)...)
}

func takeSpooled(ctx context.Context, path string, take func(context.Context, gate.Call) error) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var s spooled
	if err := json.Unmarshal(data, &s); err != nil {
		return errors.Join(err, os.Rename(path, path+".bad"))
	}
	err = take(ctx, gate.Call{Gate: "post-receive", Dir: s.Dir, Env: s.Env, Stdin: []byte(s.Stdin), Tip: s.Tip})
	if _, gone := os.Stat(s.Dir); err != nil && errors.Is(gone, os.ErrNotExist) {
		return errors.Join(err, os.Rename(path, path+".bad"))
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}
