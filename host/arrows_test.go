package host

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pushlane/pushlane/"

// arrows is who may import whom among our own packages. A line that has to be
// added here is a decision about the architecture.
var arrows = map[string][]string{
	"hooks":                   nil,
	"lanes/plaintext":         nil,
	"lanes":                   {"lanes/plaintext"},
	"sdk":                     nil,
	"sdk/sdktest":             {"sdk"},
	"plugins/files":           {"sdk"},
	"plugins/commits":         {"sdk"},
	"plugins/shell":           {"sdk"},
	"plugins/guard":           {"sdk"},
	"plugins/codeowners":      {"sdk"},
	"plugins/secrets":         {"sdk"},
	"plugins/links":           {"sdk"},
	"host/internal/wasm":      {"host/internal/durable", "lanes/plaintext", "sdk"},
	"host/internal/sandbox":   {"host/internal/durable", "host/internal/wasm"},
	"host/internal/settings":  {"host/internal/wasm", "lanes"},
	"host/internal/alive":     nil,
	"host/internal/printable": nil,
	"host/internal/egress":    {"host/internal/bounded"},
	"host/internal/config": {"hooks", "host/internal/bounded", "host/internal/egress",
		"host/internal/hostlog", "host/internal/incus", "host/internal/shipped",
		"host/internal/own", "host/internal/secret",
		"host/internal/problem", "host/internal/registry", "host/internal/notify", "host/internal/wasm",
		"host/internal/zone", "lanes", "lanes/plaintext", "sdk"},
	"host/internal/trace": {"host/internal/config", "host/internal/printable", "host/internal/problem",
		"host/internal/sandbox", "host/internal/wasm"},
	"host/internal/gate": {"hooks", "host/internal/bounded", "host/internal/config", "host/internal/printable",
		"host/internal/problem", "host/internal/store", "host/internal/notify", "host/internal/trace",
		"host/internal/zone", "lanes", "sdk"},
	"host/internal/plugins": {"host/internal/bounded", "host/internal/config", "host/internal/durable",
		"host/internal/gate", "host/internal/printable", "host/internal/problem", "host/internal/sandbox",
		"host/internal/scaffold", "host/internal/settings", "host/internal/shipped", "host/internal/registry",
		"host/internal/wasm", "host/internal/zone", "lanes", "sdk"},
	"host/internal/sarif": nil,
	"host/internal/report": {"hooks", "host/internal/config", "host/internal/gate", "host/internal/printable",
		"host/internal/problem", "host/internal/sarif", "host/internal/store", "lanes", "sdk",
		"host/internal/runjson"},
	"host/internal/record": {"hooks", "host/internal/gate", "host/internal/printable", "host/internal/store"},
	"host/internal/lanerun": {"hooks", "host/internal/bounded", "host/internal/config", "host/internal/egress",
		"host/internal/gate", "host/internal/images", "host/internal/incus", "host/internal/lanelog",
		"host/internal/oci", "host/internal/own", "host/internal/plugins",
		"host/internal/printable", "host/internal/problem", "host/internal/record",
		"host/internal/report", "host/internal/sandbox", "host/internal/sarif", "host/internal/registry",
		"host/internal/secret", "host/internal/store", "host/internal/wasm", "host/internal/zone", "lanes", "sdk"},
	"host/internal/author": {"host/internal/config", "host/internal/lanerun", "host/internal/plugins",
		"host/internal/printable", "host/internal/problem", "host/internal/sandbox",
		"host/internal/store", "host/internal/trace", "host/internal/wasm", "host/internal/zone",
		"lanes/plaintext", "sdk"},
	"host/internal/doctor": {"hooks", "host", "host/internal/config", "host/internal/gate",
		"host/internal/hookclient", "host/internal/hostile",
		"host/internal/images", "host/internal/incus", "host/internal/lanerun", "host/internal/plugins",
		"host/internal/printable", "host/internal/problem", "host/internal/report",
		"host/internal/sandbox", "host/internal/store", "host/internal/wasm", "lanes"},
	"host/internal/console": {"hooks", "host", "host/internal/author", "host/internal/config", "host/internal/gate",
		"host/internal/lanerun", "host/internal/plugins", "host/internal/printable", "host/internal/problem",
		"host/internal/report", "host/internal/runjson", "host/internal/store", "host/internal/trace", "lanes",
		"sdk"},
	"host/internal/slots":  {"host/internal/zone"},
	"host/internal/held":   nil,
	"host/internal/outage": nil,
	"host/internal/spool":  {"host/internal/durable", "host/internal/gate"},
	"host/internal/perref": {"hooks", "host/internal/config", "host/internal/durable", "host/internal/gate",
		"host/internal/printable", "host/internal/store"},
	"host/internal/durable": nil,
	"host/internal/detect":  {"host/internal/bounded", "lanes"},
	"host/internal/runfiles": {"hooks", "host/internal/config", "host/internal/durable", "host/internal/gate",
		"host/internal/incus", "host/internal/lanelog", "host/internal/lanerun", "host/internal/printable",
		"host/internal/problem", "host/internal/store"},
	"host/internal/problem": {"host/internal/printable"},
	"host/internal/bounded": nil,
	"host/internal/secret": {"host/internal/bounded", "host/internal/durable", "host/internal/own",
		"host/internal/problem"},
	"host/internal/hostile":  nil,
	"host/internal/registry": {"host/internal/bounded"},
	"host/internal/incus": {"host/internal/alive", "host/internal/bounded", "host/internal/oci", "host/internal/zone",
		"sdk"},
	"host/internal/oci": {"host/internal/bounded", "host/internal/problem"},
	"host/internal/images": {"host/internal/config", "host/internal/incus", "host/internal/oci",
		"host/internal/problem", "host/internal/zone", "lanes", "sdk"},
	"host/internal/store":    {"host/internal/alive", "host/internal/store/schema", "host/internal/zone"},
	"host/internal/zone":     nil,
	"host/internal/lanelog":  nil,
	"host/internal/hostlog":  {"host/internal/printable"},
	"host/internal/own":      nil,
	"host/internal/scaffold": {"host/internal/problem"},
	"host/internal/web": {"hooks", "host/internal/lanelog", "host/internal/runjson", "host/internal/store",
		"host/internal/web/api"},
	"host/internal/web/api": {"host/internal/bounded", "host/internal/runjson"},
	"host/internal/notify":  {"host/internal/bounded", "host/internal/runjson", "host/internal/store"},
	"host/internal/runjson": {"host/internal/store"},
	"host": {"hooks", "host/internal/alive", "host/internal/config", "host/internal/gate", "host/internal/images",
		"host/internal/incus",
		"host/internal/lanerun", "host/internal/plugins", "host/internal/printable", "host/internal/problem",
		"host/internal/record", "host/internal/report", "host/internal/runjson", "host/internal/sandbox",
		"host/internal/store", "lanes", "host/internal/held", "host/internal/outage", "host/internal/perref",
		"host/internal/runfiles", "host/internal/slots", "host/internal/spool"},
	"host/cmd/pushlane": {"hooks", "host", "host/internal/author", "host/internal/bounded", "host/internal/config",
		"host/internal/detect", "host/internal/doctor", "host/internal/gate", "host/internal/hostlog",
		"host/internal/images", "host/internal/lanelog", "host/internal/oci", "host/internal/plugins",
		"host/internal/printable", "host/internal/problem", "host/internal/report", "host/internal/runjson",
		"host/internal/store", "host/internal/notify", "host/internal/trace", "host/internal/web",
		"host/internal/web/api", "host/internal/zone", "lanes", "sdk", "host/internal/console",
		"host/internal/hookclient", "host/internal/perref", "host/internal/secret"},
	"host/internal/hookclient": nil,
	"host/internal/shipped":    {"host/internal/bounded"},
	"host/cmd/pushlane-hook":   {"host/internal/hookclient"},
	// Plugins run in it: nothing that a plugin does not need may be in it.
	"host/cmd/pushlane-plugin": {"host/internal/sandbox"},

	"host/internal/histories": nil,
}

// onlyImporter is the one package that may know a dependency.
var onlyImporter = map[string]string{
	"github.com/tetratelabs/wazero": "host/internal/wasm",
	"github.com/lxc/incus/":         "host/internal/incus",
	"modernc.org/sqlite":            "host/internal/store",
	"github.com/sigstore/":          "host/internal/registry",
	"github.com/go-git/":            "hooks",
	"github.com/santhosh-tekuri/":   "host/internal/settings",
}

func TestArrows(t *testing.T) {
	t.Parallel()
	for pkg, allowed := range arrows {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			out, err := exec.CommandContext(t.Context(), "go", "list",
				"-f", `{{join .Imports "\n"}}`, module+pkg).CombinedOutput()
			if err != nil {
				t.Fatalf("go list: %v\n%s", err, out)
			}
			for imported := range strings.FieldsSeq(string(out)) {
				own, ours := strings.CutPrefix(imported, module)
				if ours && !slices.Contains(allowed, own) {
					t.Errorf("%s imports %s, which it may not know", pkg, own)
				}
				for prefix, owner := range onlyImporter {
					if strings.HasPrefix(imported, prefix) && pkg != owner {
						t.Errorf("%s imports %s, which only %s may know", pkg, imported, owner)
					}
				}
			}
		})
	}
}
