package host

import (
	"slices"
	"testing"

	"github.com/pushlane/pushlane/host/internal/gate"
)

func TestRepoKey(t *testing.T) {
	t.Parallel()
	base := []string{"GIT_DIR=/srv/app.git", "HOME=/home/git", "PATH=/bin", "TERM=x"}
	key := func(more ...string) string {
		return repoKey(gate.Call{Dir: "/srv/app.git", Env: append(slices.Clone(base), more...)})
	}
	for _, same := range []string{"GIT_PUSH_OPTION_COUNT=1", "GIT_PUSH_OPTION_0=GIT_DIR=/x",
		"GIT_PROTOCOL=version=2", "LANG=C",
		"GIT_AUTHOR_DATE=1", "GIT_DIR=/srv/app.git"} {
		if key(same) != key() {
			t.Errorf("%s makes another repository", same)
		}
	}
	for _, other := range []string{"GIT_CONFIG_PARAMETERS='core.x=1'", "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=core.x", "GIT_CONFIG_VALUE_0=1",
		"GIT_DIR=/srv/b.git", "GIT_OBJECT_DIRECTORY=/x", "GIT_ALTERNATE_OBJECT_DIRECTORIES=/x", "GIT_NAMESPACE=x",
		"GIT_CEILING_DIRECTORIES=/",
		"GIT_EXEC_PATH=/x", "GIT_REPLACE_REF_BASE=refs/x", "GIT_NO_REPLACE_OBJECTS=1", "GIT_CONFIG_SYSTEM=/x",
		"GIT_SHALLOW_FILE=/x",
		"GIT_GRAFT_FILE=/x", "GIT_NEW_ONE=1", "XDG_CONFIG_HOME=/x", "HOME=/x", "PATH=/x"} {
		if key(other) == key() {
			t.Errorf("%s makes no other repository", other)
		}
	}
	if key("GIT_A=1", "GIT_B=2") != key("GIT_B=2", "GIT_A=1") || key("GIT_A=1\x00GIT_B=2") == key("GIT_A=1") {
		t.Error("order, or a value, makes a repository")
	}
}
