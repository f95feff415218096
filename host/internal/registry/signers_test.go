package registry

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// signersWorld makes lines of allowed-signers files, most of them nearly right.
type signersWorld struct {
	*rand.Rand
	keys []string // "type base64"; the first has signed
}

func (w signersWorld) one(of ...string) string { return of[w.IntN(len(of))] }

func (w signersWorld) sometimes(text string) string {
	if w.IntN(8) == 0 {
		return text
	}
	return ""
}

func (w signersWorld) blank() string {
	return w.one(" ", " ", " ", " ", " ", " ", " ", " ", "\t", "  ", " \t ", w.one("\r", "\v"))
}

// askedNames are the principals that ssh-keygen is asked about.
var askedNames = []string{"ann@x", "bob@x", "ANN@x", "ann@x,bob@x", "a b", "*", "*@x", "!ann@x"}

func (w signersWorld) principals() string {
	var list []string
	for range 1 + w.IntN(3) {
		list = append(list, w.one("ann@x", "ann@x", "ann@x", "ann@x", "ann@x", "bob@x", "ANN@x", "*@x", "ann@?",
			"a[n]n@x", "*", "!bob@x", "!ann@x", "!*", "", "eve@y", "ann@\u00e9",
			strings.Repeat("y", 1022), strings.Repeat("y", 1024)))
	}
	text := strings.Join(list, ",")
	return w.one(text, text, text, `"`+text+`"`, `"a b,`+text+`"`, text+`"a b"`, `"`+text, text+",", "a b"+text)
}

func (w signersWorld) namespaces() string {
	var list []string
	for range 1 + w.IntN(3) {
		list = append(list, w.one("pushlane-plugin", "pushlane-plugin", "pushlane-plugin", "pushlane-plugin",
			"git", "*", "push*", "pushlane-plugi?", "!git", "!pushlane-plugin", "!push*",
			"push[l]ane-plugin", "push[!x]ane-plugin", `push\lane-plugin`, "PUSHLANE-PLUGIN",
			"", " pushlane-plugin", `\"`, "**-**", "*?*?plugin", strings.Repeat("z", 1100)))
	}
	return strings.Join(list, ",")
}

func (w signersWorld) time() string {
	day := w.one("20260101", "20260601", "20270101", "20250101", "20250630", "20280228", "20260230", "20261301",
		"20260132", "2026 101", "202606 1", "19700101", "19691231", "00000101", "99991231",
		"2026060", "+2260101", "-2260101", "20260601 ")
	return day + w.one("", "", "", "1200", "120000", "235960", "235962", "2400", "12", "1159", "120001", "\t2 0") +
		w.one("", "", "Z", "z", "UTC", "utc", "UT", "ZZ", " Z")
}

func (w signersWorld) option() string {
	value := func(text string) string {
		quoted := `"` + text + `"`
		return w.one(quoted, quoted, quoted, quoted, quoted, quoted, w.one(text, `"`+text, `'`+text+`'`, quoted+"x"))
	}
	name := func(text string) string {
		return w.one(text, text, text, text, text, strings.ToUpper(text), w.one(text+" ", "no-"+text))
	}
	switch w.IntN(12) {
	case 0:
		return name("cert-authority")
	case 1:
		return w.one("verify-required", "", "namespaces", "x=\"y\"", "cert-authority=\"x\"")
	case 2, 3:
		return name("valid-after") + "=" + value(w.time())
	case 4, 5:
		return name("valid-before") + "=" + value(w.time())
	default:
		return name("namespaces") + "=" + value(w.namespaces())
	}
}

func (w signersWorld) options() string {
	if w.IntN(2) == 0 {
		return ""
	}
	var list []string
	for range 1 + w.IntN(2)*w.IntN(3) {
		list = append(list, w.option())
	}
	return w.sometimes(",") + strings.Join(list, ",") + w.sometimes(",") + w.blank()
}

func (w signersWorld) key() string {
	key := w.keys[0]
	if w.IntN(5) == 0 {
		key = w.one(w.keys...)
	}
	kind, blob, _ := strings.Cut(key, " ")
	switch w.IntN(16) {
	case 0:
		kind = w.one("ssh-rsa", "ssh-ed25519", "SSH-ED25519", "ssh-dss", "")
	case 1:
		blob = w.one(blob[:len(blob)-4], blob+"=", blob+"AAAA",
			blob[:8]+"\v"+blob[8:], blob[:8]+" "+blob[8:], blob[:8]+"!"+blob[9:])
	}
	return kind + w.one(" ", " ", " ", "\t", "  ") + blob
}

func (w signersWorld) line() string {
	if w.IntN(12) == 0 {
		return w.one("", "#", "# "+w.keys[0], "gar bage", `"`, " ", "\x00", w.keys[0],
			"#"+strings.Repeat("x", 70_000))
	}
	return w.sometimes(w.one(" ", "\t", "\r", "#")) + w.principals() + w.blank() + w.options() + w.key() +
		w.sometimes(w.one(" ann's key", " # x", "\t", "\r", "\x00more", " "+strings.Repeat("c", 70_000)))
}

func (w signersWorld) file() []byte {
	var lines []string
	for range 1 + w.IntN(3) {
		lines = append(lines, w.line())
	}
	end := w.one("\n", "\n", "\n", "\r\n")
	return []byte(strings.Join(lines, end) + end)
}

// TestSignersAsSSHKeygen: of 500 files, each asked about a principal, this
// reads the line that ssh-keygen -Y verify reads.
func TestSignersAsSSHKeygen(t *testing.T) {
	var w signersWorld
	file, public := keygen(t, "-t", "ed25519")
	_, other := keygen(t, "-t", "ed25519")
	_, rsa := keygen(t, "-t", "rsa", "-b", "2048")
	for _, key := range []string{public, other, rsa} {
		fields := strings.Fields(key)
		w.keys = append(w.keys, fields[0]+" "+fields[1])
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sig, err := SignSSH(file, module)
	if err != nil {
		t.Fatal(err)
	}
	signature := write("sig", sig.Data)
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, zone)
	taken := 0
	for i := range 500 {
		w.Rand = rand.New(rand.NewPCG(20, uint64(i)))
		data := w.file()
		name := askedNames[0]
		if w.IntN(3) == 0 {
			name = w.one(askedNames...)
		}
		theirs := keygenTakes(write("allowed", data), name, signature, now)
		ours := takes(data, key, name, now, zone)
		if ours != theirs {
			t.Errorf("file %d for %q: ssh-keygen takes it: %v, we: %v\n%q", i, name, theirs, ours, short(data))
		}
		if _, err := signerOf(data, key, now, zone); theirs && err != nil {
			t.Errorf("file %d: ssh-keygen takes it for %q, and signerOf says %v\n%q", i, name, err, short(data))
		}
		if theirs {
			taken++
		}
	}
	if taken < 75 || taken > 425 {
		t.Errorf("%d of 500 files are taken: they should be more of a mixture", taken)
	}
}

// takes is signerOf about a principal.
func takes(allowed []byte, key ssh.PublicKey, principal string, now time.Time, zone *time.Location) bool {
	for line := range bytes.SplitSeq(allowed, []byte("\n")) {
		s, err := parseSigner(string(line), zone)
		if err == nil && s.key != nil && bytes.Equal(s.key.Marshal(), key.Marshal()) && s.allows(now) && s.isFor(principal) {
			return true
		}
	}
	return false
}

func keygenTakes(allowed, principal, signature string, now time.Time) bool {
	cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", principal, "-n", Namespace, "-s", signature,
		"-Overify-time="+now.UTC().Format("20060102150405Z"))
	cmd.Env = append(os.Environ(), "TZ=Europe/Berlin")
	cmd.Stdin = bytes.NewReader(module)
	return cmd.Run() == nil
}

func short(data []byte) string {
	if len(data) > 2000 {
		return fmt.Sprintf("%s… (%d bytes)", data[:2000], len(data))
	}
	return string(data)
}

// TestSignersOneByOne: what git does, find-principals and then verify for each
// of them, says what signerOf says of one line.
func TestSignersOneByOne(t *testing.T) {
	file, public := keygen(t, "-t", "ed25519")
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := SignSSH(file, module)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	signature, allowed := filepath.Join(dir, "sig"), filepath.Join(dir, "allowed")
	os.WriteFile(signature, sig.Data, 0o600)
	now := time.Now()
	for _, principals := range []string{"ann@x", "ann@x,bob@x", "*", "!ann@x", "ann@x,!ann@x", "*@x,!eve@x",
		"!*", "ann@?", "!*,ann@x", `"ann@x,!*"`, "a[n]n@x", `"ann lee"`, "!ann@x,*"} {
		line := []byte(principals + " " + public + "\n")
		os.WriteFile(allowed, line, 0o600)
		found, _ := exec.Command("ssh-keygen", "-Y", "find-principals", "-f", allowed, "-s", signature).Output()
		git := false
		for one := range strings.Lines(string(found)) {
			git = git || keygenTakes(allowed, strings.TrimSuffix(one, "\n"), signature, now)
		}
		if who, err := signerOf(line, key, now, time.Local); (err == nil) != git {
			t.Errorf("%s: git takes it: %v; we: %q %v", principals, git, who, err)
		}
	}
}

// FuzzParseSigner: no line stops the host, and one that is read has principals
// and a key.
func FuzzParseSigner(f *testing.F) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJCjMJvUsC4F2JkVb6J2lZqX1yB5k0Xx6dYyqgO1hQ3m"
	for _, line := range []string{"ann@x " + key, `"a b" namespaces="x,!y",valid-after="20260101Z" ` + key, "# x",
		`a namespaces="\"`,
		"a cert-authority,, " + key, `a valid-before="20260230` + "\x00", "\" \"" + key, "a\t\r" + key + " comment"} {
		f.Add(line, "pushlane-plugin")
	}
	f.Fuzz(func(t *testing.T, line, text string) {
		s, err := parseSigner(line, time.UTC)
		if err == nil && s.key != nil && s.allows(time.Unix(1<<31, 0)) && s.authority {
			t.Errorf("%q lets an authority sign", line)
		}
		if matchList(text, line) && line == "" {
			t.Error("an empty list matches")
		}
	})
}
