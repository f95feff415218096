package modules

import (
	"testing"

	"github.com/google/uuid"
)

func TestUUID(t *testing.T) {
	if len(uuid.NewString()) != 36 {
		t.Error("a uuid has 36 letters")
	}
}
