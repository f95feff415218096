// Package hostile is a suite of WebAssembly modules that attack the process that
// reads them, the machine that it runs on, or the verdict. A host of plugins must
// respond to each with one clear message and continue.
//
// A small encoder in this package generates the modules as bytes, so that every
// byte can be wrong and no compiler is needed. The package imports no other package
// of pushlane: tests and the doctor pass the host to test.
package hostile

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Kind is how an attack has to end.
type Kind string

// The ends of an attack, in the order in which a host may make one.
const (
	Refused  Kind = "refused"  // no code of it ran
	Stopped  Kind = "stopped"  // the host ended it at a limit
	Broken   Kind = "broken"   // it broke, and its answer counts for nothing
	Harmless Kind = "harmless" // it ran to its end and got nothing for it
)

// Attack is one hostile module and what a good host makes of it.
type Attack struct {
	ID     string        // lower case words with hyphens, never used twice
	About  string        // one line: what it tries
	Module func() []byte // with a valid manifest, unless the attack is about that
	Want   string        // regexp; the outcome's text has to match it
	Kind   Kind
	Answer bool // it is an answer that means harm: the module itself runs to its end
}

// Outcome is what a host made of a module.
type Outcome struct {
	Kind Kind
	Text string // the host's error, or the exit status and standard output
}

// Try runs a module once. It returns when the module has ended.
type Try func(ctx context.Context, name string, module []byte) Outcome

// Result is an attack that was tried.
type Result struct {
	Attack  Attack
	Outcome Outcome
	OK      bool
	Took    time.Duration
}

// String is one line for a person.
func (r Result) String() string {
	if r.OK {
		return fmt.Sprintf("%s: %s: %s", r.Attack.ID, r.Outcome.Kind, r.Outcome.Text)
	}
	return fmt.Sprintf("%s: want %s: %s\n\tgot %s: %s", r.Attack.ID, r.Attack.Kind, r.Attack.Want, r.Outcome.Kind,
		r.Outcome.Text)
}

// Run tries one attack. A panic of the host is an outcome too, and never a
// good one.
func Run(ctx context.Context, a Attack, try Try) (r Result) {
	began := time.Now()
	r.Attack = a
	defer func() {
		if p := recover(); p != nil {
			r.Outcome, r.OK = Outcome{Kind: "host panic", Text: fmt.Sprint(p)}, false
		}
		r.Took = time.Since(began)
	}()
	r.Outcome = try(ctx, a.ID, a.Module())
	r.OK = r.Outcome.Kind == a.Kind && regexp.MustCompile(a.Want).MatchString(r.Outcome.Text)
	return r
}

// All gives every attack, the cheapest to meet first.
func All() []Attack {
	return slices.Concat(counts(), sizes(), shapes(), meters(), invalid(), manifests(),
		loops(), memories(), tables(), waits(), floods(), files(), pointers(), exits(), answers())
}

// Plain is a plugin that does nothing at all: a host that cannot run it after
// an attack has been harmed.
func Plain() []byte { return minimal().bytes() }
