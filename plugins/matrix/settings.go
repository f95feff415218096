package main

import (
	"errors"
	"path"

	"github.com/pushlane/pushlane/sdk"
)

// source is where the pushed tree lies in a container.
const source = "/work/src"

// settings are the lane's, see README.md.
type settings struct {
	cells    []cell
	parallel int
	failFast bool
	script   string   // or argv
	argv     []string // or script
	common   sdk.Container
}

func readSettings(run *sdk.Run) (settings, error) {
	s := settings{
		parallel: int(run.With("max_parallel").IntOr(4)),
		failFast: run.With("fail_fast").Bool(),
		script:   run.With("run").String(),
		argv:     run.With("command").Strings(),
		common:   common(run),
	}
	switch {
	case s.parallel < 1:
		return s, errors.New("setting max_parallel: want 1 or more")
	case (s.script == "") == (len(s.argv) == 0):
		return s, errors.New("settings: want one of run and command")
	}
	axes, err := readAxes(run)
	if err != nil {
		return s, err
	}
	s.cells, err = readCells(run, axes)
	return s, err
}

// common is what all containers are asked for with, templates unfilled.
func common(run *sdk.Run) sdk.Container {
	c := sdk.Container{
		Image:     run.With("image").String(),
		Env:       run.With("env").Map(),
		User:      run.With("user").String(),
		CPU:       cores(run.With("cpu")),
		Memory:    run.With("memory").String(),
		Disk:      run.With("disk").String(),
		Processes: int(run.With("processes").Int()),
		Network:   run.With("network").BoolOr(run.Can("container.network")),
	}
	for _, cache := range run.With("caches").Items() {
		c.Caches = append(c.Caches, sdk.Cache{Name: cache.Get("name").String(), Path: cache.Get("path").String()})
	}
	dir := run.With("workdir").String()
	if !path.IsAbs(dir) {
		dir = path.Join(source, dir)
	}
	if dir = path.Clean(dir); dir != source {
		c.Cwd = dir
	}
	return c
}

// cores takes cores written as a number or as a string.
func cores(v sdk.Value) string {
	if n, ok := v.Number(); ok {
		return n
	}
	return v.String()
}

// container is what is asked for a cell.
func (s settings) container(i int, cell cell) (sdk.Container, error) {
	c := s.common
	c.ID = cell.id(i + 1)
	var err error
	fill := func(what, text string, strict bool) string {
		filled, wrong := cell.fill(what, text, strict)
		if err == nil {
			err = wrong
		}
		return filled
	}
	c.Image = fill("image", c.Image, true)
	if len(s.common.Env) > 0 {
		c.Env = map[string]string{}
	}
	for name, text := range s.common.Env {
		c.Env[name] = fill("env", text, true)
	}
	c.Caches = nil
	for _, cache := range s.common.Caches {
		c.Caches = append(c.Caches, sdk.Cache{Name: fill("caches", cache.Name, true), Path: fill("caches", cache.Path, true)})
	}
	for _, word := range s.argv {
		c.Command = append(c.Command, fill("command", word, true))
	}
	if s.script != "" {
		c.Command = []string{"/bin/sh", "-eu", "-c", fill("run", s.script, false)}
	}
	return c, err
}
