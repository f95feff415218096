package histories

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Gate judges a push, and may have real git move the refs.
type Gate interface {
	// Guard is called with a repository before its first push.
	Guard(ctx context.Context, dir string, p Policy) error
	Push(ctx context.Context, p Push) (Answer, error)
}

// Broken is a history in which the gate did what it must not do.
type Broken struct{ Why, Script string }

func (b *Broken) Error() string { return b.Why + "\n" + b.Script }

// Run makes a history and holds the gate to it; a *Broken says what is wrong.
func (p *Pool) Run(ctx context.Context, c Choices, gate Gate) error {
	p.next++
	if err := p.forget(); err != nil {
		return err
	}
	w := &world{pool: p, dir: filepath.Join(p.dir, fmt.Sprintf("r%d.git", p.next)), links: map[string]string{},
		refs: map[string]*object{}, byID: map[string]*object{}, clean: map[string]bool{}}
	m := maker{c, w}
	defer os.RemoveAll(w.dir)
	if err := m.start(); err != nil {
		return err
	}
	if err := gate.Guard(ctx, w.dir, w.policy); err != nil {
		return err
	}
	for range 3 + m.n(6) {
		push, err := m.push()
		if err != nil {
			return err
		}
		if err := w.judge(ctx, push, gate); err != nil {
			return err
		}
	}
	return nil
}

// judge sends one push to the gate, has git move the refs and asks the model.
func (w *world) judge(ctx context.Context, p Push, gate Gate) error {
	w.sayPush(p)
	steps := w.steps(p)
	a, err := gate.Push(ctx, p)
	if err != nil {
		return err
	}
	p.Cut = p.Cut && !a.Done // git itself writes the hook's input
	for i, yes := range a.Accepted {
		w.say("    line %d accepted: %t", i+1, yes)
	}
	w.say("    %s", strings.ReplaceAll(strings.TrimSpace(a.Said), "\n", "\n    "))
	if why := w.check(p, steps, a); why != "" {
		return &Broken{why, w.script.String()}
	}
	if err := w.move(p, a); err != nil {
		return err
	}
	w.settle(steps, a)
	return nil
}

func (w *world) move(p Push, a Answer) error {
	if a.Done {
		if err := w.readPacked(); err != nil {
			return err
		}
		return w.reload()
	}
	for i, l := range p.Lines {
		if !a.Accepted[i] {
			continue
		}
		if err := w.git(l); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) sayPush(p Push) {
	w.say("push")
	for _, l := range p.Lines {
		names := []string{"nothing", "nothing"}
		for i, id := range []string{l.Old, l.New} {
			if id != zeroID {
				names[i] = w.nameOf(id)
			}
		}
		lie := ""
		if has := w.value(w.resolve(l.Ref)); has != l.Old {
			lie = " (it is " + w.nameOf(has) + ")"
		}
		w.say("    %s: %s%s -> %s", l.Ref, names[0], lie, names[1])
	}
	if p.Cut {
		w.say("    the gate sees a part of the last line, where git does not run it")
	}
}
