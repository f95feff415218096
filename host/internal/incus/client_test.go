package incus

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestConnectErrors(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead")
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for name, test := range map[string]struct {
		cfg        Config
		want, hint string
	}{
		"no socket": {Config{Socket: filepath.Join(dir, "none")},
			"/none: there is no socket: Incus is not installed or not started", "./install.sh"},
		"no one listens": {Config{Socket: dead}, "/dead: connection refused: Incus is not running", "start it"},
		"no certificate": {Config{URL: "https://127.0.0.1:1", Cert: filepath.Join(dir, "none.crt")},
			"none.crt: no such file or directory", "incus.cert"},
		"no such address": {Config{URL: "https://127.0.0.1:1"}, "connect: connection refused])", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Connect(context.Background(), test.cfg)
			if err == nil || !strings.HasSuffix(err.Error(), test.want) ||
				!strings.HasPrefix(err.Error(), "cannot reach Incus at ") {
				t.Errorf("err = %v, want %q", err, test.want)
			}
			if !strings.Contains(hintOf(err), test.hint) || hintOf(err) == "" {
				t.Errorf("hint %q, want %q in it", hintOf(err), test.hint)
			}
		})
	}
}

func TestWhatIsMissing(t *testing.T) {
	cfg := testConfig(t)
	c := needIncus(t, cfg)
	ctx := context.Background()

	noProject := cfg
	noProject.Project = "no-such-project"
	_, err := Connect(ctx, noProject)
	if err == nil || !strings.HasPrefix(err.Error(),
		`cannot use Incus project "no-such-project": there is no such project`) ||
		!strings.Contains(hintOf(err), "./install.sh") {
		t.Errorf("project: %v, hint %q", err, hintOf(err))
	}

	s := busybox("true")
	s.Image = "no-such-image"
	_, err = c.Run(ctx, s, nil, nil)
	if err == nil || err.Error() != `cannot use image "no-such-image": Incus project "pushlane" has none of that name` ||
		!strings.Contains(hintOf(err), "busybox") {
		t.Errorf("image: %v, hint %q", err, hintOf(err))
	}

	s = busybox("true")
	s.Max.Images = []string{"default"}
	_, err = c.Run(ctx, s, nil, nil)
	if err == nil || err.Error() != `cannot use image "busybox": the policy of this host does not allow it` ||
		!strings.Contains(hintOf(err), "allowed are: default") {
		t.Errorf("policy: %v, hint %q", err, hintOf(err))
	}

	noPool := cfg
	noPool.Pool = "no-such-pool"
	other, err := Connect(ctx, noPool)
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Run(ctx, busybox("true"), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot start container pl-test-c-1-") ||
		!strings.Contains(hintOf(err), "incus.pool") {
		t.Errorf("pool: %v, hint %q", err, hintOf(err))
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	for _, check := range other.Check(ctx, "busybox", "no-such-image") {
		wantBad := check.Name == "pool" || strings.Contains(check.Message, "no-such") ||
			check.Err != nil && strings.Contains(check.Err.Error(), "no-such-image")
		if (check.Err != nil) != wantBad {
			t.Errorf("check %+v", check)
		}
		if check.Err != nil && hintOf(check.Err) == "" {
			t.Errorf("%v: no hint", check.Err)
		}
	}
}

func TestImages(t *testing.T) {
	c := needIncus(t, testConfig(t))
	ctx := context.Background()
	if _, err := exec.LookPath("mksquashfs"); err != nil {
		t.Skip("no mksquashfs")
	}
	dir := t.TempDir()
	make := exec.Command("sh", "image/busybox.sh", dir)
	make.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1")
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	meta, rootfs := filepath.Join(dir, "metadata.tar"), filepath.Join(dir, "rootfs.squashfs")
	alias := c.conn.cfg.Owner
	first, err := c.images.ImportSplit(ctx, meta, rootfs, alias)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.srv.DeleteImage(first)
	again, err := c.images.ImportSplit(ctx, meta, rootfs, alias)
	if err != nil || again != first {
		t.Errorf("again: %s, %v, want %s", again, err, first)
	}
	images, err := c.images.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, i := range images {
		found = found || i.Fingerprint == first && len(i.Aliases) == 1 && i.Aliases[0] == alias
	}
	if !found {
		t.Errorf("%s is not among %+v", first, images)
	}
	s := busybox("echo ok")
	s.Image = alias
	if ended, out, _ := run(t, c, s); out != "ok\n" || ended.Fingerprint != first {
		t.Errorf("stdout %q, fingerprint %s", out, ended.Fingerprint)
	}
}
