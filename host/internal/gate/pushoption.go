package gate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
)

// pushOptions are the options of `git push -o`.
type pushOptions struct {
	skip     map[string]string // reason by lane id, or by "all"
	only     []string          // lane ids; none: not given
	Priority int               // 1 high, 0 normal, -1 low
}

// Reason is all reasons for leaving lanes out, as the run's record keeps them.
func (w pushOptions) Reason() string {
	var all []string
	for _, id := range slices.Sorted(maps.Keys(w.skip)) {
		all = append(all, id+": "+w.skip[id])
	}
	if len(w.only) > 0 {
		all = append(all, "only "+strings.Join(w.only, ", "))
	}
	return strings.Join(all, "; ")
}

// why is the pusher's reason for skipping one lane.
func (w pushOptions) why(id string) (string, bool) {
	for _, key := range []string{id, "all"} {
		if reason, ok := w.skip[key]; ok {
			return reason, true
		}
	}
	return "", false
}

// options reads what the pusher asked for: push options at a server's gate,
// where no variable counts, and PUSHLANE_SKIP elsewhere.
func (c Call) options(p config.Policy) (pushOptions, error) {
	if c.Receives() {
		return c.serverOptions(p)
	}
	return c.skipVariable(p)
}

// serverOptions reads git's push options. Those of others are left alone.
func (c Call) serverOptions(p config.Policy) (pushOptions, error) {
	w := pushOptions{skip: map[string]string{}}
	n, err := c.optionCount()
	if err != nil {
		return w, err
	}
	for i := range n {
		key, value, _ := strings.Cut(c.Getenv("GIT_PUSH_OPTION_"+strconv.Itoa(i)), "=")
		ours := strings.HasPrefix(key, "lane.") || key == config.OptionPriority
		switch {
		case !ours:
			continue
		case !slices.Contains([]string{config.OptionSkip, config.OptionOnly, config.OptionPriority}, key):
			return w, problem.Usage(problem.WithHint(fmt.Errorf("cannot use push option %q: there is no such option",
				printable.Clean(key)),
				"there are lane.skip=ID:reason, lane.only=ID and priority=high|normal|low"))

		case !slices.Contains(p.PushOptions, key):
			return w, problem.Usage(problem.WithHint(fmt.Errorf(
				"cannot use push option %s: the policy of this host does not allow it", key),
				"the host's owner may add it to `push_options`"))

		}
		if err := w.take(key, printable.Clean(value)); err != nil {
			return w, problem.Usage(err)
		}
	}
	return w, nil
}

// maxOptions is how many push options one push may have.
const maxOptions = 1000

// optionCount is how many push options git hands over.
func (c Call) optionCount() (int, error) {
	text := c.Getenv("GIT_PUSH_OPTION_COUNT")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 0:
		return 0, problem.Usage(fmt.Errorf("cannot use push options: GIT_PUSH_OPTION_COUNT is %q, want a number",
			printable.Clean(text)))
	case n > maxOptions:
		return 0, problem.Usage(problem.WithHint(fmt.Errorf("cannot use push options: there are %d, at most %d are allowed",
			n, maxOptions), "push with fewer: git push -o priority=high"))
	}
	return n, nil
}

func (w *pushOptions) take(key, value string) error {
	switch key {
	case config.OptionSkip:
		id, reason, _ := strings.Cut(value, ":")
		if strings.TrimSpace(reason) == "" {
			return problem.WithHint(errors.New("cannot skip lanes: no reason given"), "git push -o 'lane.skip="+id+":why'")
		}
		w.skip[id] = strings.TrimSpace(reason)
	case config.OptionOnly:
		w.only = append(w.only, value)
	case config.OptionPriority:
		level, ok := map[string]int{"high": 1, "normal": 0, "low": -1}[value]
		if !ok {
			return problem.WithHint(fmt.Errorf("cannot use push option priority=%s", value), "say high, normal or low")
		}
		w.Priority = level
	}
	return nil
}

// skipVariable reads PUSHLANE_SKIP: lane ids, or all, with PUSHLANE_SKIP_REASON.
func (c Call) skipVariable(p config.Policy) (pushOptions, error) {
	w := pushOptions{skip: map[string]string{}}
	text := c.Getenv("PUSHLANE_SKIP")
	if text == "" {
		return w, nil
	}
	reason := strings.TrimSpace(printable.Clean(c.Getenv("PUSHLANE_SKIP_REASON")))
	switch {
	case !p.AllowSkip:
		return w, problem.Usage(errors.New("cannot skip lanes: the policy of this host says allow_skip = false"))
	case reason == "":
		return w, problem.Usage(problem.WithHint(errors.New("cannot skip lanes: no reason given"),
			"PUSHLANE_SKIP="+text+` PUSHLANE_SKIP_REASON="why" git push`))

	}
	for id := range strings.SplitSeq(text, ",") {
		w.skip[strings.TrimSpace(id)] = reason
	}
	return w, nil
}
