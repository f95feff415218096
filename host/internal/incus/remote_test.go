package incus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// writeCertificate makes a client certificate and returns its files and DER.
func writeCertificate(t *testing.T, dir, name string) (cert, key string, der []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if der, err = x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private); err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der},
		key: {Type: "EC PRIVATE KEY", Bytes: bytes}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, der
}

// listen makes the local Incus answer on an address of 127.0.0.1, and returns
// it with the server's certificate. What the owner has set is left as it is.
func listen(t *testing.T, c *Client) (url, serverCert string) {
	t.Helper()
	server, etag, err := c.conn.srv.GetServer()
	if err != nil {
		t.Fatal(err)
	}
	address := server.Config["core.https_address"]
	if address == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address = l.Addr().String()
		l.Close()
		put := server.Writable()
		put.Config["core.https_address"] = address
		if err := c.conn.srv.UpdateServer(put, etag); err != nil {
			t.Skipf("SKIPPED: this user may not make Incus listen: %v", err)
		}
		t.Cleanup(func() {
			server, etag, err := c.conn.srv.GetServer()
			if err != nil {
				t.Error(err)
				return
			}
			put := server.Writable()
			delete(put.Config, "core.https_address")
			if err := c.conn.srv.UpdateServer(put, etag); err != nil {
				t.Error(err)
			}
		})
	}
	serverCert = filepath.Join(t.TempDir(), "server.crt")
	if err := os.WriteFile(serverCert, []byte(server.Environment.Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	return "https://" + address, serverCert
}

func TestRemoteWithARestrictedCertificate(t *testing.T) {
	cfg := testConfig(t)
	c := needIncus(t, cfg)
	ctx := context.Background()
	cfg.URL, cfg.ServerCert = listen(t, c)
	dir := t.TempDir()
	var der []byte
	cfg.Cert, cfg.Key, der = writeCertificate(t, dir, "restricted")

	_, err := Connect(ctx, cfg)
	if err == nil || !strings.Contains(err.Error(), "it does not trust this client certificate") ||
		!strings.Contains(hintOf(err), "incus config trust add-certificate") {
		t.Errorf("before it is trusted: %v, hint %q", err, hintOf(err))
	}
	trust := api.CertificatesPost{CertificatePut: api.CertificatePut{Certificate: base64.StdEncoding.EncodeToString(der),
		Name: c.conn.cfg.Owner, Type: "client", Restricted: true, Projects: []string{c.conn.cfg.Project}}}
	if err := c.conn.srv.CreateCertificate(trust); err != nil {
		t.Fatal(err)
	}
	defer func() {
		all, _ := c.conn.srv.GetCertificates()
		for _, cert := range all {
			if cert.Name == c.conn.cfg.Owner {
				c.conn.srv.DeleteCertificate(cert.Fingerprint)
			}
		}
	}()

	remote, err := Connect(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]files{"a small tree": {"a.txt": "alpha\n"}, "a large tree": bigSource()} {
		s := busybox("cat a.txt; echo e >&2; echo r > report; exit 5")
		got := kept{}
		s.Source, s.Artifacts, s.Keep = src, []string{"/work/src/report"}, got
		s.Caches = append(s.Caches, cacheAt("c", "/cache"))
		ended, out, errOut := run(t, remote, s)
		if ended.Exit != 5 || out != "alpha\n" || errOut != "e\n" || got["work/src/report"] != "r\n" {
			t.Errorf("%s: exit %d, stdout %q, stderr %q, kept %q", name, ended.Exit, out, errOut, got)
		}
	}
	if err := remote.Close(); err != nil {
		t.Error(err)
	}
	if swept, err := remote.Sweep(ctx); err != nil || len(swept) != 0 {
		t.Errorf("sweep: %v, %v", swept, err)
	}
	for _, check := range remote.Check(ctx, "busybox") {
		if check.Err != nil {
			t.Errorf("check %s: %v", check.Name, check.Err)
		}
	}

	elsewhere := cfg
	elsewhere.Project = "default"
	if _, err := Connect(ctx, elsewhere); err == nil ||
		!strings.Contains(err.Error(), `cannot use Incus project "default"`) {
		t.Errorf("another project: %v", err)
	}
	wrong := cfg
	wrong.ServerCert = cfg.Cert
	if _, err := Connect(ctx, wrong); err == nil || !strings.Contains(err.Error(), "cannot reach Incus at https://") {
		t.Errorf("another server certificate: %v", err)
	}
}

// TestPoolThatCopies runs on a pool of driver dir, the one that works on any
// file system.
func TestPoolThatCopies(t *testing.T) {
	cfg := testConfig(t)
	c := needIncus(t, cfg)
	cfg.Pool = strings.ReplaceAll(cfg.Owner, "test-", "pltest")
	if err := c.conn.srv.CreateStoragePool(api.StoragePoolsPost{Name: cfg.Pool, Driver: "dir"}); err != nil {
		t.Skipf("SKIPPED: this user may not make a storage pool: %v", err)
	}
	t.Cleanup(func() {
		for range 20 {
			if c.conn.srv.DeleteStoragePool(cfg.Pool) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Errorf("pool %s is left behind", cfg.Pool)
	})
	dir := needIncus(t, cfg)
	s := busybox("cat a.txt; echo x > /cache/f; echo r > report; cat /work/base/link")
	got := kept{}
	s.Source, s.Artifacts, s.Keep = bigSource(), []string{"/work/src/report"}, got
	s.Caches = append(s.Caches, cacheAt("c", "/cache"))
	ended, out, errOut := run(t, dir, s)
	if ended.Exit != 0 || out != "alpha\nalpha\n" || got["work/src/report"] != "r\n" {
		t.Errorf("exit %d, stdout %q, stderr %q, kept %q", ended.Exit, out, errOut, got)
	}
}
