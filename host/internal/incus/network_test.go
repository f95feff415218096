package incus

import (
	"os"
	"testing"
)

// TestNetwork needs the bridge that ./install.sh --network makes.
func TestNetwork(t *testing.T) {
	c := needIncus(t, testConfig(t))
	if _, _, err := c.conn.srv.GetNetwork("pushlane0"); err != nil {
		if os.Getenv("PUSHLANE_REQUIRE_INCUS") != "" {
			t.Fatal("the network pushlane0 is required here; ./install.sh --network makes it")
		}
		t.Skip("SKIPPED: no network pushlane0; ./install.sh --network makes it")
	}
	s := busybox("ls /sys/class/net; ip -4 addr show eth0 | grep -c 'inet '; ip route | cut -d ' ' -f 1 | head -1")
	s.Network, s.Max.Networks = true, []string{"pushlane0"}
	if ended, out, errOut := run(t, c, s); ended.Exit != 0 || out != "eth0\nlo\n1\ndefault\n" {
		t.Errorf("exit %d, stdout %q, stderr %q", ended.Exit, out, errOut)
	}
	s = busybox("busybox ip -4 addr show eth0 | grep -c 'inet '")
	s.Image, s.Network, s.Max.Networks = "default", true, []string{"pushlane0"}
	if ended, out, errOut := run(t, c, s); ended.Exit != 0 || out != "1\n" {
		t.Errorf("default image: exit %d, stdout %q, stderr %q", ended.Exit, out, errOut)
	}
	s = busybox("ls /sys/class/net")
	s.Max.Networks = []string{"pushlane0"}
	if _, out, _ := run(t, c, s); out != "lo\n" {
		t.Errorf("one that did not ask sees %q", out)
	}
}
