package plain

import (
	"net/http/httptest"
	"testing"
)

func TestAdd(t *testing.T) {
	server := httptest.NewServer(nil) // on loopback
	defer server.Close()
	if Add(1, 2) != 3 {
		t.Error("1 + 2")
	}
}
