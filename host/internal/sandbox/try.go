package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// TrySeal starts two workers without a module. One gives up what a worker gives
// up before plugins run, and then tries to reach the other with every system
// call that takes another process, and with those that could put an end to the
// machine's memory. It returns the number of ways tried, and an error where one
// was not refused or the other worker is not as it was.
func (p *Pool) TrySeal() (tried int, err error) {
	plain := func() (*worker, error) {
		ways := apart()
		return launch(p.program.path, &ways[len(ways)-1])
	}
	for _, start := range []func() (*worker, error){p.launch, plain} { // the filter must hold without a namespace, too
		n, err := p.trySeal(start)
		if err != nil {
			return tried, fmt.Errorf("cannot rely on the confinement of a plugin's process: %w", err)
		}
		tried += n
	}
	return tried, nil
}

func (p *Pool) trySeal(start func() (*worker, error)) (int, error) {
	victim, err := start()
	if err != nil {
		return 0, err
	}
	defer victim.kill()
	attacker, err := start()
	if err != nil {
		return 0, err
	}
	defer attacker.kill()
	cache, err := os.MkdirTemp(p.opts.CacheDir, "try-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(cache)
	pid := victim.cmd.Process.Pid
	before := condition(pid)
	word, err := attacker.greet(setup{Cache: cache, Victim: pid, AllMemory: p.opts.AllMemory}, nil, loadTime)
	time.Sleep(settleTime)
	switch after := condition(pid); {
	case err != nil:
		return 0, err
	case len(word.Missing) > 0:
		return 0, fmt.Errorf("it lacks %s", strings.Join(word.Missing, " and "))
	case len(word.Through) > 0:
		return 0, fmt.Errorf("it could call %s", strings.Join(word.Through, ", "))
	case !victim.alive():
		return 0, errors.New("it ended another process")
	case before != after:
		return 0, fmt.Errorf("it changed another process: %s, before: %s", after, before)
	}
	return word.Tried, nil
}

// settleTime is how long a signal may take to be seen.
const settleTime = 50 * time.Millisecond
