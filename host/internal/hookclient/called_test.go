package hookclient

import (
	"slices"
	"testing"
)

func TestCalled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want []string }{
		{[]string{"hook", "--earlier=", "pre-push", "origin"}, []string{"--earlier=", "pre-push", "origin"}},
		{[]string{"hook", "--policy=/p", "--state=/s", "--earlier=", "update"},
			[]string{"--policy=/p", "--state=/s", "--earlier=", "update"}},
		{[]string{"hook", "pre-push", "--earlier=x"}, nil}, // what the client itself executes
		{[]string{"hook", "--help"}, nil},
		{[]string{"hook"}, nil},
		{[]string{"run", "--earlier="}, nil},
		{nil, nil},
	} {
		if got, ok := Called(c.args); !slices.Equal(got, c.want) || ok != (c.want != nil) {
			t.Errorf("Called(%q) = %q, %v", c.args, got, ok)
		}
	}
	if got := Args("/usr/bin/pushlane-hook"); got != nil {
		t.Errorf("the client gets %q", got)
	}
	if got := Args("/home/ann/go/bin/pushlane"); !slices.Equal(got, []string{"hook"}) {
		t.Errorf("pushlane gets %q", got)
	}
}
